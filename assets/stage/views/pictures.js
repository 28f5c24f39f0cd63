/** A few points, and what each model makes of them: images, or the features as bars. */

import { make } from "../dom.js";
import { part } from "../frames.js";
import { Album } from "../pictures.js";

export class Pictures {
  constructor(element, scene, theme) {
    this.theme = theme;
    this.scene = scene;
    this.drawn = null;
    this.album = new Album(scene);
    const names = ["data", ...scene.members.map((member) => member.name)];
    this.rows = names.map((name) => this.#row(element, name));
    this.album.paint(this.rows[0], scene.arrays.originals, theme);
  }

  draw(moment) {
    if (moment === this.drawn || !moment.pictures) return;
    this.drawn = moment;
    this.scene.members.forEach((_, m) => {
      this.album.paint(this.rows[m + 1], part(moment.pictures, m), this.theme);
    });
    return true;
  }

  resize() {}

  recolour(theme) {
    this.theme = theme;
    this.album.paint(this.rows[0], this.scene.arrays.originals, theme);
    const moment = this.drawn;
    this.drawn = null;
    if (moment) this.draw(moment);
  }

  dispose() {}

  #row(element, name) {
    const seen = name === "data" ? "The data" : `As the ${name} gives them back`;
    const canvas = make("canvas", { role: "img", "aria-label": seen });
    element.append(make("div", { className: "svae-picture-row" }, make("span", {}, name), canvas));
    return canvas;
  }
}
