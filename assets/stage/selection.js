/**
 * What the viewer picked out, shared by all views: the point under the pointer, marked points, the
 * point to follow through the models, groups switched off; and what points look like. Points are
 * numbered as in the scene's arrays; what is followed may also be the viewer's own input.
 *
 * @import { Colouring, Followed, Message, Scene, SmallPictures } from "./types"
 * @typedef {"marks" | "group" | "picked" | "sought" | "hidden" | "colours"} Change  hidden: a group switched
 */

import { byCluster } from "./colouring.js";

export class Selection {
  /** @param {Pick<Scene, "clusters" | "arrays">} scene */
  constructor(scene) {
    this.labels = scene.arrays.labels.data;
    /** @type {Colouring} */
    this.colouring = byCluster(scene);
    /** @type {SmallPictures | null} points drawn as pictures, if they are: every so many one */
    this.pictures = null;
    /** @type {Set<number>} groups of the colouring that are switched off */
    this.hidden = new Set();
    this.vanish = false; // whether points that were not picked out vanish; else they fade
    this.name = ""; // of the marked points, if they were kept under one
    this.chosen = new Uint8Array(this.labels.length); // 1: marked
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
    this.hovered = -1;
    this.picked = -1;
    /** @type {Followed | null} the point picked, or the viewer's own input */
    this.followed = null;
    /** @type {Message | null} where that is now, by the models last asked */
    this.landed = null;
    /** @type {number[]} */
    this.marked = [];
  }

  /**
   * Call back after every change.
   * @param {(change: Change) => void} listener
   */
  listen(listener) {
    this.listeners.add(listener);
  }

  /**
   * The point under the pointer; −1: none.
   * @param {number} row
   */
  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.#notify("marks");
  }

  /**
   * These points, as by a lasso.
   * @param {number[]} rows
   */
  mark(rows, name = "") {
    this.marked = rows;
    this.name = name;
    this.chosen.fill(0);
    for (const row of rows) this.chosen[row] = 1;
    this.#notify("group");
  }

  /** Whether a group was marked, so that all other points stand back. */
  get grouped() {
    return this.marked.length > 1;
  }

  /**
   * This point, to be followed.
   * @param {number} row
   */
  pick(row) {
    this.#follow(row, { follow: row });
  }

  /**
   * The viewer's own input, to be followed like a point.
   * @param {Followed} input
   */
  enter(input) {
    this.#follow(-1, input);
  }

  /**
   * What the models make of what is followed.
   * @param {Message} message
   */
  land(message) {
    this.landed = message;
    this.#notify("marks");
  }

  /** The viewer wants to see the way of what is followed. */
  seek() {
    this.#notify("sought");
  }

  /**
   * @param {number} row
   * @param {Followed} followed
   */
  #follow(row, followed) {
    const other = row !== this.picked || row >= 0;
    this.picked = row;
    this.followed = followed;
    if (other) {
      this.landed = null;
      this.mark(row < 0 ? [] : [row]);
    }
    this.#notify("picked");
  }

  /** Whether there was anything to clear. */
  clear() {
    const some = this.followed !== null || this.hovered >= 0 || this.marked.length > 0;
    this.hovered = -1;
    this.picked = -1;
    this.followed = null;
    this.landed = null;
    this.marked = [];
    this.name = "";
    this.chosen.fill(0);
    if (some) {
      this.#notify("group");
      this.#notify("picked");
    }
    return some;
  }

  /**
   * The next point, or the one before, for those without a pointer.
   * @param {1 | -1} by
   */
  walk(by) {
    const count = this.labels.length;
    this.hover((Math.max(this.hovered, this.picked, by < 0 ? 0 : -1) + by + count) % count);
  }

  /**
   * Show or hide a group.
   * @param {number} group
   */
  toggle(group) {
    if (!this.hidden.delete(group)) this.hidden.add(group);
    this.#notify("hidden");
  }

  /**
   * Whether points that were not picked out vanish.
   * @param {boolean} vanish
   */
  filter(vanish) {
    this.vanish = vanish;
    this.#notify("group");
  }

  /**
   * Draw points by this colouring from now on, and as pictures where there are some.
   * @param {Colouring} colouring
   * @param {SmallPictures | null} pictures
   */
  paint(colouring, pictures) {
    if (colouring === this.colouring && pictures === this.pictures) return;
    if (colouring !== this.colouring) this.hidden.clear();
    this.colouring = colouring;
    this.pictures = pictures;
    this.#notify("colours");
  }

  /**
   * Whether a point is to be seen.
   * @param {number} row
   */
  shows(row) {
    if (this.hidden.has(this.colouring.slots[row])) return false;
    if (this.pictures && row % this.pictures.step) return false;
    return !(this.vanish && this.grouped && !this.chosen[row]);
  }

  /** What decides how points look in a figure for a paper. */
  figure() {
    const look = { colour: this.colouring.name, hidden: [...this.hidden].join() };
    if (!this.grouped) return look;
    const others = this.vanish ? "vanish" : "fade";
    return { ...look, chosen: packed(this.marked, this.labels.length), others, selection: this.name };
  }

  /** @param {Change} change */
  #notify(change) {
    for (const listener of this.listeners) listener(change);
  }
}

/**
 * A set of points as bits in base 64 for addresses, the lowest bit of the first byte for the first.
 * @param {number[]} rows
 * @param {number} count
 */
export function packed(rows, count) {
  const bytes = new Uint8Array(Math.ceil(count / 8));
  for (const row of rows) bytes[row >> 3] |= 1 << (row & 7);
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The points of a set that `packed` made.
 * @param {string} text
 */
export function unpacked(text) {
  const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  /** @type {number[]} */
  const rows = [];
  for (let n = 0; n < 8 * letters.length; n += 1) {
    if ((letters.charCodeAt(n >> 3) >> (n & 7)) & 1) rows.push(n);
  }
  return rows;
}
