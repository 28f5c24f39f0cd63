/**
 * A line to type a text in, where the data are sequences.
 *
 * @import { NumberArray, Scene } from "./types"
 */

import { make } from "./dom.js";

export class TextLine {
  /**
   * @param {Scene} scene
   * @param {(text: string) => void} change  called with every letter
   */
  constructor({ symbols = [], arrays }, change) {
    this.symbols = symbols;
    const length = arrays.originals.shape[1] / 2;
    const label = `A text of up to ${length} symbols, of: ${symbols.map((one) => (one === " " ? "space" : one)).join(" ")}`;
    this.line = make("input", { type: "text", maxlength: length, placeholder: "type a text", "aria-label": label });
    Object.assign(this.line, { title: label, autocomplete: "off", spellcheck: false });
    this.line.size = Math.min(length, 24);
    this.line.addEventListener("input", () => change(this.line.value));
    this.line.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") event.stopPropagation(); // letters and arrows are the text's
    });
    this.root = make("label", { className: "svae-typed" }, "Text ", this.line);
  }

  /**
   * Begin from this point, unless the viewer is typing.
   * @param {NumberArray} picture  [2·L]: symbol numbers, then their probabilities
   */
  begin({ data }) {
    const numbers = Array.from(data.subarray(0, data.length / 2));
    this.line.value = numbers.map((number) => this.symbols[Math.round(number)] ?? "").join("");
  }
}
