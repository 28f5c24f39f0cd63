/**
 * Narration on the picture: a mark and a few words where something has just happened, one at a time.
 *
 * @import { Point, Remark, Theme } from "./types"
 */

import { translucent } from "./colour.js";

const STORED = "svae.narration";
/** For so many moments a remark counts as new. */
export const LASTING = 12;
/** What happens on a picture: to a dimension, or to a loss and its band. */
const SHOWN = ["died", "woke", "entered", "left", "collapsed", "recovered"];

/** Whether the viewer wants narration. */
export function narrates() {
  try {
    return globalThis.localStorage?.getItem(STORED) !== "off";
  } catch {
    return true; // a frame of another page may keep nothing
  }
}

/** @param {boolean} wanted */
export function setNarration(wanted) {
  try {
    globalThis.localStorage?.setItem(STORED, wanted ? "on" : "off");
  } catch {
    // a frame of another page may keep nothing
  }
}

/**
 * The remark that is news at this moment, or null: the latest on something that can be pointed at.
 * @param {Remark[]} remarks  by rising step
 * @param {{ step: number }[]} rows  of all moments
 * @param {number} index  of the moment shown
 */
export function newsAt(remarks, rows, index) {
  const step = rows[index]?.step ?? -1;
  const since = rows[Math.max(0, index - LASTING)]?.step ?? 0;
  /** @type {Remark | null} */
  let latest = null;
  for (const remark of remarks) {
    if (remark.step > step || remark.step <= since || !SHOWN.includes(remark.kind)) continue;
    if (!latest || remark.step >= latest.step) latest = remark;
  }
  return latest;
}

/**
 * The few words on it: the figure around it says of which model.
 * @param {Remark} remark
 */
export function words({ kind, dimension, step }) {
  /** @type {Record<string, string>} */
  const short = {
    died: `dimension ${dimension} goes out`,
    woke: `dimension ${dimension} wakes`,
    entered: "enters the band",
    left: "leaves the band",
    collapsed: "collapsed: none is alive",
    recovered: "back to life",
  };
  return `${short[kind]}, step ${step}`;
}

/**
 * A ring at the place, and the words above it.
 * @param {CanvasRenderingContext2D} pen
 * @param {Theme} theme
 * @param {Point} place
 * @param {number} width  of the canvas, which words must not leave
 * @param {Remark} remark
 */
export function drawNarration(pen, theme, { x, y }, width, remark) {
  pen.strokeStyle = "#d55e00";
  pen.lineWidth = 2.5;
  pen.beginPath();
  pen.arc(x, y - 4, 9, 0, 2 * Math.PI);
  pen.stroke();
  pen.font = `600 ${theme.size - 1}px ${theme.font}`;
  pen.textAlign = "left";
  const text = words(remark);
  const wide = pen.measureText(text).width + 8;
  const left = Math.max(0, Math.min(x - wide / 2, width - wide));
  pen.fillStyle = translucent(theme.background, 0.85);
  pen.fillRect(left, 0, wide, theme.size + 3);
  pen.fillStyle = theme.text;
  pen.fillText(text, left + 4, theme.size - 1);
  pen.strokeStyle = "#d55e00";
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x, theme.size + 4);
  pen.lineTo(x, y - 13);
  pen.stroke();
}
