/** Markers as small pictures, painted once: drawing thousands of points is then mere copying. */

import { mix } from "./colour.js";

const FADING = 0.55; // how far the hindmost points go towards the background

/** One picture per depth, hindmost first: things far off are smaller and paler. */
export function sprites(cluster, theme, size, levels) {
  const colour = theme.colourOf(cluster);
  return Array.from({ length: levels }, (_, level) => {
    const near = levels === 1 ? 1 : level / (levels - 1);
    return sprite(cluster.symbol, mix(theme.background, colour, 1 - FADING * (1 - near)), {
      size: size * (0.72 + 0.28 * near),
      edge: theme.background,
    });
  });
}

/** A square canvas with a symbol in its middle. */
export function sprite(symbol, colour, { size, edge }) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil(size) + 3;
  const context = canvas.getContext("2d");
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

/** The path of a symbol of this radius. */
export function outline(context, symbol, middle, radius) {
  const corners = {
    square: [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]],
    diamond: [[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]],
    cross: cross(1.1, 0.4),
  }[symbol];
  context.beginPath();
  if (corners) for (const [x, y] of corners) context.lineTo(middle + radius * x, middle + radius * y);
  else context.arc(middle, middle, radius, 0, 2 * Math.PI);
  context.closePath();
}

function cross(long, half) {
  const quarter = [[half, -half], [long, -half], [long, half]];
  const turn = ([x, y]) => [-y, x];
  const turned = [quarter];
  for (let n = 1; n < 4; n += 1) turned.push(turned.at(-1).map(turn));
  return turned.flat();
}
