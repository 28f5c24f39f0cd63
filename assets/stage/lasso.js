/**
 * A drag that picks out points on a sheet: by an outline as drawn, or by the box between its ends.
 *
 * @import { Point, Theme } from "./types"
 * @typedef {{ x: ArrayLike<number>, y: ArrayLike<number> }} Places  of all points on the sheet
 */

import { make } from "./dom.js";

export class Lasso {
  constructor() {
    /** @type {Point[]} the drag under way */
    this.trace = [];
    this.box = false;
  }

  /** @param {Point} place */
  begin(place) {
    this.trace = [place];
  }

  /** @param {Point} place */
  go(place) {
    this.trace.push(place);
  }

  /**
   * End the drag.
   * @param {Places[]} clouds  places of the same points, in several figures
   * @param {(row: number) => boolean} shows
   * @returns {number[]} the points within it in any of the figures
   */
  end(clouds, shows) {
    const corners = this.#corners();
    this.trace = [];
    /** @type {Set<number>} */
    const found = new Set();
    for (const { x, y } of clouds) {
      for (let n = 0; n < x.length; n += 1) {
        if (shows(n) && within(corners, x[n], y[n])) found.add(n);
      }
    }
    return [...found];
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Theme} theme
   */
  draw(pen, theme) {
    if (!this.trace.length) return;
    pen.beginPath();
    for (const { x, y } of this.#corners()) pen.lineTo(x, y);
    pen.closePath();
    pen.strokeStyle = theme.text;
    pen.lineWidth = 1.5;
    pen.setLineDash([5, 4]);
    pen.stroke();
    pen.setLineDash([]);
  }

  #corners() {
    const { trace } = this;
    if (!this.box || !trace.length) return trace;
    const [a, b] = [trace[0], trace[trace.length - 1]];
    return [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }];
  }
}

/**
 * Buttons of which one is pressed.
 * @param {Record<string, { name: string, title: string, icon?: string }>} tools  icon: the path of a
 *   picture of 24 by 24 that is shown in place of the name
 * @param {(tool: string) => void} choose  called at once with the first one, and with every other
 */
export function choiceOf(tools, choose) {
  const buttons = Object.entries(tools).map(([tool, { name, title, icon }]) => {
    const button = make("button", { type: "button", className: "svae-flat", title, "aria-label": name }, name);
    if (icon) button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${icon}"/></svg>`;
    button.addEventListener("click", () => press(tool));
    return { tool, button };
  });
  /** @param {string} chosen */
  const press = (chosen) => {
    for (const { tool, button } of buttons) button.setAttribute("aria-pressed", String(tool === chosen));
    choose(chosen);
  };
  press(buttons[0].tool);
  return buttons.map(({ button }) => button);
}

/** The tools that pick out points. */
export const PICKING = {
  lasso: { name: "Lasso", title: "Select points by lasso" },
  box: { name: "Box", title: "Select points by box" },
};

/**
 * Whether a point lies within a polygon: an odd number of its sides are to the right.
 * @param {Point[]} corners
 * @param {number} x
 * @param {number} y
 */
export function within(corners, x, y) {
  let odd = false;
  let b = corners[corners.length - 1];
  for (const a of corners) {
    // A side that a horizontal line through the point crosses, where it does so further right.
    if (a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) odd = !odd;
    b = a;
  }
  return odd;
}
