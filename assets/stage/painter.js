/**
 * Draws one chart per animation frame, so that no frame is long and dragging stays smooth.
 * A view has draw(moment), which says whether it drew something that costs a frame; with
 * `every` = 2 it takes part in every second round only.
 */
export class Painter {
  constructor(views, onDrawn) {
    this.views = views;
    this.onDrawn = onDrawn;
    this.round = 0;
    this.queue = [];
    this.stale = new Set();
    this.moment = null;
    this.request = null;
  }

  /** Show this moment; `all` also draws what may skip a round. */
  show(moment, all) {
    this.moment = moment;
    this.round += 1;
    for (const view of this.views) {
      if (all || this.round % (view.every ?? 1) === 0) {
        if (!this.queue.includes(view)) this.queue.push(view);
      } else {
        this.stale.add(view);
      }
    }
    this.request ??= requestAnimationFrame(() => this.#next());
  }

  /** Draw what skipped the last round: for when nothing new comes soon. */
  settle() {
    if (this.moment && this.stale.size) {
      for (const view of this.stale) if (!this.queue.includes(view)) this.queue.push(view);
      this.request ??= requestAnimationFrame(() => this.#next());
    }
  }

  dispose() {
    cancelAnimationFrame(this.request);
    this.queue = [];
  }

  #next() {
    while (this.queue.length) {
      const view = this.queue.shift();
      this.stale.delete(view);
      if (view.draw(this.moment)) {
        this.request = requestAnimationFrame(() => this.#next());
        return;
      }
    }
    this.request = null;
    this.onDrawn(this.moment);
  }
}
