/**
 * Draws a moment. Lively views, which are cheap, follow at once and together; of the others one is
 * drawn per animation frame, in turn, so that no frame is long and scrubbing stays smooth. A view
 * has draw(moment), which may be called with a moment it has drawn already.
 */
export class Painter {
  constructor(views, onDrawn) {
    this.views = views;
    this.onDrawn = onDrawn;
    this.due = new Set(); // in the order in which they became due
    this.moment = null;
    this.fresh = false;
    this.request = null;
  }

  /** Show this moment soon; a later one takes its place if it is not drawn by then. */
  show(moment) {
    this.moment = moment;
    this.fresh = true;
    for (const view of this.views) this.due.add(view);
    this.request ??= requestAnimationFrame(() => this.#next());
  }

  dispose() {
    cancelAnimationFrame(this.request);
    this.due.clear();
  }

  #next() {
    this.request = null;
    const { moment, fresh } = this;
    this.fresh = false;
    if (fresh) for (const view of this.views) if (view.lively && this.due.delete(view)) view.draw(moment);
    for (const view of this.due) {
      this.due.delete(view);
      if (view.draw(moment)) break; // that was enough for one frame
    }
    if (this.due.size) this.request = requestAnimationFrame(() => this.#next());
    if (fresh) this.onDrawn(moment);
  }
}
