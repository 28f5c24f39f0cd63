/**
 * Draws a moment. Lively views, which are cheap, follow at once and together; of the others one is
 * drawn per animation frame, in turn, so that no frame is long and scrubbing stays smooth. A view
 * is drawn only when something that it needs has changed.
 *
 * @import { Moment, Need, View } from "./types"
 * @import { Recording } from "./frames.js"
 * @typedef {{ view: View, needs: Need[], lively: boolean }} Drawable
 */

/**
 * How each part of a run is looked up at a moment: a value that differs when the part has changed,
 * or undefined while the part is not there. A list that may be empty is there.
 * @type {Record<Need, (moment: Moment, recording: Recording) => unknown>}
 */
export const PARTS = {
  moment: (moment) => moment,
  models: (moment) => moment.models,
  shells: (moment) => moment.shells,
  pictures: (moment) => moment.pictures,
  rows: (_, { generation, rows }) => `${generation} ${rows.length} ${rows.at(-1)?.step}`,
  remarks: (_, { generation, remarks }) => `${generation} ${remarks.length}`,
  layout: (moment, recording) => recording.layoutAt(moment.step) ?? undefined,
  floors: (_, recording) => recording.floors, // null until they are computed
  band: (_, { corridor, now }) => JSON.stringify([corridor, now?.band]),
  settings: (_, { now, count, generation }) => `${generation} ${count} ${JSON.stringify(now)}`,
  outlook: (_, recording) => recording.outlook ?? undefined,
  certificates: (_, { generation, certificates }) => `${generation} ${certificates.length}`,
};

export class Painter {
  /**
   * @param {Drawable[]} drawables  in the order in which they take turns; may grow later
   * @param {Recording} recording
   * @param {(moment: Moment) => void} onDrawn  called once per moment, after lively views
   */
  constructor(drawables, recording, onDrawn) {
    this.drawables = drawables;
    this.recording = recording;
    this.onDrawn = onDrawn;
    /** @type {Set<Drawable>} in the order in which they became due */
    this.due = new Set();
    /** @type {WeakMap<Drawable, unknown[]>} the parts as each view drew them last */
    this.drawn = new WeakMap();
    /** @type {Moment | null} */
    this.moment = null;
    this.fresh = false;
    /** @type {number | null} */
    this.request = null;
  }

  /**
   * Show this moment soon; a later one takes its place if it is not drawn by then.
   * @param {Moment} moment
   */
  show(moment) {
    this.moment = moment;
    this.fresh = true;
    for (const drawable of this.drawables) this.due.add(drawable);
    this.request ??= requestAnimationFrame(() => this.#next());
  }

  /** Something else than the moment has changed: draw the views again that need it. */
  refresh() {
    if (!this.moment) return;
    for (const drawable of this.drawables) this.due.add(drawable);
    this.request ??= requestAnimationFrame(() => this.#next());
  }

  dispose() {
    if (this.request !== null) cancelAnimationFrame(this.request);
    this.due.clear();
  }

  #next() {
    this.request = null;
    const { moment, fresh } = this;
    if (!moment) return;
    this.fresh = false;
    if (fresh) {
      for (const one of this.drawables) {
        if (one.lively && this.due.delete(one)) this.#draw(one, moment);
      }
    }
    for (const one of this.due) {
      this.due.delete(one);
      if (this.#draw(one, moment)) break; // that was enough for one animation frame
    }
    if (this.due.size) this.request = requestAnimationFrame(() => this.#next());
    if (fresh) this.onDrawn(moment);
  }

  /**
   * Whether much was drawn.
   * @param {Drawable} drawable
   * @param {Moment} moment
   */
  #draw(drawable, moment) {
    const parts = drawable.needs.map((need) => PARTS[need](moment, this.recording));
    const before = this.drawn.get(drawable);
    if (parts.includes(undefined)) return false;
    if (before && parts.every((part, n) => part === before[n])) return false;
    this.drawn.set(drawable, parts);
    return drawable.view.draw(moment);
  }
}
