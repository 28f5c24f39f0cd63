/**
 * What the viewer picked out, shared by all views: the point under the pointer, marked points, the
 * point to decode, clusters switched off. Points are numbered as in the scene's arrays.
 *
 * @import { Scene } from "./types"
 * @typedef {"marks" | "group" | "picked" | "clusters"} Change
 */
export class Selection {
  /** @param {Pick<Scene, "arrays">} scene */
  constructor(scene) {
    this.labels = scene.arrays.labels.data;
    /** @type {Set<number>} clusters that are switched off */
    this.hidden = new Set();
    this.chosen = new Uint8Array(this.labels.length); // 1: marked
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
    this.hovered = -1;
    this.picked = -1;
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
  mark(rows) {
    this.marked = rows;
    this.chosen.fill(0);
    for (const row of rows) this.chosen[row] = 1;
    this.#notify("group");
  }

  /** Whether a group was marked, so that all other points stand back. */
  get grouped() {
    return this.marked.length > 1;
  }

  /**
   * This point, to be decoded.
   * @param {number} row
   */
  pick(row) {
    this.picked = row;
    this.mark([row]);
    this.#notify("picked");
  }

  /** Whether there was anything to clear. */
  clear() {
    const some = this.picked >= 0 || this.hovered >= 0 || this.marked.length > 0;
    this.hovered = -1;
    this.picked = -1;
    this.marked = [];
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
   * Show or hide a cluster.
   * @param {number} cluster
   */
  toggle(cluster) {
    if (!this.hidden.delete(cluster)) this.hidden.add(cluster);
    this.#notify("clusters");
  }

  /** @param {number} row */
  shows(row) {
    return !this.hidden.has(this.labels[row]);
  }

  /** @param {Change} change */
  #notify(change) {
    for (const listener of this.listeners) listener(change);
  }
}
