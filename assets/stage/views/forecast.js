/**
 * What is next: which dimension would come alive or die, and at which βσ². Copies of the run may
 * try it out; where a birth is resolved, a button moves σ² there.
 *
 * @import { Declaration, Moment, OutlookNumbers, TriedNumbers, View, ViewContext } from "../types"
 */

import { capitalised, make } from "../dom.js";
import { spelt } from "../logarithmic.js";

/** @type {Declaration} */
export const declaration = {
  order: 95,
  span: 12,
  needs: ["outlook", "settings"],
  handout: true,
  styles: `
& p {
  margin: 0 0 0.35rem;
  max-width: 75ch;
}

& .svae-choices {
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem;
}
`,
};

/** How far below the birth the button goes: a tenth. */
const BELOW = 0.9;

/** @implements {View} */
export default class Forecast {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, recording, alter, tryNearby }) {
    this.element = element;
    this.scene = scene;
    this.recording = recording;
    this.alter = alter;
    this.tryNearby = tryNearby;
    this.sentences = make("div");
    this.choices = make("div", { className: "svae-choices svae-act" }); // kept: it may be locked
    element.append(make("h4", {}, "What is next"), this.sentences, this.choices);
  }

  /** @param {Moment} _moment */
  draw(_moment) {
    const { outlook } = this.recording;
    const told = outlook?.models.some((one) => one) ?? false;
    this.element.hidden = !told;
    if (!outlook || !told) return;
    this.sentences.replaceChildren(...this.#said(outlook));
    this.choices.replaceChildren(this.#trial(outlook), ...this.#wake(outlook));
  }

  resize() {}

  recolour() {}

  dispose() {}

  /** @param {OutlookNumbers} outlook */
  #said(outlook) {
    return outlook.models.flatMap((one, m) => {
      if (!one) return [];
      const name = make("b", {}, `${capitalised(this.scene.members[m].name)}, step ${outlook.step}: `);
      const said = [make("p", {}, name, `${one.sentence} ${one.latents}`)];
      const tried = outlook.tried[m];
      if (tried) said.push(make("p", {}, `From step ${outlook.triedStep}: ${tried.sentence}`));
      return said;
    });
  }

  /** @param {OutlookNumbers} outlook */
  #trial(outlook) {
    const label = outlook.trying ? "Copies are being trained …" : "Try it with copies of this run";
    const title = "Trains copies with βσ² up to 1.85 times higher and lower: seconds to a minute";
    const button = make("button", { type: "button", className: "svae-action", title }, label);
    button.disabled = outlook.trying;
    button.addEventListener("click", () => this.tryNearby());
    return button;
  }

  /**
   * A button that wakes the next dimension, if a birth is resolved: as tried, or of linear nets.
   * @param {OutlookNumbers} outlook
   */
  #wake(outlook) {
    const { now } = this.recording;
    const found = outlook.models.map((one, m) => {
      /** @type {TriedNumbers | null | undefined} */
      const tried = outlook.tried[m];
      return tried?.birth_resolved ? tried : one;
    });
    const born = found.find((one) => one?.birth_resolved && one.birth_below !== null);
    if (!born?.birth_below || !now) return [];
    const sigma2 = Number(spelt((BELOW * born.birth_below) / now.beta));
    const title = "A tenth below the birth, from the moment shown on; at the end of a run, from half-way";
    const button = make("button", { type: "button", className: "svae-action", title }, `Wake the next dimension: σ² = ${spelt(sigma2)}`);
    button.addEventListener("click", () => this.alter({ sigma2 }));
    return [button];
  }
}
