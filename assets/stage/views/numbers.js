/**
 * The same content as text: every number on the stage at the moment shown, in a table.
 *
 * @import { Declaration, ModelNumbers, Moment, View, ViewContext } from "../types"
 */

import { make, number } from "../dom.js";

/** @type {Declaration} */
export const declaration = {
  order: 110,
  span: 12,
  needs: ["moment", "models"],
  handout: true,
};

/** @implements {View} */
export default class Numbers {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene }) {
    this.scene = scene;
    this.body = make("tbody");
    /** @type {Moment | null} */
    this.moment = null;
    const names = scene.members.map((member) => make("th", { scope: "col" }, member.name));
    const head = make("thead", {}, make("tr", {}, make("td"), ...names));
    this.details = make(
      "details",
      {},
      make("summary", {}, "All numbers of this moment, as text"),
      make("div", { className: "svae-scroll" }, make("table", {}, head, this.body)),
    );
    this.details.addEventListener("toggle", () => this.moment && this.draw(this.moment));
    element.append(this.details);
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.moment = moment;
    if (!this.details.open) return;
    const { models } = moment;
    /** @type {[string, string[]][]} */
    const rows = [
      ["step (epoch)", models.map(() => `${moment.step} (${moment.epoch})`)],
      ["loss D", models.map((model) => number(model.loss))],
      ["collapse loss δ", models.map((model) => number(model.delta))],
      ["feasible band", models.map((model) => `${number(model.lo)} … ${number(model.hi)}`)],
      ["KL in nats", models.map((model) => number(model.kl))],
      ["βσ²/λₘₐₓ", models.map((model) => number(model.gauge, 2))],
      ["structure of the latents", models.map((model) => number(model.structure, 2))],
    ];
    for (const dimension of models[0].kl_per_dim.keys()) {
      const texts = models.map((model) => text(model, dimension));
      rows.push([`KL of dimension ${dimension + 1}`, texts]);
    }
    this.body.replaceChildren(
      ...rows.map(([name, values]) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, name),
          ...values.map((value) => make("td", {}, value)),
        ),
      ),
    );
  }

  resize() {}

  recolour() {}

  dispose() {}
}

/**
 * @param {ModelNumbers} model
 * @param {number} dimension
 */
function text(model, dimension) {
  const state = model.active[dimension] ? "active" : "inactive";
  return `${number(model.kl_per_dim[dimension])}, ${state}`;
}
