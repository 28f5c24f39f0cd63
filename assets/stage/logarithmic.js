/** A logarithmic scale for a slider, from 0 to 1, and the marks on it. */

const FINE = 1.02; // a press of an arrow key
const COARSE = 1.25; // of Page Up or Page Down

/**
 * Three significant digits, as a person would type them.
 * @param {number} value
 */
export function spelt(value) {
  return String(Number(value.toPrecision(3)));
}

/**
 * Where dimensions go out, the last one first: one factor of βσ² is moved, the other stays.
 * @param {number[]} variances  λ, falling
 * @param {number} other  the factor that stays
 */
export function marksOf(variances, other) {
  return variances.map((variance) => variance / other);
}

export class Scale {
  /**
   * @param {number} low
   * @param {number} high
   */
  constructor(low, high) {
    this.low = low;
    this.high = high;
  }

  /**
   * A scale on which all marks and the value lie. One that holds them already stays: a track that
   * moves under the hand is no track.
   * @param {number[]} marks  falling
   * @param {number} value
   * @param {Scale} before
   */
  static around(marks, value, before) {
    const [first, last] = [marks[marks.length - 1], marks[0]];
    const fresh = new Scale(Math.min(first / 8, value / 1.2), Math.max(last * 8, value * 1.2));
    const holds = before.low <= Math.min(first / 2, value) && before.high >= Math.max(last * 3, value);
    return holds && before.reach < 4 * fresh.reach ? before : fresh;
  }

  get reach() {
    return this.high / this.low;
  }

  /** @param {number} value */
  positionOf(value) {
    const share = Math.log(value / this.low) / Math.log(this.high / this.low);
    return Math.max(0, Math.min(1, share));
  }

  /** @param {number} position  from 0 to 1 */
  valueAt(position) {
    return this.low * (this.high / this.low) ** position;
  }

  /** @param {number} value */
  clamp(value) {
    return Math.max(this.low, Math.min(this.high, value));
  }

  /**
   * By what a key multiplies the value; null: the key means something else.
   * @param {string} key
   */
  keyStep(key) {
    /** @type {Record<string, number>} */
    const steps = {
      ArrowRight: FINE, ArrowUp: FINE, ArrowLeft: 1 / FINE, ArrowDown: 1 / FINE,
      PageUp: COARSE, PageDown: 1 / COARSE, Home: 0, End: Infinity,
    };
    return Object.hasOwn(steps, key) ? steps[key] : null;
  }
}
