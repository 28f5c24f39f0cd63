/**
 * Why two models on the same data have two collapse losses: one sentence and a small picture.
 *
 * @import { Moment, Scene, Theme } from "./types"
 */

import { make, number } from "./dom.js";

export class TwoCollapseLosses {
  /**
   * @param {HTMLElement} element  the loss chart's
   * @param {Scene} scene
   */
  constructor(element, scene) {
    this.scene = scene;
    this.key = "";
    this.button = make("button", { type: "button", className: "svae-flat svae-why" }, "Why two δ?");
    this.button.setAttribute("aria-expanded", "false");
    this.panel = make("div", { className: "svae-reasons", role: "note", hidden: "" });
    this.button.addEventListener("click", () => this.#show(this.panel.hidden));
    this.button.addEventListener("keydown", (event) => event.key === "Escape" && this.#show(false));
    element.append(this.button, this.panel);
    this.button.hidden = true;
  }

  /**
   * @param {Moment} moment
   * @param {Theme} theme
   */
  draw(moment, theme) {
    const deltas = moment.models.map(({ delta }) => delta);
    const [low, high] = [Math.min(...deltas), Math.max(...deltas)];
    const two = high - low > 1e-6;
    this.button.hidden = !two;
    if (!two) this.#show(false);
    const key = `${deltas} ${theme.name}`;
    if (!two || key === this.key) return;
    this.key = key;
    const [free, held] = [deltas.indexOf(low), deltas.indexOf(high)].map((m) => this.scene.members[m]);
    const text =
      `δ is the best loss with one answer for every input. The ${free.name} may answer with the mean, ` +
      `inside the shell: ${number(low, 2)}. The ${held.name} must answer on the shell, and the best ` +
      `single point there costs ${number(high, 2)}. So a loss of ${number((low + high) / 2 - 0.1, 2)} is worse than ` +
      `the mean and still below its own δ: no single point of the shell reaches it.`;
    this.panel.innerHTML = picture(theme.colourOf(free), theme.colourOf(held), theme.text);
    this.panel.append(make("p", {}, text));
  }

  /** @param {boolean} shown */
  #show(shown) {
    this.panel.hidden = !shown;
    this.button.setAttribute("aria-expanded", String(shown));
  }
}

/**
 * Data around a shell, their mean inside it, and the best single point on it.
 * @param {string} free
 * @param {string} held
 * @param {string} ink
 */
function picture(free, held, ink) {
  const data = Array.from({ length: 26 }, (_, n) => {
    const angle = -2.2 + (n * 4.4) / 25 + 0.13 * Math.sin(7 * n);
    const radius = 41 + 5 * Math.sin(11 * n);
    const [x, y] = [50 + radius * Math.cos(angle), 50 + radius * Math.sin(angle)];
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="1.6" fill="${ink}" opacity=".55"/>`;
  }).join("");
  return (
    '<svg viewBox="0 0 100 100" aria-hidden="true">' +
    `<circle cx="50" cy="50" r="41" fill="none" stroke="${ink}" stroke-width=".8" opacity=".6"/>${data}` +
    `<rect x="61" y="46" width="8" height="8" fill="${free}"/>` +
    `<circle cx="91" cy="50" r="5" fill="${held}"/>` +
    `<text x="58" y="43" font-size="9" text-anchor="middle" fill="${ink}">mean</text>` +
    `<text x="86" y="67" font-size="9" text-anchor="end" fill="${ink}">on the shell</text></svg>`
  );
}
