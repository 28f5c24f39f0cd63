/** Sentences about the run as a whole: what troubles it, and why something was not done. */

import { make, setText } from "./dom.js";

const LASTING = 8000; // how long a refusal stays in sight, in milliseconds

export class Notices {
  constructor() {
    this.trouble = make("p", { className: "svae-trouble", role: "alert", hidden: "" });
    this.notice = make("p", { className: "svae-notice", role: "alert", hidden: "" });
    this.root = make("div", { className: "svae-notices" }, this.trouble, this.notice);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.fading = undefined;
  }

  dispose() {
    clearTimeout(this.fading);
  }

  /**
   * What is wrong as long as it is; null: nothing.
   * @param {string | null} sentence
   */
  complain(sentence) {
    setText(this.trouble, sentence ?? "");
    this.trouble.hidden = !sentence;
  }

  /**
   * Why something was not done; gone again after a while.
   * @param {string} sentence
   * @param {Record<string, string> | null} [train]  the query of a page that trains the run again
   */
  refuse(sentence, train) {
    setText(this.notice, sentence);
    if (train) {
      const href = `train?${new URLSearchParams(train)}`;
      this.notice.append(" ", make("a", { href, target: "_self" }, "Train it again"));
    }
    this.notice.hidden = false;
    clearTimeout(this.fading);
    this.fading = setTimeout(() => (this.notice.hidden = true), LASTING);
  }
}
