/**
 * One point as a picture: an image where the data are images, a text where they are sequences, else
 * its features as bars.
 *
 * @import { NumberArray, Scene, Theme } from "./types"
 */

import { channels } from "./colour.js";
import { penOf } from "./dom.js";

const IMAGE_SIDE = 48; // pixels of a small picture, about
const GAP = 4;
const LETTER = { width: 8, height: 16 }; // of a text, in pixels
const SHARPNESS = 2; // device pixels of a text's pixel

/** What all pictures of a run have in common. */
export class Thumbnails {
  /** @param {Scene} scene */
  constructor(scene) {
    this.image = scene.image;
    this.symbols = scene.symbols ?? []; // replays of before have none
    // Features are drawn to one scale, that of the data shown.
    this.reach = 1e-9;
    for (const value of scene.arrays.originals.data) this.reach = Math.max(this.reach, Math.abs(value));
  }

  /**
   * Paint points [n, d] side by side; `zoom` 2 is twice as large.
   * @param {HTMLCanvasElement} canvas
   * @param {NumberArray} points
   * @param {Theme} theme
   */
  paint(canvas, points, theme, zoom = 1) {
    if (this.image) this.#paintImages(canvas, points, theme, zoom, this.image);
    else if (this.symbols.length > 0) this.#paintTexts(canvas, points, theme, zoom);
    else this.#paintBars(canvas, points, theme, zoom);
    canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {NumberArray} points
   * @param {Theme} theme
   * @param {number} zoom
   * @param {[number, number]} size  of an image
   */
  #paintImages(canvas, { shape, data }, theme, zoom, [height, width]) {
    const [count] = shape;
    const scale = Math.max(1, Math.round((zoom * IMAGE_SIDE) / height));
    resize(canvas, (count * (width * scale + GAP)) - GAP, height * scale);
    const context = penOf(canvas);
    context.imageSmoothingEnabled = false;
    const ink = channels(theme.text);
    const small = new OffscreenCanvas(width, height);
    const pen = penOf(small);
    const pixels = pen.createImageData(width, height);
    for (let n = 0; n < count; n += 1) {
      for (let p = 0; p < height * width; p += 1) {
        const alpha = 255 * data[n * height * width + p];
        pixels.data.set([...ink, alpha], 4 * p);
      }
      pen.putImageData(pixels, 0, 0);
      const left = n * (width * scale + GAP);
      context.clearRect(left, 0, width * scale, height * scale);
      context.drawImage(small, left, 0, width * scale, height * scale);
    }
  }

  /**
   * A line for each point; a symbol is the fainter, the less probable it is. Read out as text.
   * @param {HTMLCanvasElement} canvas
   * @param {NumberArray} points  [n, 2·L]: symbol numbers, then their probabilities
   * @param {Theme} theme
   * @param {number} zoom
   */
  #paintTexts(canvas, { shape, data }, theme, zoom) {
    const [count, size] = shape;
    const length = size / 2;
    const width = LETTER.width * zoom;
    const height = LETTER.height * zoom;
    resize(canvas, Math.ceil(length * width * SHARPNESS), Math.ceil(count * height * SHARPNESS));
    canvas.style.width = `${Math.ceil(length * width)}px`;
    const context = penOf(canvas);
    context.setTransform(SHARPNESS, 0, 0, SHARPNESS, 0, 0);
    context.clearRect(0, 0, length * width, count * height);
    context.fillStyle = theme.text;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `${Math.round(0.8 * height)}px ui-monospace, monospace`;
    const lines = [];
    for (let n = 0; n < count; n += 1) {
      let line = "";
      for (let at = 0; at < length; at += 1) {
        const symbol = this.symbols[Math.round(data[n * size + at])] ?? "";
        line += symbol;
        context.globalAlpha = 0.15 + 0.85 * data[n * size + length + at];
        context.fillText(symbol, (at + 0.5) * width, (n + 0.5) * height);
      }
      lines.push(line);
    }
    context.globalAlpha = 1;
    this.#readOut(canvas, lines.join("; "));
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {string} text
   */
  #readOut(canvas, text) {
    const name = canvas.dataset.name ?? canvas.getAttribute("aria-label") ?? "";
    canvas.dataset.name = name;
    canvas.setAttribute("aria-label", `${name}: ${text}`);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {NumberArray} points
   * @param {Theme} theme
   * @param {number} zoom
   */
  #paintBars(canvas, { shape, data }, theme, zoom) {
    const [count, d] = shape;
    const bar = Math.max(1, Math.round((zoom * IMAGE_SIDE) / d));
    const width = bar * d;
    const height = zoom * IMAGE_SIDE;
    const apart = 3 * GAP;
    resize(canvas, count * (width + apart) - apart, height);
    const context = penOf(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = theme.text;
    for (let n = 0; n < count; n += 1) {
      const left = n * (width + apart);
      context.globalAlpha = 0.3;
      context.fillRect(left, height / 2 - 0.5, width, 1);
      context.globalAlpha = 1;
      for (let feature = 0; feature < d; feature += 1) {
        const value = Math.max(-1, Math.min(1, data[n * d + feature] / this.reach));
        const tall = (value * (height - 2)) / 2;
        const thick = Math.max(1, bar - 1);
        context.fillRect(left + bar * feature, height / 2 - Math.max(0, tall), thick, Math.abs(tall));
      }
    }
  }
}

/**
 * Setting a canvas's size clears it and costs layout: only where it differs.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
