/**
 * What was measured on the trained models, on all points: shown when training is finished.
 *
 * @import { CertificateNumbers, Declaration, View, ViewContext } from "../types"
 */

import { make, number } from "../dom.js";

/** @type {Declaration} */
export const declaration = {
  order: 100,
  span: 12,
  needs: ["certificates"],
  handout: true,
};

/** @type {[string, (certificate: CertificateNumbers) => string][]} */
const ROWS = [
  ["verdict", (c) => c.verdict],
  ["loss D, sampled latents", (c) => `${number(c.loss)} + ${number(c.loss_margin)} ${margin(c)}`],
  ["collapse loss δ", (c) => `${number(c.delta)} (${c.delta_definition})`],
  ["feasible band", (c) => `${number(c.lo)} … ${number(c.hi)}: ${side(c)}`],
  ["KL", (c) => `${number(c.kl)} nats`],
  ["mutual information", (c) => `${number(c.mutual_information)}${error(c)} nats ${ceiling(c)}`],
  ["guaranteed, elementary", (c) => `${number(c.floors.elementary)} nats`],
  ["guaranteed, proved", (c) => `${number(c.floors.proved)} nats`],
  ["guaranteed, numerical", (c) => `${number(c.floors.tight)} nats`],
  ["active units", (c) => `${c.active_units} of ${c.kl_per_dim.length}`],
  ["βσ²/λₘₐₓ", (c) => number(c.gauge, 2)],
  ["measured on", (c) => `${c.n_points} points, seed ${c.seed}, ${c.epochs} epochs`],
];
/** Rows that most runs do not have. @type {[string, (certificate: CertificateNumbers) => string][]} */
const MORE = [
  [
    "Λ*, from which on this decoder needs no z",
    ({ prefix_edge: edge }) => (edge === null || edge === undefined ? "" : number(edge)),
  ],
  [
    "Brier score off the shell (best constant)",
    ({ sequences: s }) => (s ? `${number(s.brier, 2)} (${number(s.brier_constant, 2)})` : ""),
  ],
  [
    "wrong symbols × 2, a hard answer's error",
    ({ sequences: s }) => (s ? `${number(s.wrong, 2)} of ${s.length}, ${number(s.hard, 2)}` : ""),
  ],
];
/** @param {CertificateNumbers} c */
const margin = (c) => `(99 % margin, ${c.draws} draws)`;
/** @param {CertificateNumbers} c */
const side = (c) => (c.in_band ? "inside" : "outside");
/** @param {CertificateNumbers} c */
const error = (c) => (c.mutual_information_error ? ` ± ${number(c.mutual_information_error)}` : "");
/** @param {CertificateNumbers} c */
const ceiling = (c) => `(at most ${number(c.mi_ceiling, 2)} measurable)`;

/** @implements {View} */
export default class Certificate {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, recording }) {
    this.element = element;
    this.scene = scene;
    this.recording = recording;
  }

  draw() {
    const { certificates } = this.recording;
    this.element.hidden = certificates.length === 0;
    this.element.replaceChildren(...(certificates.length ? this.#content(certificates) : []));
  }

  resize() {}

  recolour() {}

  dispose() {}

  /** @param {CertificateNumbers[]} certificates */
  #content(certificates) {
    const names = this.scene.members.map((member) => make("th", { scope: "col" }, member.name));
    const more = MORE.filter(([, text]) => certificates.some((one) => text(one) !== ""));
    const rows = [...ROWS, ...more].map(([name, text]) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, name),
        ...certificates.map((one) => make("td", {}, text(one))),
      ),
    );
    const table = make(
      "table",
      {},
      make("thead", {}, make("tr", {}, make("td"), ...names)),
      make("tbody", {}, ...rows),
    );
    return [make("h4", {}, "Certificate"), make("div", { className: "svae-scroll" }, table)];
  }
}
