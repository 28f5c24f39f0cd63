/**
 * Markers as small pictures, painted once: drawing thousands of points is then mere copying.
 *
 * @import { Cluster, Theme } from "./types"
 * @typedef {[number, number]} Corner
 */

import { mix } from "./colour.js";
import { make, penOf } from "./dom.js";

const FADING = 0.45; // how far the hindmost points go towards the background

/**
 * One picture per depth, hindmost first: things far off are smaller and paler.
 * @param {Cluster} cluster
 * @param {Theme} theme
 * @param {number} size  of the foremost, in pixels of the screen
 * @param {number} levels
 */
export function sprites(cluster, theme, size, levels) {
  const colour = theme.colourOf(cluster);
  return Array.from({ length: levels }, (_, level) => {
    const near = levels === 1 ? 1 : level / (levels - 1);
    return sprite(cluster.symbol, mix(theme.background, colour, 1 - FADING * (1 - near)), {
      size: size * (0.82 + 0.18 * near),
      edge: theme.background,
    });
  });
}

/**
 * A square canvas with a symbol in its middle.
 * @param {string} symbol
 * @param {string} colour
 * @param {{ size: number, edge: string }} look
 */
export function sprite(symbol, colour, { size, edge }) {
  const canvas = make("canvas");
  canvas.width = canvas.height = Math.ceil(size) + 3;
  const context = penOf(canvas);
  const middle = canvas.width / 2;
  const open = symbol.endsWith("-open");
  outline(context, symbol.replace("-open", ""), middle, size / 2);
  context.lineJoin = "round";
  if (open) {
    context.strokeStyle = colour;
    context.lineWidth = Math.max(1.2, size / 4);
    context.stroke();
  } else {
    // A rim in the background's colour keeps neighbours apart.
    context.fillStyle = colour;
    context.strokeStyle = edge;
    context.lineWidth = 1;
    context.fill();
    context.globalAlpha = 0.6;
    context.stroke();
  }
  return canvas;
}

/**
 * The path of a symbol of this radius.
 * @param {CanvasRenderingContext2D} context
 * @param {string} symbol
 * @param {number} middle
 * @param {number} radius
 */
export function outline(context, symbol, middle, radius) {
  /** @type {Record<string, Corner[]>} */
  const shapes = {
    square: [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]],
    diamond: [[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]],
    cross: cross(1.1, 0.4),
    "triangle-up": [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]],
    "triangle-down": [[0, 1.2], [-1.1, -0.8], [1.1, -0.8]],
    star: star(1.35, 0.55),
  };
  const corners = shapes[symbol];
  context.beginPath();
  if (corners) for (const [x, y] of corners) context.lineTo(middle + radius * x, middle + radius * y);
  else context.arc(middle, middle, radius, 0, 2 * Math.PI);
  context.closePath();
}

/**
 * The ten corners of a star, clockwise from its top.
 * @param {number} long
 * @param {number} short
 */
function star(long, short) {
  return Array.from({ length: 10 }, (_, n) => {
    const [angle, radius] = [(n * Math.PI) / 5, n % 2 ? short : long];
    return /** @type {Corner} */ ([radius * Math.sin(angle), -radius * Math.cos(angle)]);
  });
}

/**
 * The twelve corners of a cross, a quarter of them turned three times.
 * @param {number} long
 * @param {number} half
 */
function cross(long, half) {
  /** @type {Corner[]} */
  const quarter = [[half, -half], [long, -half], [long, half]];
  /** @type {(corner: Corner, times: number) => Corner} */
  const turn = ([x, y], times) => (times ? turn([-y, x], times - 1) : [x, y]);
  return [0, 1, 2, 3].flatMap((times) => quarter.map((corner) => turn(corner, times)));
}
