/**
 * A canvas to draw on, with a second one above it for marks, both as sharp as the screen.
 *
 * @import { Point } from "./types"
 */

import { make, penOf } from "./dom.js";

const CROWD = 60;
const VEIL = 0.4; // how strong the rings of a crowd are
const DRAG_STARTS = 4; // pixels
/** How visible the points are that were not picked out, while others are. */
export const FAINT = 0.16;

export class Sheet {
  /**
   * @param {HTMLElement} parent
   * @param {string} label  for screen readers
   */
  constructor(parent, label) {
    this.root = make("div", { className: "svae-sheet", role: "img", tabindex: 0 });
    this.root.setAttribute("aria-label", label);
    const [lower, upper] = [make("canvas"), make("canvas")];
    this.tip = make("div", { className: "svae-tip", hidden: "" });
    this.root.append(lower, upper, this.tip);
    parent.append(this.root);
    this.ground = penOf(lower);
    this.marks = penOf(upper);
    this.ratio = 1;
    this.width = 0;
    this.height = 0;
    this.fit();
  }

  /** Whether it has the size of its place still. */
  get fits() {
    return this.width === this.root.clientWidth && this.height === this.root.clientHeight;
  }

  /** Take the size of the place; drawings are lost. */
  fit() {
    this.ratio = Math.min(2, Math.max(1, window.devicePixelRatio));
    this.width = this.root.clientWidth;
    this.height = this.root.clientHeight;
    for (const { canvas } of [this.ground, this.marks]) {
      canvas.width = Math.round(this.width * this.ratio);
      canvas.height = Math.round(this.height * this.ratio);
    }
  }

  /**
   * An empty canvas, in CSS pixels.
   * @param {CanvasRenderingContext2D} context
   */
  clear(context) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
  }

  /**
   * Where the pointer is, in CSS pixels of this sheet.
   * @param {PointerEvent} event
   */
  at(event) {
    const box = this.root.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /**
   * A few words beside a place, or none.
   * @param {string} text
   * @param {Point} [place]
   */
  showTip(text, { x, y } = { x: 0, y: 0 }) {
    this.tip.hidden = !text;
    if (!text) return;
    this.tip.textContent = text;
    const left = x > this.width / 2;
    this.tip.style.transform = `translate(${x + (left ? -10 : 10)}px, ${y - 10}px) translate(${
      left ? "-100%" : "0"
    }, -100%)`;
  }

  /**
   * Rings around these places, a heavier one for the point under the pointer.
   * @param {Point[]} places
   * @param {{ ink: string, paper: string }} colours
   */
  ring(places, { ink, paper }, heavy = false) {
    const context = this.marks;
    const crowd = places.length > CROWD; // rings must not hide what they mark
    const radius = heavy ? 7.5 : crowd ? 3.2 : 4.5;
    const wide = heavy ? 2.5 : crowd ? 0.6 : 1.5;
    /** @type {[string, number][]} */
    const strokes = crowd ? [[ink, wide]] : [[paper, wide + (heavy ? 3 : 2)], [ink, wide]];
    context.globalAlpha = crowd ? VEIL : 1;
    for (const [colour, width] of strokes) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      for (const { x, y } of places) {
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  /**
   * Crosses at these places: where what is followed comes out, a heavy one where it comes in.
   * @param {Point[]} places
   * @param {{ ink: string, paper: string }} colours
   */
  cross(places, { ink, paper }, heavy = false) {
    const context = this.marks;
    const arm = heavy ? 10 : 5;
    /** @type {[string, number][]} */
    const strokes = [[paper, heavy ? 6.5 : 4], [ink, heavy ? 3.5 : 1.8]];
    for (const [colour, width] of strokes) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      for (const { x, y } of places) {
        context.moveTo(x - arm, y);
        context.lineTo(x + arm, y);
        context.moveTo(x, y - arm);
        context.lineTo(x, y + arm);
      }
      context.stroke();
    }
  }
}

/**
 * Turns pointer events into drags and clicks; a drag starts after a few pixels.
 * @param {HTMLElement} element
 * @param {{
 *   start?: (event: PointerEvent) => void,
 *   drag: (event: PointerEvent) => void,
 *   end?: (event: PointerEvent) => void,
 *   click: (event: PointerEvent) => void,
 * }} on
 */
export function listenForDrags(element, { start, drag, end, click }) {
  /** @type {PointerEvent | null} */
  let from = null;
  let moved = false;
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    from = event;
    moved = false;
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (!from) return;
    const way = Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY);
    if (!moved && way < DRAG_STARTS) return;
    if (!moved) start?.(from);
    moved = true;
    drag(event);
  });
  /** @param {PointerEvent} event */
  const stop = (event) => {
    if (!from) return;
    from = null;
    if (moved) end?.(event);
    else if (event.type === "pointerup") click(event);
  };
  element.addEventListener("pointerup", stop);
  element.addEventListener("pointercancel", stop);
}
