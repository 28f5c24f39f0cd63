/**
 * The two edges of the band as handles over the loss view: dragged by mouse, finger or keys.
 * A change is sent when a handle is let go.
 *
 * @import { PlotlyElement } from "./types"
 * @typedef {[number, number]} Band  edges as fractions of the way from W to δ
 */

import { make, number } from "./dom.js";

const NOTCH = 0.01;
const LAST = 0.99; // at the collapse loss itself nothing is guaranteed
const SETTLES = 700; // keys come in bursts: sent when they pause, in milliseconds
const HOLDS = 2000; // how long a sent band stays in sight, until it comes back from the server
const [WIDTH, HEIGHT] = [30, 20]; // of a handle, as in styles/board.css, in pixels
/** @type {Record<string, number>} */
const KEYS = { ArrowUp: 1, ArrowDown: -1, ArrowRight: 1, ArrowLeft: -1, PageUp: 5, PageDown: -5 };
/** @type {Record<string, number>} */
const ENDS = { Home: 0, End: LAST };

/**
 * The band with one edge moved there, in whole notches, up to a notch from the other edge.
 * @param {Band} band
 * @param {number} index  0: the lower edge, 1: the upper
 * @param {number} fraction
 * @returns {Band}
 */
export function withEdge(band, index, fraction) {
  const low = index ? band[0] + NOTCH : 0;
  const high = index ? LAST : band[1] - NOTCH;
  const notched = Math.round(fraction / NOTCH) * NOTCH;
  const edge = Number(Math.min(high, Math.max(low, notched)).toFixed(4));
  return index ? [band[0], edge] : [edge, band[1]];
}

/**
 * Where a key moves an edge to; null: the key means something else.
 * @param {string} key
 * @param {number} fraction
 */
export function keyTarget(key, fraction) {
  if (Object.hasOwn(ENDS, key)) return ENDS[key];
  return Object.hasOwn(KEYS, key) ? fraction + KEYS[key] * NOTCH : null;
}

/**
 * Whether the band in force replaces the one shown: not while the viewer edits it, and for a while
 * after it was sent only once it has come back.
 * @param {Band | null} shown
 * @param {Band} inForce
 * @param {boolean} editing
 * @param {number} sinceSent  in milliseconds
 */
export function yields(shown, inForce, editing, sinceSent) {
  if (editing) return false;
  const arrived = shown?.every((edge, index) => Math.abs(edge - inForce[index]) < 1e-9);
  return Boolean(arrived) || sinceSent >= HOLDS;
}

export class Handles {
  /**
   * @param {PlotlyElement} element  holds a Plotly figure with a linear y axis
   * @param {{ within: number, delta: number }} losses  W and δ
   * @param {{ change(band: Band): void, move(loss: number): void }} on
   *   `change`: an edge was let go; `move`: the upper edge stands at this loss, dragged or not
   */
  constructor(element, { within, delta }, on) {
    this.element = element;
    this.within = within;
    this.delta = delta;
    this.on = on;
    /** @type {Band | null} */
    this.band = null;
    /** @type {Band | null} as it was when a handle was grabbed */
    this.before = null;
    /** @type {ReturnType<typeof setTimeout> | null} runs while keys move an edge */
    this.timer = null;
    this.sentAt = -HOLDS;
    this.preview = make("div", { className: "svae-preview", hidden: "" });
    this.grips = ["lower", "upper"].map((edge, index) => this.#grip(edge, index));
    // Hidden until it is known where they stand.
    const look = { className: "svae-handles svae-act", hidden: "" };
    this.root = make("div", look, this.preview, ...this.grips);
    element.append(this.root);
  }

  /** Whether the viewer moves an edge right now. */
  get editing() {
    return this.before !== null || this.timer !== null;
  }

  /**
   * The band in force.
   * @param {Band} band
   */
  show(band) {
    if (yields(this.band, band, this.editing, performance.now() - this.sentAt)) this.band = [...band];
    this.#place();
  }

  dispose() {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** @param {number} fraction */
  #loss(fraction) {
    return this.within + fraction * (this.delta - this.within);
  }

  #place() {
    const { band } = this;
    const { xaxis, yaxis } = this.element._fullLayout ?? {};
    if (!band || !yaxis) return;
    const tops = band.map((edge) => yaxis._offset + yaxis.l2p(this.#loss(edge)));
    const right = this.element.clientWidth - xaxis._offset - xaxis._length;
    const meet = tops[0] - tops[1] < HEIGHT; // then one stands aside
    this.grips.forEach((grip, index) => {
      grip.style.top = `${tops[index]}px`;
      grip.style.right = `${right - WIDTH - 4 + (meet && !index ? WIDTH + 4 : 0)}px`;
      grip.setAttribute("aria-valuenow", band[index].toFixed(2));
      const loss = number(this.#loss(band[index]));
      grip.setAttribute("aria-valuetext", `${band[index].toFixed(2)}, a loss of ${loss}`);
    });
    this.root.hidden = false;
    this.on.move(this.#loss(band[1]));
    this.preview.hidden = !this.editing;
    const { style } = this.preview;
    style.left = `${xaxis._offset}px`;
    style.right = `${right}px`;
    style.top = `${tops[1]}px`;
    style.height = `${tops[0] - tops[1]}px`;
  }

  /**
   * @param {string} edge
   * @param {number} index
   */
  #grip(edge, index) {
    const grip = make("div", {
      className: `svae-grip svae-${edge}`,
      role: "slider",
      tabindex: 0,
      title: `Drag the ${edge} edge of the band`,
      "aria-label": `${edge} edge of the band`,
      "aria-orientation": "vertical",
      "aria-valuemin": 0,
      "aria-valuemax": LAST,
    });
    grip.addEventListener("pointerdown", (event) => this.#grab(event, grip));
    grip.addEventListener("pointermove", (event) => this.before && this.#drag(event, index));
    grip.addEventListener("pointerup", () => this.#release());
    grip.addEventListener("pointercancel", () => this.#release());
    grip.addEventListener("keydown", (event) => this.#key(event, index));
    grip.addEventListener("blur", () => this.timer !== null && this.#send());
    return grip;
  }

  /**
   * @param {PointerEvent} event
   * @param {HTMLElement} grip
   */
  #grab(event, grip) {
    event.preventDefault();
    grip.setPointerCapture(event.pointerId);
    grip.focus();
    this.before = this.band;
  }

  /**
   * @param {PointerEvent} event
   * @param {number} index
   */
  #drag(event, index) {
    const { yaxis } = this.element._fullLayout;
    const pixel = event.clientY - this.element.getBoundingClientRect().top - yaxis._offset;
    const loss = yaxis.p2l(pixel);
    this.#set(index, (loss - this.within) / (this.delta - this.within));
  }

  #release() {
    const { band, before } = this;
    if (!band || !before) return;
    this.before = null;
    if (band.some((edge, index) => edge !== before[index])) this.#send();
    else this.#place();
  }

  /**
   * @param {KeyboardEvent} event
   * @param {number} index
   */
  #key(event, index) {
    const target = this.band && keyTarget(event.key, this.band[index]);
    if (target === null) return;
    event.preventDefault();
    event.stopPropagation(); // ← and → would otherwise scrub
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#send(), SETTLES);
    this.#set(index, target);
  }

  /**
   * @param {number} index
   * @param {number} fraction
   */
  #set(index, fraction) {
    if (!this.band) return;
    this.band = withEdge(this.band, index, fraction);
    this.#place();
  }

  #send() {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.sentAt = performance.now();
    if (this.band) this.on.change([...this.band]);
    this.#place();
  }
}
