/**
 * A lesson's question before the run, and its reveal after it. The words come from the server.
 *
 * @import { LessonQuestion, LessonState } from "./types"
 */

import { make, setText } from "./dom.js";

export class Lesson {
  /**
   * @param {HTMLElement} element
   * @param {LessonQuestion} question
   * @param {(answer: number) => void} onPredict  is given the number of the option chosen
   */
  constructor(element, { title, question, options }, onPredict) {
    this.buttons = options.map((option, answer) => {
      const button = make("button", { type: "button", className: "svae-option" }, option);
      button.addEventListener("click", () => onPredict(answer));
      return button;
    });
    this.asking = make("span", {}, "Predict first:");
    this.reveal = make("p", { className: "svae-reveal", role: "status", hidden: "" });
    this.root = make(
      "section",
      { className: "svae-lesson", "aria-label": title },
      make("p", { className: "svae-question" }, make("b", {}, `${title}. `), question),
      make("div", { className: "svae-options", role: "group" }, this.asking, ...this.buttons),
      this.reveal,
    );
    element.append(this.root);
  }

  /**
   * Whether an answer is still waited for, so that results stay hidden.
   * @param {LessonState | null} lesson
   * @param {number | null} own  in a class: this viewer's own answer; −1 before there is one
   */
  update(lesson, own = null) {
    const mine = own !== null && own >= 0;
    const chosen = mine ? own : (lesson?.prediction ?? null);
    const who = own === null || mine ? "You" : "The teacher";
    this.buttons.forEach((button, answer) => {
      button.disabled = chosen !== null;
      button.setAttribute("aria-pressed", String(answer === chosen));
      button.hidden = chosen !== null && answer !== chosen; // afterwards every line is worth having
    });
    setText(this.asking, chosen === null ? "Predict first:" : `${who} predicted:`);
    setText(this.reveal, lesson?.reveal ?? "");
    this.reveal.hidden = !lesson?.reveal;
    return chosen === null;
  }
}
