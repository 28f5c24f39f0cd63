/**
 * What the viewer picked out, shared by all views: the point under the pointer, marked points, the
 * point to decode, clusters switched off. Points are numbered as in the scene's arrays.
 */
export class Selection {
  constructor(scene) {
    this.labels = scene.arrays.labels.data;
    this.hidden = new Set();
    this.chosen = new Uint8Array(this.labels.length); // 1: marked
    this.listeners = new Set();
    this.#empty();
  }

  /** Call back after every change, with its kind: "marks", "group", "picked" or "clusters". */
  listen(listener) {
    this.listeners.add(listener);
  }

  /** The point under the pointer; −1: none. */
  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.#tell("marks");
  }

  /** These points, as by a lasso. */
  mark(rows) {
    this.marked = rows;
    this.chosen.fill(0);
    for (const row of rows) this.chosen[row] = 1;
    this.#tell("group");
  }

  /** Whether a group was marked, so that all other points stand back. */
  get grouped() {
    return this.marked.length > 1;
  }

  /** This point, to be decoded. */
  pick(row) {
    this.picked = row;
    this.mark([row]);
    this.#tell("picked");
  }

  /** Whether there was anything to clear. */
  clear() {
    const some = this.picked >= 0 || this.hovered >= 0 || this.marked.length > 0;
    this.#empty();
    if (some) for (const kind of ["group", "picked"]) this.#tell(kind);
    return some;
  }

  /** The next point, or the one before, for those without a pointer. */
  walk(by) {
    const count = this.labels.length;
    this.hover((Math.max(this.hovered, this.picked, by < 0 ? 0 : -1) + by + count) % count);
  }

  /** Show or hide a cluster. */
  toggle(cluster) {
    if (!this.hidden.delete(cluster)) this.hidden.add(cluster);
    this.#tell("clusters");
  }

  shows(row) {
    return !this.hidden.has(this.labels[row]);
  }

  #empty() {
    this.hovered = -1;
    this.picked = -1;
    this.marked = [];
    this.chosen.fill(0);
  }

  #tell(kind) {
    for (const listener of this.listeners) listener(kind);
  }
}
