/**
 * A view that is made once Plotly.js, 4.7 MB, is there. The other views are drawn without it.
 *
 * @import { Message, Moment, Theme, View } from "./types"
 */

/** @implements {View} */
export class DeferredView {
  /**
   * @param {Promise<unknown>} ready
   * @param {() => View} create
   */
  constructor(ready, create) {
    /** @type {View | null} */
    this.view = null;
    /** @type {Moment | null} the moment that it is to show by then */
    this.moment = null;
    /** @type {Theme | null} the page's, where it has changed by then */
    this.theme = null;
    this.disposed = false;
    ready.then(
      () => this.#arrive(create),
      () => {}, // the stage says so
    );
  }

  /** @param {() => View} create */
  #arrive(create) {
    if (this.disposed) return;
    this.view = create();
    if (this.theme) this.view.recolour(this.theme);
    if (this.moment) this.view.draw(this.moment);
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.moment = moment;
    return this.view?.draw(moment);
  }

  /** @param {Theme} theme */
  resize(theme) {
    this.view?.resize(theme);
  }

  /** @param {Theme} theme */
  recolour(theme) {
    this.theme = theme;
    this.view?.recolour(theme);
  }

  /** @param {Message} message */
  showFollowed(message) {
    this.view?.showFollowed?.(message);
  }

  figure() {
    return this.view?.figure?.() ?? {};
  }

  dispose() {
    this.disposed = true;
    this.view?.dispose();
  }
}
