/**
 * Asks how what is followed goes through the models of the moment shown: one question at a time, the
 * next when the last one is answered, and again whenever the moment or the input has changed.
 *
 * @import { FollowQuestion, Message } from "./types"
 * @import { Selection } from "./selection.js"
 */

const PATIENCE = 10_000; // until a question counts as lost, in milliseconds
const APART = 400; // between questions that only a new moment asks: training needs its workers

export class PointQuestions {
  /**
   * @param {Selection} selection
   * @param {(question: FollowQuestion) => boolean} follow
   */
  constructor(selection, follow) {
    this.selection = selection;
    this.follow = follow;
    this.step = -1;
    this.newest = false; // whether that is the newest moment of a run in training
    this.seed = 0;
    this.asked = 0; // number of the last question
    this.waits = false;
    this.due = false; // something has changed since it was asked
    this.last = -APART; // when it was asked
    /** @type {ReturnType<typeof setTimeout> | undefined} until the last question counts as lost */
    this.timer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} until the next one */
    this.next = undefined;
  }

  /**
   * The moment of this step is shown. Of the newest one of a run in training, the models at hand are
   * asked for, which may be a few steps further: those of the very step would have to be trained again.
   * @param {number} step
   */
  at(step, newest = false) {
    this.newest = newest;
    if (step === this.step) return;
    this.step = step;
    if (!this.selection.followed) return;
    clearTimeout(this.next);
    const wait = this.last + APART - performance.now();
    this.next = setTimeout(() => this.ask(), Math.max(0, wait));
  }

  /** Something will be entered soon: have the models of this moment made ready. */
  prepare() {
    if (this.selection.followed || this.newest || this.step < 0) return;
    this.follow({ follow: 0, step: this.step, seed: 0, asked: -1 }); // whose answer nobody waits for
  }

  /** Other draws from the same posteriors. */
  redraw() {
    this.seed += 1;
    this.ask();
  }

  /** Ask now, or when the question under way is answered. */
  ask() {
    const { followed } = this.selection;
    this.due = this.waits && followed !== null;
    if (this.waits || !followed || this.step < 0) return;
    this.asked += 1;
    this.last = performance.now();
    clearTimeout(this.next);
    const { step, newest, seed, asked } = this;
    this.waits = this.follow({ ...followed, ...(newest ? {} : { step }), seed, asked });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#goOn(), PATIENCE);
  }

  /**
   * Whether a message answers the last question, so that it is to be shown.
   * @param {Message} message  an answer, or a refusal of something
   */
  answered({ header }) {
    if (header.asked !== this.asked) return false;
    const shown = header.kind === "followed" && this.selection.followed !== null;
    this.#goOn();
    return shown;
  }

  dispose() {
    clearTimeout(this.timer);
    clearTimeout(this.next);
  }

  #goOn() {
    clearTimeout(this.timer);
    this.waits = false;
    if (this.due) this.ask();
  }
}
