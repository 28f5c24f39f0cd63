/**
 * KL per latent dimension, under each model's shell: a dead dimension has no bar.
 *
 * Drawn by ourselves: it is the figure that changes most often, and a canvas costs a tenth of what
 * Plotly's bars do.
 *
 * @import { Declaration, Moment, Theme, View, ViewContext } from "../types"
 */

import { make, number, penOf } from "../dom.js";
import { drawNarration } from "../narration.js";

/** @type {Declaration} */
export const declaration = {
  order: 30,
  title: "KL per latent dimension, in nats",
  span: 12,
  place: "models",
  columns: true,
  height: "clamp(84px, 14vh, 220px)",
  needs: ["moment", "models", "remarks"],
  paper: true,
  lively: true,
  styles: `
& canvas {
  display: block;
  width: 100%;
  height: 100%;
  touch-action: pan-y;
}
`,
};

const DEAD = 0.01; // nats, as COLLAPSED_KL in svae_core/certificate/diagnostics.py
const LEFT = 30; // room for the scale, in pixels
const BELOW = 16; // and for the dimensions' numbers
const ABOVE = 18; // and for what has just happened

/** @implements {View} */
export default class KlBars {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, recording }) {
    this.scene = scene;
    this.theme = theme;
    this.recording = recording;
    this.top = 0.5;
    /** @type {Moment | null} */
    this.drawn = null;
    this.canvases = scene.members.map((member, m) => {
      const canvas = make("canvas", { role: "img", tabindex: 0, "aria-label": member.name });
      canvas.addEventListener("pointermove", (event) => this.#describe(canvas, m, event));
      canvas.addEventListener("pointerdown", (event) => this.#describe(canvas, m, event));
      element.append(canvas);
      return canvas;
    });
    this.resize(theme);
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.drawn = moment;
    this.top = Math.max(this.top, ...moment.models.flatMap((model) => model.kl_per_dim));
    this.canvases.forEach((canvas, m) => this.#draw(canvas, m, moment));
  }

  /** @param {Theme} theme */
  resize(theme) {
    this.theme = theme;
    const ratio = Math.min(2, Math.max(1, window.devicePixelRatio));
    for (const canvas of this.canvases) {
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(canvas.clientHeight * ratio);
    }
    if (this.drawn) this.draw(this.drawn);
  }

  /** @param {Theme} theme */
  recolour(theme) {
    this.resize(theme);
  }

  dispose() {}

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} m
   * @param {Moment} moment
   */
  #draw(canvas, m, moment) {
    const { theme } = this;
    const pen = penOf(canvas);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    const ratio = canvas.width / width;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const bars = moment.models[m].kl_per_dim;
    const each = (width - LEFT) / bars.length;
    const floor = height - BELOW;
    const size = Math.min(theme.size - 1, 18);
    pen.font = `${size}px ${theme.font}`;
    pen.fillStyle = theme.text;
    pen.textAlign = "right";
    pen.fillText(number(this.top, 1), LEFT - 4, ABOVE + size / 2);
    pen.fillText("0", LEFT - 4, floor + 1);
    pen.fillStyle = theme.faint;
    pen.fillRect(LEFT, ABOVE, width - LEFT, 1);
    pen.fillRect(LEFT, floor, width - LEFT, 1);
    // As many numbers and crosses as stand clear of their neighbours, on a phone too.
    const every = Math.ceil((0.6 * size * String(bars.length).length + 6) / each);
    const crosses = Math.ceil((0.85 * size) / each);
    pen.textAlign = "center";
    bars.forEach((kl, dimension) => {
      const left = LEFT + each * dimension;
      const tall = ((floor - ABOVE) * kl) / this.top;
      const alive = kl >= DEAD;
      pen.fillStyle = alive ? theme.colourOf(this.scene.members[m]) : theme.faint;
      pen.fillRect(left + 0.14 * each, floor - tall, 0.72 * each, Math.max(alive ? 1.5 : 0, tall));
      if (dimension % (alive || each < 9 ? every : crosses)) return;
      pen.fillStyle = theme.text;
      // A cross for a dimension that is out: shape says it, not only the missing bar.
      pen.fillText(alive || each < 9 ? String(dimension + 1) : "✕", left + each / 2, height - 3);
    });
    const count = bars.filter((kl) => kl >= DEAD).length;
    const told = bars.map((kl, dimension) => `${dimension + 1}: ${number(kl, 2)}`).join(", ");
    const label = `${this.scene.members[m].name}: ${count} of ${bars.length} dimensions alive; KL in nats ${told}`;
    canvas.setAttribute("aria-label", label);
    canvas.dataset.alive = String(count);
    const news = this.recording.newsAt(moment.index);
    if (!news || news.model !== m || news.dimension < 0) return;
    const x = LEFT + each * (news.dimension - 0.5);
    drawNarration(pen, theme, { x, y: floor - 2 }, width, news);
  }

  /**
   * A pointer's or a finger's bar, as a tip.
   * @param {HTMLCanvasElement} canvas
   * @param {number} m
   * @param {PointerEvent} event
   */
  #describe(canvas, m, event) {
    const bars = this.drawn?.models[m].kl_per_dim;
    if (!bars) return;
    const box = canvas.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left - LEFT) / (box.width - LEFT)) * bars.length);
    const kl = bars[at];
    canvas.title = kl === undefined ? "" : `dimension ${at + 1}: ${number(kl)} nats`;
  }
}
