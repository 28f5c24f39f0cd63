/** The same content as text: every number on the stage at the moment shown, in a table. */

import { make, number } from "../dom.js";

export class Numbers {
  constructor(element, scene) {
    this.scene = scene;
    this.body = make("tbody");
    this.moment = null;
    const names = scene.members.map((member) => make("th", { scope: "col" }, member.name));
    const head = make("thead", {}, make("tr", {}, make("td"), ...names));
    this.details = make(
      "details",
      { className: "svae-numbers" },
      make("summary", {}, "All numbers of this moment, as text"),
      make("div", { className: "svae-scroll" }, make("table", {}, head, this.body)),
    );
    this.details.addEventListener("toggle", () => this.moment && this.draw(this.moment));
    element.append(this.details);
  }

  draw(moment) {
    this.moment = moment;
    if (!this.details.open) return;
    const { models } = moment;
    const rows = [
      ["step (epoch)", models.map(() => `${moment.step} (${moment.epoch})`)],
      ["loss D", models.map((model) => number(model.loss))],
      ["collapse loss δ", models.map((model) => number(model.delta))],
      ["feasible band", models.map((model) => `${number(model.lo)} … ${number(model.hi)}`)],
      ["KL in nats", models.map((model) => number(model.kl))],
      ["structure of the latents", models.map((model) => number(model.structure, 2))],
      ...models[0].kl_per_dim.map((_, dimension) => [
        `KL of dimension ${dimension + 1}`,
        models.map((model) => text(model, dimension)),
      ]),
    ];
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

function text(model, dimension) {
  const state = model.active[dimension] ? "active" : "inactive";
  return `${number(model.kl_per_dim[dimension])}, ${state}`;
}
