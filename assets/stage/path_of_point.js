/**
 * The way of one point through one model: posterior with the z drawn, outputs, nearest latent means.
 *
 * @import { Arrays, FollowedModel, Member, NumberArray, Theme } from "./types"
 * @import { Thumbnails } from "./thumbnails.js"
 */

import { make, setText } from "./dom.js";
import { part } from "./frames.js";
import { paintIntervals } from "./intervals.js";

export class PathOfPoint {
  /**
   * @param {Member} member
   * @param {Thumbnails} thumbnails
   * @param {(draw: number) => void} choose  the viewer looks at another draw
   */
  constructor(member, thumbnails, choose) {
    this.member = member;
    this.thumbnails = thumbnails;
    this.choose = choose;
    this.chosen = 0;
    this.intervals = make("canvas", { className: "svae-intervals", role: "img" });
    this.draws = make("div", { className: "svae-draws", role: "group", "aria-label": "Draws" });
    /** @type {{ button: HTMLButtonElement, canvas: HTMLCanvasElement }[]} */
    this.buttons = [];
    this.sentence = make("p");
    this.nearWords = make("small");
    this.near = make("canvas", { role: "img", "aria-label": "The points of the nearest latent means" });
    this.name = make("b", {}, member.name);
    const parts = [this.name, this.intervals, this.draws, this.sentence, this.nearWords];
    this.root = make("section", { className: "svae-way" }, ...parts, this.near);
  }

  /**
   * @param {FollowedModel} model
   * @param {Arrays} arrays  of all models
   * @param {number} m  its number
   * @param {Theme} theme
   */
  paint(model, arrays, m, theme) {
    const { mean, deviation, latents, outputs, near_pictures: near } = arrays;
    const posterior = { mean: part(mean, m), deviation: part(deviation, m), latents: part(latents, m) };
    const colour = theme.colourOf(this.member);
    this.name.style.color = colour;
    this.#paintDraws(part(outputs, m), theme);
    paintIntervals(this.intervals, posterior, this.chosen, theme, colour);
    setText(this.sentence, model.sentence);
    this.thumbnails.paint(this.near, part(near, m), theme);
    const labels = model.near_labels.length ? `: ${model.near_labels.join(", ")}` : "";
    const points = model.near.map((row) => row + 1).join(", ");
    setText(this.nearWords, `Nearest by latent mean${labels} (points ${points})`);
  }

  /**
   * A picture for each draw; choosing one shows its z.
   * @param {NumberArray} outputs
   * @param {Theme} theme
   */
  #paintDraws(outputs, theme) {
    const [count, size] = outputs.shape;
    while (this.buttons.length < count) this.#addDraw(this.buttons.length);
    this.buttons.forEach(({ button, canvas }, n) => {
      const one = { shape: [1, size], data: part(outputs, n).data };
      this.thumbnails.paint(canvas, one, theme);
      button.setAttribute("aria-pressed", String(n === this.chosen));
    });
  }

  /** @param {number} n */
  #addDraw(n) {
    const canvas = make("canvas");
    const label = `Draw ${n + 1}: its z, and the decoder's output for it`;
    const button = make("button", { type: "button", "aria-label": label, title: label }, canvas);
    button.addEventListener("click", () => this.choose(n));
    this.buttons.push({ button, canvas });
    this.draws.append(button);
  }
}
