/**
 * The claims of the Theory page as pictures that can be dragged, by pointer or by keys.
 *
 *     mount(parent, { numbers });  unmount(parent)
 *
 * @import { Claim, Knob } from "./claims.js"
 * @import { Numbers } from "./formulas.js"
 */

import { make, setText } from "../dom.js";
import { claimsOf } from "./claims.js";
import { fractionOf, Plot, valueAt } from "./plot.js";

const NOTCHES = 400; // of a slider
const STYLES = `
.svae-claims { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1.4rem 2rem; }
.svae-claims section { display: grid; gap: 0.35rem; align-content: start; }
.svae-claims :is(h4, p) { margin: 0; padding: 0; font-size: 1rem; }
.svae-claims h4 { font-weight: 600; }
.svae-claims svg { width: 100%; height: 11rem; cursor: ew-resize; touch-action: pan-y; }
.svae-claims svg text { font: 12px var(--st-font, sans-serif); fill: currentColor; }
.svae-claims label { display: grid; grid-template-columns: 1.4rem minmax(0, 1fr) 4rem; gap: 0.5rem; align-items: center; }
.svae-claims input { accent-color: light-dark(var(--st-primary-color), color-mix(in srgb, var(--st-primary-color), white 45%)); }
.svae-claims output { text-align: right; font-variant-numeric: tabular-nums; }
.svae-claims .svae-holds { min-height: 4.2rem; border-left: 4px solid var(--st-primary-color); padding: 0.2rem 0.7rem; }
.svae-claims .svae-holds[data-says="false"] { border-color: var(--st-border-color, #cbd3db); }
`;
/** @type {WeakMap<HTMLElement, string>} what each place shows */
const shown = new WeakMap();

/**
 * @param {HTMLElement} parent
 * @param {{ numbers: Numbers }} data
 */
export function mount(parent, { numbers }) {
  const key = JSON.stringify(numbers);
  if (shown.get(parent) === key) return; // the page was rerun: what was dragged stays
  unmount(parent);
  shown.set(parent, key);
  const parts = claimsOf(numbers).map((claim) => new Dragged(claim).root);
  parent.append(make("div", { className: "svae-claims" }, make("style", {}, STYLES), ...parts));
}

/** @param {HTMLElement} parent */
export function unmount(parent) {
  shown.delete(parent);
  parent.querySelector(".svae-claims")?.remove();
}

class Dragged {
  /** @param {Claim} claim */
  constructor(claim) {
    this.claim = claim;
    this.values = claim.knobs.map(({ start }) => start);
    this.plot = new Plot(claim.knobs[0], claim.axis, (value) => this.#move(0, value));
    this.sliders = claim.knobs.map((knob, n) => this.#slider(knob, n));
    this.sentence = make("p", { className: "svae-holds", "aria-live": "polite" });
    const [title, words] = [make("h4", {}, claim.title), make("p", {}, claim.words)];
    const knobs = this.sliders.map(({ row }) => row);
    this.root = make("section", {}, title, words, this.plot.root, ...knobs, this.sentence);
    this.#update();
  }

  /**
   * @param {Knob} knob
   * @param {number} n
   */
  #slider(knob, n) {
    const slider = make("input", { type: "range", min: 0, max: NOTCHES, step: 1, "aria-label": knob.name });
    const value = make("output");
    slider.addEventListener("input", () => this.#move(n, valueAt(knob, Number(slider.value) / NOTCHES)));
    const row = make("label", { title: knob.name }, make("b", {}, knob.symbol), slider, value);
    return { slider, value, row };
  }

  /**
   * @param {number} n  which knob
   * @param {number} value
   */
  #move(n, value) {
    const { low, high } = this.claim.knobs[n];
    this.values[n] = Math.min(high, Math.max(low, value));
    this.#update();
  }

  #update() {
    const { claim, values } = this;
    const found = claim.show(values);
    claim.knobs.forEach((knob, n) => {
      const { slider, value } = this.sliders[n];
      const text = knob.high >= 100 ? values[n].toFixed(0) : values[n].toPrecision(3);
      slider.value = String(Math.round(NOTCHES * fractionOf(knob, values[n])));
      slider.setAttribute("aria-valuetext", `${knob.symbol} = ${text}`);
      setText(value, text);
    });
    this.plot.draw(values[0], found);
    setText(this.sentence, `${found.says ? "✓" : "○"} ${found.sentence}`);
    this.sentence.dataset.says = String(found.says);
  }
}
