/** Where the data are images: a few of them, and what each model makes of them. */

import { part } from "../frames.js";

const SCALE = 6;

export class Pictures {
  every = 2;

  constructor(element, scene, theme) {
    this.theme = theme;
    this.scene = scene;
    this.drawn = null;
    const names = ["data", ...scene.members.map((member) => member.name)];
    this.rows = names.map((name) => this.#row(element, name));
    this.#paint(0, scene.arrays.originals);
  }

  draw(moment) {
    if (moment === this.drawn || !moment.pictures) return;
    this.drawn = moment;
    this.scene.members.forEach((_, m) => this.#paint(m + 1, part(moment.pictures, m)));
  }

  resize() {}

  recolour(theme) {
    this.theme = theme;
    this.#paint(0, this.scene.arrays.originals);
    const moment = this.drawn;
    this.drawn = null;
    if (moment) this.draw(moment);
  }

  dispose() {}

  #row(element, name) {
    const row = document.createElement("div");
    row.className = "svae-picture-row";
    const label = document.createElement("span");
    label.textContent = name;
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    const seen = name === "data" ? "Images of the data" : `As the ${name} gives them back`;
    canvas.setAttribute("aria-label", seen);
    row.append(label, canvas);
    element.append(row);
    return canvas;
  }

  /** Images [n, height · width] side by side, in the colour of text. */
  #paint(row, images) {
    const [height, width] = this.scene.image;
    const [count] = images.shape;
    const scale = Math.max(1, Math.round((SCALE * 8) / height));
    const gap = 2;
    const canvas = this.rows[row];
    canvas.width = count * (width + gap) * scale;
    canvas.height = height * scale;
    canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
    const context = canvas.getContext("2d");
    context.fillStyle = this.theme.text;
    for (let n = 0; n < count; n += 1) {
      for (let pixel = 0; pixel < height * width; pixel += 1) {
        context.globalAlpha = images.data[n * height * width + pixel];
        const x = (n * (width + gap) + (pixel % width)) * scale;
        context.fillRect(x, Math.floor(pixel / width) * scale, scale, scale);
      }
    }
  }
}
