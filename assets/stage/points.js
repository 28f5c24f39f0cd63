/**
 * Draws points one by one: as markers, or as small pictures of themselves.
 *
 * @import { Scene, Theme } from "./types"
 * @import { Selection } from "./selection.js"
 */

import { looksOf, markersOf } from "./colouring.js";
import { channels, translucent } from "./colour.js";
import { make, penOf } from "./dom.js";
import { FAINT } from "./sheet.js";

const PICTURE = 15; // pixels of the screen that a small picture is high, at usual type
const BACKING = 0.7; // how far a picture covers those behind it
const FADING = 0.5; // how far the hindmost pictures fade

export class Points {
  /**
   * @param {Scene} scene
   * @param {Selection} selection
   * @param {number} levels  of depth
   */
  constructor(scene, selection, levels) {
    this.scene = scene;
    this.selection = selection;
    this.levels = levels;
    /** @type {HTMLCanvasElement[][]} for each look a marker per depth */
    this.markers = [];
    /** @type {Map<number, HTMLCanvasElement>} small pictures, by point; empty: markers are drawn */
    this.pictures = new Map();
  }

  /**
   * Make markers and pictures anew: colours, theme or size have changed.
   * @param {Theme} theme
   * @param {number} size  of a marker in the canvas's pixels
   * @param {number} ratio  pixels of the canvas per pixel of the screen
   */
  recolour(theme, size, ratio) {
    const { colouring } = this.selection;
    this.markers = markersOf(colouring, this.scene, theme, { size, levels: this.levels });
    this.pictures = this.#pictures(theme, (PICTURE * ratio * theme.size) / 14);
  }

  /**
   * Draw a point, if it is shown, in pixels of the canvas.
   * @param {CanvasRenderingContext2D} context  without a transform
   * @param {number} row
   * @param {{ x: number, y: number }} place
   * @param {number} depth  0: hindmost, 1: foremost
   */
  draw(context, row, { x, y }, depth) {
    const { selection } = this;
    if (!selection.shows(row)) return;
    const picture = this.pictures.get(row);
    const level = Math.round(depth * (this.levels - 1));
    const marker = picture ?? this.markers[selection.colouring.slots[row]][level];
    const back = selection.grouped && !selection.chosen[row];
    context.globalAlpha = (back ? FAINT : 1) * (picture ? 1 - FADING * (1 - depth) : 1);
    // Whole pixels: a picture that is not resampled is copied many times faster.
    context.drawImage(marker, Math.round(x - marker.width / 2), Math.round(y - marker.height / 2));
  }

  /**
   * Brightness becomes ink in the colour of the point.
   * @param {Theme} theme
   * @param {number} tall
   */
  #pictures(theme, tall) {
    /** @type {Map<number, HTMLCanvasElement>} */
    const found = new Map();
    const { pictures, colouring } = this.selection;
    if (!pictures || !this.scene.image) return found;
    const [height, width] = this.scene.image;
    const small = new OffscreenCanvas(width, height);
    const pen = penOf(small);
    const pixels = pen.createImageData(width, height);
    const inks = looksOf(colouring, this.scene).map((look) => channels(theme.colourOf(look)));
    const { data, shape } = pictures.images;
    for (let n = 0; n < shape[0]; n += 1) {
      const row = n * pictures.step;
      for (let p = 0; p < width * height; p += 1) {
        pixels.data.set([...inks[colouring.slots[row]], 255 * data[n * width * height + p]], 4 * p);
      }
      pen.putImageData(pixels, 0, 0);
      const canvas = make("canvas");
      [canvas.width, canvas.height] = [Math.round((tall * width) / height), Math.round(tall)];
      const context = penOf(canvas);
      context.fillStyle = translucent(theme.background, BACKING);
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(small, 0, 0, canvas.width, canvas.height);
      found.set(row, canvas);
    }
    return found;
  }
}
