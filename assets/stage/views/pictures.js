/**
 * A few points, and what each model makes of them: images, or the features as bars.
 *
 * @import { Declaration, Moment, Theme, View, ViewContext } from "../types"
 */

import { make } from "../dom.js";
import { part } from "../frames.js";
import { Thumbnails } from "../thumbnails.js";

/** @type {Declaration} */
export const declaration = {
  order: 80,
  title: "Reconstructions",
  span: 5,
  needs: ["pictures"],
  paper: true,
  styles: `
& .svae-place {
  display: grid;
  gap: 0.4rem;
}

/* Short texts stand side by side, line by line; where they are too long for that, below one another. */
& .svae-place[data-texts] {
  grid-template-columns: repeat(auto-fit, minmax(min(100%, var(--texts)), 1fr));
}

& .svae-picture-row {
  display: flex;
  flex-direction: column;
  font-size: 0.875rem;
  white-space: nowrap;
}

& .svae-picture-row canvas {
  align-self: start;
  max-width: 100%;
}

.svae-projector & .svae-place:not([data-texts]) canvas {
  width: 100%;
}
`,
};

/** @implements {View} */
export default class Pictures {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme }) {
    this.theme = theme;
    this.scene = scene;
    /** @type {Moment | null} */
    this.drawn = null;
    this.thumbnails = new Thumbnails(scene);
    const names = ["data", ...scene.members.map((member) => member.name)];
    this.rows = names.map((name) => this.#row(element, name));
    if (scene.symbols?.length) {
      element.dataset.texts = "";
      element.style.setProperty("--texts", `${scene.arrays.originals.shape[1] * 4}px`); // 8 a letter
    }
    this.thumbnails.paint(this.rows[0], scene.arrays.originals, theme);
  }

  /** @param {Moment} moment */
  draw(moment) {
    const { pictures } = moment;
    if (!pictures) return false;
    this.drawn = moment;
    this.scene.members.forEach((_, m) => {
      this.thumbnails.paint(this.rows[m + 1], part(pictures, m), this.theme);
    });
    return true;
  }

  resize() {}

  /** @param {Theme} theme */
  recolour(theme) {
    this.theme = theme;
    this.thumbnails.paint(this.rows[0], this.scene.arrays.originals, theme);
    if (this.drawn) this.draw(this.drawn);
  }

  dispose() {}

  /**
   * @param {HTMLElement} element
   * @param {string} name
   */
  #row(element, name) {
    const seen = name === "data" ? "The data" : `As the ${name} gives them back`;
    const canvas = make("canvas", { role: "img", "aria-label": seen });
    element.append(make("div", { className: "svae-picture-row" }, make("span", {}, name), canvas));
    return canvas;
  }
}
