/**
 * A lesson beside the run: its question, what to do, what came true and why, and the next lesson.
 * The words come from the server. All of it stands in one place of fixed height, so that nothing on
 * the page moves when the words change.
 *
 * @import { LessonQuestion, LessonState } from "./types"
 */

import { make, setText } from "./dom.js";

/** What a link to another lesson keeps of the page's address. */
const KEPT = ["teach", "class", "lock", "projector"];

export class Lesson {
  /**
   * @param {HTMLElement} element
   * @param {LessonQuestion} question
   * @param {{ predict(answer: number): void, start(): void, reveal(): void }} on
   *   `predict` is given the number of an option; `start` and `reveal` are a class's teacher's
   */
  constructor(element, question, on) {
    this.question = question;
    this.buttons = question.options.map((option, answer) => {
      const [bar, count] = [make("i", { "aria-hidden": "true" }), make("b")];
      const button = make("button", { type: "button", className: "svae-option" }, bar, option, " ", count);
      button.addEventListener("click", () => on.predict(answer));
      return { button, bar, count };
    });
    this.asking = make("span");
    this.start = this.#action("Start the run", on.start);
    this.show = this.#action("Reveal for all", on.reveal);
    this.next = make("a", { className: "svae-action svae-next", target: "_self" });
    if (question.next) {
      this.next.href = address(question.next.query);
      setText(this.next, `Next: ${question.next.title} →`);
    }
    this.told = make("p", { className: "svae-question", role: "status" });
    this.why = make("span", { className: "svae-reveal" });
    this.words = make("span");
    this.drag = make("b", { className: "svae-drag" });
    this.told.append(make("b", {}, `${question.title}. `), this.words, this.why, " ", this.drag);
    const buttons = this.buttons.map(({ button }) => button);
    const options = { className: "svae-options", role: "group", "aria-label": "Predictions" };
    this.root = make(
      "section",
      { className: "svae-lesson", "aria-label": question.title },
      this.told,
      make("div", options, this.asking, ...buttons, this.start, this.show, this.next),
    );
    element.append(this.root);
  }

  /**
   * Whether a prediction is waited for, so that results stay hidden, or levers locked.
   * @param {LessonState | null} state
   */
  update(state) {
    const { act, drag, question, hides, next } = this.question;
    const chosen = state?.prediction ?? null;
    const leads = state?.leads ?? false;
    const closed = state?.closed ?? false;
    const open = chosen === null && !closed && !leads;
    const reveal = state?.reveal ?? "";
    this.#tally(state, chosen, open);
    const follows = state?.followers !== undefined && !leads;
    this.root.dataset.leads = String(leads);
    let words = act && chosen !== null ? act : question;
    if (act && leads) words = closed ? act : `${question} ${act}`;
    if (act && follows && !open) words = "Now your teacher moves the levers: watch what happens.";
    setText(this.words, reveal ? "" : words);
    setText(this.why, reveal);
    setText(this.drag, reveal ? drag : "");
    this.start.hidden = !leads || !hides || closed;
    this.show.hidden = !leads || Boolean(reveal) || !state?.known;
    if (follows) setText(this.drag, ""); // the levers and the way on are the teacher's
    this.next.hidden = !next || !reveal || follows;
    return { hides: open && hides, locks: open && !hides };
  }

  /**
   * Options with the viewer's own marked, and how many of a class chose each where that is known.
   * @param {LessonState | null} state
   * @param {number | null} chosen
   * @param {boolean} open
   */
  #tally(state, chosen, open) {
    const tally = state?.tally ?? null;
    const all = tally?.reduce((sum, count) => sum + count, 0) ?? 0;
    this.buttons.forEach(({ button, bar, count }, answer) => {
      button.disabled = !open;
      button.setAttribute("aria-pressed", String(answer === chosen));
      bar.style.width = `${tally && all ? (100 * tally[answer]) / all : 0}%`;
      setText(count, tally ? String(tally[answer]) : "");
    });
    const asked = state?.leads ? `${all} of ${state.followers} predicted:` : "Predict first:";
    const closed = chosen === null ? "The question is closed:" : "You predicted:";
    setText(this.asking, open || state?.leads ? asked : closed);
  }

  /**
   * @param {string} name
   * @param {() => void} act
   */
  #action(name, act) {
    const button = make("button", { type: "button", className: "svae-action", hidden: "" }, name);
    button.addEventListener("click", act);
    return button;
  }
}

/**
 * This page with another lesson in it.
 * @param {Record<string, string>} query
 */
function address(query) {
  const url = new URL(window.location.href);
  const kept = KEPT.flatMap((name) => {
    const value = url.searchParams.get(name);
    return value === null ? [] : [[name, value]];
  });
  url.search = new URLSearchParams({ ...Object.fromEntries(kept), ...query }).toString();
  return url.href;
}
