/**
 * How each model stands, in one sentence under its bars.
 *
 * @import { Declaration, Moment, View, ViewContext } from "../types"
 */

import { make, setText } from "../dom.js";

/** @type {Declaration} */
export const declaration = {
  order: 35,
  span: 12,
  place: "models",
  columns: true,
  needs: ["moment", "models", "certificates"],
  lively: true,
  styles: `
/* As high as the certificate's sentence from the start: nothing below jumps when it comes. */
& .svae-sentence {
  min-height: 8.1em;
  font-size: 0.9375rem;
  line-height: 1.35;
}

@media (min-width: 1500px) {
  & .svae-sentence { min-height: 5.4em; }
}

@media (max-width: 900px) {
  & .svae-sentence { min-height: 14.9em; }
}
`,
};

/** @implements {View} */
export default class Sentences {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, recording }) {
    this.scene = scene;
    this.recording = recording;
    this.sentences = scene.members.map(() => make("p", { className: "svae-sentence" }));
    // Sentences change with every frame; only the last word is read aloud.
    this.spoken = make("p", { className: "svae-unseen", "aria-live": "polite" });
    element.append(...this.sentences, this.spoken);
  }

  /** @param {Moment} moment */
  draw(moment) {
    const done = moment.index === this.recording.count - 1 ? this.recording.certificates : [];
    this.sentences.forEach((sentence, m) => {
      setText(sentence, (done[m] ?? moment.models[m]).sentence);
    });
    const names = this.scene.members.map((member) => member.name);
    setText(this.spoken, done.map((one, m) => `${names[m]}: ${one.sentence}`).join(" "));
  }

  resize() {}

  recolour() {}

  dispose() {}
}
