/**
 * The features of a point as sliders, each as wide as its column.
 *
 * @import { Scene } from "./types"
 */

import { make, setText } from "./dom.js";

const NOTCHES = 100; // of a slider
const SHOWN = 3; // significant digits

export class Features {
  /**
   * @param {Scene} scene  of data that are no images
   * @param {(changes: Record<number, number>) => void} change  called with all that was set
   */
  constructor(scene, change) {
    const { lowest, highest } = scene.arrays;
    /** @type {Record<number, number>} */
    this.changes = {};
    this.sliders = Array.from(lowest.data, (low, column) => {
      const high = highest.data[column];
      const name = scene.features[column] ?? `column ${column + 1}`;
      const slider = make("input", {
        type: "range",
        min: low,
        max: high,
        step: (high - low) / NOTCHES || 1,
        "aria-label": name,
      });
      const value = make("output");
      slider.addEventListener("input", () => {
        this.changes[column] = Number(slider.value);
        this.#tell(column, Number(slider.value));
        change(this.changes);
      });
      return { slider, value, row: make("label", {}, make("span", { title: name }, name), slider, value) };
    });
    this.root = make("div", { className: "svae-features" }, ...this.sliders.map(({ row }) => row));
    this.begin(scene.arrays.first.data);
    // Arrow keys move a slider, not the run.
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
  }

  /**
   * Begin from this point.
   * @param {ArrayLike<number>} values
   */
  begin(values) {
    this.changes = {};
    this.show(values);
  }

  /**
   * The values of a point; what the viewer has set stays.
   * @param {ArrayLike<number>} values
   */
  show(values) {
    this.sliders.forEach(({ slider }, column) => {
      if (column in this.changes) return;
      slider.value = String(values[column]);
      this.#tell(column, values[column]);
    });
  }

  /**
   * @param {number} column
   * @param {number} value
   */
  #tell(column, value) {
    const shown = Number(value.toPrecision(SHOWN)).toString();
    setText(this.sliders[column].value, shown.replace("-", "−"));
  }
}
