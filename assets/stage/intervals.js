/**
 * A posterior by dimension: mean ± standard deviation, the prior's behind, and the z drawn from it.
 *
 * @import { NumberArray, Theme } from "./types"
 */

import { part } from "./frames.js";
import { penOf } from "./dom.js";

const [WIDTH, HEIGHT] = [300, 110]; // pixels
const LEFT = 16; // pixels, for the axis
const REACH = 3.3; // of the axis, in standard deviations of the prior
const TOLD = 16; // dimensions in words, at most

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{ mean: NumberArray, deviation: NumberArray, latents: NumberArray }} posterior  of one model
 * @param {number} chosen  the draw whose z stands out
 * @param {Theme} theme
 * @param {string} colour
 */
export function paintIntervals(canvas, { mean, deviation, latents }, chosen, theme, colour) {
  const ratio = 2;
  if (canvas.width !== WIDTH * ratio) [canvas.width, canvas.height] = [WIDTH * ratio, HEIGHT * ratio];
  const context = penOf(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, WIDTH, HEIGHT);
  const k = mean.data.length;
  const each = (WIDTH - LEFT) / k;
  /** @param {number} value */
  const height = (value) => HEIGHT / 2 - (Math.max(-REACH, Math.min(REACH, value)) / REACH) * (HEIGHT / 2 - 3);
  context.fillStyle = theme.text;
  context.globalAlpha = 0.1;
  context.fillRect(0, height(1), WIDTH, height(-1) - height(1));
  context.globalAlpha = 0.4;
  context.fillRect(0, height(0) - 0.5, WIDTH, 1);
  context.globalAlpha = 0.8;
  context.font = `11px ${theme.font}`;
  for (const value of [2, 1, 0, -1, -2]) {
    context.fillText(String(value).replace("-", "−"), 2, height(value) + 4);
  }
  const wide = Math.min(16, 0.5 * each);
  for (let j = 0; j < k; j += 1) {
    const middle = LEFT + (j + 0.5) * each;
    const [low, high] = [-1, 1].map((side) => height(mean.data[j] + side * deviation.data[j]));
    context.fillStyle = colour;
    context.globalAlpha = 0.45;
    context.fillRect(middle - wide / 2, high, wide, Math.max(1, low - high));
    context.globalAlpha = 1;
    context.fillRect(middle - wide / 2, height(mean.data[j]) - 1, wide, 2);
  }
  const [draws] = latents.shape;
  for (let s = 0; s < draws; s += 1) {
    if (s !== chosen) paintDraw(context, part(latents, s).data, 1.6, theme.text, height, each);
  }
  paintDraw(context, part(latents, chosen).data, 3.4, theme.text, height, each);
  canvas.setAttribute("aria-label", told(mean.data, deviation.data, part(latents, chosen).data, chosen));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Float32Array} z
 * @param {number} radius
 * @param {string} ink
 * @param {(value: number) => number} height
 * @param {number} each
 */
function paintDraw(context, z, radius, ink, height, each) {
  context.fillStyle = ink;
  for (let j = 0; j < z.length; j += 1) {
    context.beginPath();
    context.arc(LEFT + (j + 0.5) * each, height(z[j]), radius, 0, 2 * Math.PI);
    context.fill();
  }
}

/**
 * The same in words.
 * @param {Float32Array} mean
 * @param {Float32Array} deviation
 * @param {Float32Array} z
 * @param {number} chosen
 */
export function told(mean, deviation, z, chosen) {
  const some = Array.from(mean.subarray(0, TOLD), (value, j) => {
    return `${j + 1}: ${value.toFixed(2)} ± ${deviation[j].toFixed(2)}, drawn ${z[j].toFixed(2)}`;
  });
  const rest = mean.length > TOLD ? `; and ${mean.length - TOLD} more` : "";
  return `Posterior by dimension, with draw ${chosen + 1}: ${some.join("; ")}${rest}`;
}
