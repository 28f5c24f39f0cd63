/**
 * The two edges of the band as handles over the loss view: dragged by mouse, finger or keys.
 * A change is sent when a handle is let go, as an event "svae-alter" that the stage hears.
 */

import { make, number } from "../dom.js";

const NOTCH = 0.01;
const LAST = 0.99; // at the collapse loss itself nothing is guaranteed
const SETTLES = 700; // keys come in bursts: sent when they pause, in milliseconds
const HOLDS = 2000; // how long a sent band stays in sight, until it comes back from the server
const [WIDTH, HEIGHT] = [30, 20]; // of a handle, as in styles/views.css, in pixels
const KEYS = { ArrowUp: 1, ArrowDown: -1, ArrowRight: 1, ArrowLeft: -1, PageUp: 5, PageDown: -5 };

export class Handles {
  /** `element` holds a Plotly figure with a linear y axis; `within` is W, `delta` is δ. */
  constructor(element, { within, delta }) {
    this.element = element;
    this.within = within;
    this.delta = delta;
    this.band = null;
    this.held = false;
    this.sentAt = -HOLDS;
    this.preview = make("div", { className: "svae-preview", hidden: "" });
    this.grips = ["lower", "upper"].map((edge, index) => this.#grip(edge, index));
    this.root = make("div", { className: "svae-handles" }, this.preview, ...this.grips);
    element.append(this.root);
  }

  /** The band in force, as fractions of the way from W to δ, unless one is being dragged. */
  show(band) {
    if (this.held || this.timer || performance.now() - this.sentAt < HOLDS) {
      const arrived = this.band?.every((edge, index) => Math.abs(edge - band[index]) < 1e-9);
      if (this.held || this.timer || !arrived) return this.#place();
    }
    this.band = [...band];
    return this.#place();
  }

  dispose() {
    clearTimeout(this.timer);
  }

  #loss(fraction) {
    return this.within + fraction * (this.delta - this.within);
  }

  #place() {
    const { xaxis, yaxis } = this.element._fullLayout ?? {};
    if (!this.band || !yaxis) return;
    const tops = this.band.map((edge) => yaxis._offset + yaxis.l2p(this.#loss(edge)));
    const right = this.element.clientWidth - xaxis._offset - xaxis._length;
    const meet = tops[0] - tops[1] < HEIGHT; // then one stands aside
    this.grips.forEach((grip, index) => {
      grip.style.top = `${tops[index]}px`;
      grip.style.right = `${right - WIDTH - 4 + (meet && !index ? WIDTH + 4 : 0)}px`;
      grip.setAttribute("aria-valuenow", this.band[index].toFixed(2));
      const loss = number(this.#loss(this.band[index]));
      grip.setAttribute("aria-valuetext", `${this.band[index].toFixed(2)}, a loss of ${loss}`);
    });
    this.preview.hidden = !(this.held || this.timer);
    const { style } = this.preview;
    style.left = `${xaxis._offset}px`;
    style.right = `${right}px`;
    style.top = `${tops[1]}px`;
    style.height = `${tops[0] - tops[1]}px`;
  }

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
    grip.addEventListener("pointermove", (event) => this.held && this.#drag(event, index));
    for (const end of ["pointerup", "pointercancel"]) {
      grip.addEventListener(end, () => this.#release());
    }
    grip.addEventListener("keydown", (event) => this.#key(event, index));
    grip.addEventListener("blur", () => this.timer && this.#send());
    return grip;
  }

  #grab(event, grip) {
    event.preventDefault();
    grip.setPointerCapture(event.pointerId);
    grip.focus();
    this.held = true;
    this.before = [...this.band];
  }

  #drag(event, index) {
    const { yaxis } = this.element._fullLayout;
    const pixel = event.clientY - this.element.getBoundingClientRect().top - yaxis._offset;
    const loss = yaxis.p2l(pixel);
    this.#set(index, (loss - this.within) / (this.delta - this.within));
  }

  #release() {
    if (!this.held) return;
    this.held = false;
    if (this.band.some((edge, index) => edge !== this.before[index])) this.#send();
    else this.#place();
  }

  #key(event, index) {
    const ends = { Home: 0, End: LAST };
    if (!(event.key in KEYS) && !(event.key in ends)) return;
    event.preventDefault();
    event.stopPropagation(); // ← and → would otherwise scrub
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#send(), SETTLES);
    this.#set(index, ends[event.key] ?? this.band[index] + KEYS[event.key] * NOTCH);
  }

  /** Move one edge, in whole notches, up to a notch from the other. */
  #set(index, fraction) {
    const low = index ? this.band[0] + NOTCH : 0;
    const high = index ? LAST : this.band[1] - NOTCH;
    const notched = Math.round(fraction / NOTCH) * NOTCH;
    this.band[index] = Number(Math.min(high, Math.max(low, notched)).toFixed(4));
    this.#place();
  }

  #send() {
    clearTimeout(this.timer);
    this.timer = null;
    this.sentAt = performance.now();
    const detail = { band: [...this.band] };
    this.element.dispatchEvent(new CustomEvent("svae-alter", { bubbles: true, detail }));
    this.#place();
  }
}
