/**
 * Curves over one quantity, with a point on them that is dragged along it.
 *
 * @import { Knob, Shown } from "./claims.js"
 */

const [WIDTH, HEIGHT] = [400, 176];
const EDGE = { left: 36, right: 8, top: 16, bottom: 20 };
const PIECES = 200; // of a curve
const NS = "http://www.w3.org/2000/svg";

export class Plot {
  /**
   * @param {Knob} knob  across
   * @param {string} axis  what stands where
   * @param {(value: number) => void} move
   */
  constructor(knob, axis, move) {
    this.knob = knob;
    /** @type {[number, number]} of what is drawn */
    this.range = [0, 1];
    this.root = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
    const floor = HEIGHT - EDGE.bottom;
    this.frame = drawn("path", {
      d: `M${EDGE.left} ${EDGE.top}V${floor}H${WIDTH - EDGE.right}`,
      stroke: "currentColor", "stroke-opacity": 0.4, fill: "none",
    });
    this.axis = text(axis, WIDTH - EDGE.right, HEIGHT - 5, "end");
    this.ticks = [text("", EDGE.left - 4, EDGE.top + 5, "end"), text("", EDGE.left - 4, floor, "end")];
    this.zero = drawn("path", { stroke: "currentColor", "stroke-opacity": 0.4, "stroke-dasharray": "1 3" });
    this.curves = drawn("g", {});
    this.point = drawn("circle", { r: 7, fill: "var(--st-primary-color)", stroke: "var(--st-background-color, white)", "stroke-width": 2 });
    this.root.append(this.frame, this.axis, ...this.ticks, this.zero, this.curves, this.point);
    this.#listen(move);
  }

  /**
   * @param {number} x
   * @param {Shown} shown
   */
  draw(x, { lines, y, range }) {
    const [low, high] = this.range = range;
    /** @param {number} value */
    const up = (value) => {
      const share = Math.min(1.05, Math.max(-0.05, (value - low) / (high - low)));
      return HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.bottom - EDGE.top);
    };
    this.ticks[0].textContent = high.toPrecision(2);
    this.ticks[1].textContent = low.toPrecision(2).replace("-", "−").replace(/\.0+$/, "");
    this.zero.setAttribute("d", low < 0 ? `M${EDGE.left} ${up(0)}H${WIDTH - EDGE.right}` : "");
    this.curves.replaceChildren(...lines.flatMap((line, n) => this.#curve(line, n, up)));
    this.point.setAttribute("cx", String(this.#across(x)));
    this.point.setAttribute("cy", String(up(y)));
  }

  /** @param {number} value */
  #across(value) {
    return EDGE.left + fractionOf(this.knob, value) * (WIDTH - EDGE.left - EDGE.right);
  }

  /**
   * @param {Shown["lines"][number]} line
   * @param {number} n
   * @param {(value: number) => number} up
   */
  #curve({ label, at, stroke }, n, up) {
    let path = "";
    let pen = "M";
    for (let piece = 0; piece <= PIECES; piece += 1) {
      const x = valueAt(this.knob, piece / PIECES);
      const y = at(x);
      const seen = y >= this.range[0] && y <= this.range[1]; // false of NaN, too
      if (seen) path += `${pen}${this.#across(x).toFixed(1)} ${up(y).toFixed(1)}`;
      pen = seen ? "L" : "M";
    }
    const dashes = { solid: "", dashed: "5 4", dotted: "1.5 3" }[stroke];
    const look = { d: path, fill: "none", stroke: "currentColor", "stroke-width": n ? 1.5 : 2.2, "stroke-dasharray": dashes };
    const key = drawn("path", { ...look, d: `M${EDGE.left + 8 + 125 * n} 8h22` });
    return [drawn("path", look), key, text(label, EDGE.left + 34 + 125 * n, 12, "start")];
  }

  /** @param {(value: number) => void} move */
  #listen(move) {
    const { root } = this;
    let held = false;
    /** @param {PointerEvent} event */
    const drag = (event) => {
      const box = root.getBoundingClientRect();
      const scale = Math.min(box.width / WIDTH, box.height / HEIGHT);
      const x = (event.clientX - box.left - (box.width - scale * WIDTH) / 2) / scale;
      const fraction = (x - EDGE.left) / (WIDTH - EDGE.left - EDGE.right);
      move(valueAt(this.knob, Math.min(1, Math.max(0, fraction))));
    };
    root.addEventListener("pointerdown", (event) => {
      held = true;
      root.setPointerCapture(event.pointerId);
      drag(event);
    });
    root.addEventListener("pointermove", (event) => held && drag(event));
    for (const kind of ["pointerup", "pointercancel"]) root.addEventListener(kind, () => (held = false));
  }
}

/**
 * @param {Knob} knob
 * @param {number} fraction  of the way from low to high
 */
export function valueAt({ low, high, logarithmic }, fraction) {
  return logarithmic ? low * (high / low) ** fraction : low + (high - low) * fraction;
}

/**
 * The inverse.
 * @param {Knob} knob
 * @param {number} value
 */
export function fractionOf({ low, high, logarithmic }, value) {
  return logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElementTagNameMap[Tag]}
 */
function drawn(tag, attributes) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/**
 * @param {string} words
 * @param {number} x
 * @param {number} y
 * @param {"start" | "end"} anchor
 */
function text(words, x, y, anchor) {
  const element = drawn("text", { x, y, "text-anchor": anchor });
  element.textContent = words;
  return element;
}
