/**
 * A pad to draw on, by mouse, finger, pen or keys: lines on a square from 0 to 1.
 *
 * @import { Point, Theme } from "./types"
 */

import { make, penOf } from "./dom.js";

const SIDE = 176; // pixels
const PEN = 0.1; // of the side
const APART = 0.012; // of the side: nearer to the last one a point says nothing new
const MOST = 1500; // points
const STEP = 0.05; // of the side, per press of an arrow key
const HELP =
  "A pad to draw on. Arrow keys move the pen, the space bar puts it down and lifts it, Delete " +
  "clears the pad.";
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class DrawingPad {
  /** @param {(strokes: number[][]) => void} change  called as the drawing grows, and when it is cleared */
  constructor(change) {
    this.change = change;
    /** @type {number[][]} lines through x, y, x, y, … */
    this.strokes = [];
    /** @type {Theme | null} */
    this.theme = null;
    /** @type {Point} where the pen of the keyboard is */
    this.pen = { x: 0.5, y: 0.2 };
    this.down = false;
    this.root = make("canvas", {
      className: "svae-pad",
      width: 2 * SIDE,
      height: 2 * SIDE,
      tabindex: 0,
      role: "application",
      "aria-label": HELP,
      title: "Draw here; by keys: arrows, space bar, Delete",
    });
    this.context = penOf(this.root);
    this.#listen();
  }

  clear() {
    this.strokes = [];
    this.down = false;
    this.#changed();
  }

  /** @param {Theme} theme */
  recolour(theme) {
    this.theme = theme;
    this.paint();
  }

  paint() {
    const { context, strokes, theme } = this;
    if (!theme) return;
    const side = 2 * SIDE;
    context.clearRect(0, 0, side, side);
    context.strokeStyle = theme.text;
    context.lineWidth = PEN * side;
    context.lineCap = context.lineJoin = "round";
    for (const line of strokes) {
      context.beginPath();
      for (let n = 0; n < line.length; n += 2) context.lineTo(line[n] * side, line[n + 1] * side);
      if (line.length === 2) context.lineTo(line[0] * side, line[1] * side);
      context.stroke();
    }
    if (this.root.matches(":focus-visible")) this.#paintPen(context, side);
  }

  /**
   * Where the keys' pen is: filled while it is down.
   * @param {CanvasRenderingContext2D} context
   * @param {number} side
   */
  #paintPen(context, side) {
    context.beginPath();
    context.arc(this.pen.x * side, this.pen.y * side, (PEN / 2) * side, 0, 2 * Math.PI);
    context.lineWidth = 4;
    context.strokeStyle = "#d55e00";
    context.stroke();
    if (!this.down) return;
    context.fillStyle = "#d55e00";
    context.fill();
  }

  #changed() {
    this.paint();
    this.change(this.strokes);
  }

  /**
   * On with the last line, or a new one.
   * @param {Point} place
   */
  #draw({ x, y }, begins = false) {
    const size = this.strokes.reduce((sum, line) => sum + line.length / 2, 0);
    if (size >= MOST) return;
    if (begins) this.strokes.push([]);
    const line = this.strokes[this.strokes.length - 1];
    if (line.length && Math.hypot(line[line.length - 2] - x, line[line.length - 1] - y) < APART) return;
    line.push(Number(x.toFixed(3)), Number(y.toFixed(3)));
    this.#changed();
  }

  #listen() {
    const { root } = this;
    /** @param {PointerEvent} event */
    const place = (event) => {
      const box = root.getBoundingClientRect();
      return { x: inside((event.clientX - box.left) / box.width), y: inside((event.clientY - box.top) / box.height) };
    };
    root.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      root.setPointerCapture(event.pointerId);
      this.down = false;
      this.#draw(place(event), true);
    });
    root.addEventListener("pointermove", (event) => {
      if (root.hasPointerCapture(event.pointerId)) this.#draw(place(event));
    });
    root.addEventListener("keydown", (event) => this.#key(event));
    for (const kind of ["focus", "blur"]) root.addEventListener(kind, () => this.paint());
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const [x, y] = arrow;
      this.pen = { x: inside(this.pen.x + STEP * x), y: inside(this.pen.y + STEP * y) };
      if (this.down) this.#draw(this.pen);
      else this.paint();
    } else if (event.key === " ") {
      this.down = !this.down;
      if (this.down) this.#draw(this.pen, true);
      else this.paint();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation(); // the same keys play and scrub
  }
}

/** @param {number} fraction */
function inside(fraction) {
  return Math.min(1, Math.max(0, fraction));
}
