/**
 * A small form for other settings from the moment shown on, and the tree of what was tried so far,
 * which is the undo history: each entry leads back to its run.
 */

import { make, say } from "./dom.js";

const FIELDS = [
  { name: "sigma2", label: "σ²", step: "any" },
  { name: "beta", label: "β", step: "any" },
  { name: "from", label: "band from", step: 0.01 },
  { name: "to", label: "to", step: 0.01 },
];

export class Branching {
  /** `on.move(run, query)` goes to another run of the tree; `on.close()` puts the form away. */
  constructor(element, player, recording, on) {
    this.player = player;
    this.recording = recording;
    this.on = on;
    this.form = this.#form();
    this.list = make("ol", { className: "svae-tree" });
    this.tree = make("nav", { "aria-label": "What was tried so far", hidden: "" }, this.list);
    element.append(this.form, this.tree);
  }

  /** Show the form, or hide it; whether it is shown now. */
  toggle(shown = this.form.hidden) {
    this.form.hidden = !shown;
    if (shown) {
      this.#fill();
      this.fields.sigma2.focus();
    }
    this.update();
    return shown;
  }

  update() {
    const { player, recording } = this;
    const shown = recording.rows[player.index]?.step ?? 0;
    const branches = player.behind || player.over;
    say(this.submit, branches ? `Branch off at step ${shown}` : "Change from here on");
    this.#drawTree();
  }

  #form() {
    this.fields = {};
    const labels = FIELDS.map(({ name, label, step }) => {
      this.fields[name] = make("input", { type: "number", min: 0, step, required: "" });
      return make("label", {}, label, this.fields[name]);
    });
    this.lower = make("input", { type: "checkbox" });
    this.submit = make("button", { type: "submit", className: "svae-action" });
    const form = make(
      "form",
      { className: "svae-form", "aria-label": "Other settings from here on", hidden: "" },
      ...labels,
      make("label", {}, this.lower, "lower edge counts"),
      this.submit,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.player.alter(this.#changes());
      this.on.close();
    });
    form.addEventListener("keydown", (event) => {
      event.stopPropagation(); // arrows and the like belong to the fields here
      if (event.key === "Escape") this.on.close();
    });
    return form;
  }

  #fill() {
    const { player, recording } = this;
    const past = player.behind || player.over ? recording.moments.get(player.index)?.then : null;
    this.filled = past ?? recording.now;
    if (!this.filled) return;
    const [from, to] = this.filled.band;
    const values = { sigma2: this.filled.sigma2, beta: this.filled.beta, from, to };
    for (const [name, value] of Object.entries(values)) this.fields[name].value = value;
    this.lower.checked = this.filled.lower_edge;
  }

  /** Only what was altered here: what is in force may have changed while the form was open. */
  #changes() {
    const value = (name) => Number(this.fields[name].value);
    const all = {
      sigma2: value("sigma2"),
      beta: value("beta"),
      band: [value("from"), value("to")],
      lower_edge: this.lower.checked,
    };
    const altered = ([name, now]) => JSON.stringify(now) !== JSON.stringify(this.filled?.[name]);
    return Object.fromEntries(Object.entries(all).filter(altered));
  }

  #drawTree() {
    const { tree } = this.recording;
    const key = JSON.stringify(tree);
    if (key === this.drawn) return;
    this.drawn = key;
    this.tree.hidden = tree.length < 2 && !tree.some((node) => node.changes.length);
    const depths = new Map();
    const entries = tree.flatMap((node) => {
      const depth = node.parent === null ? 0 : (depths.get(node.parent) ?? 0) + 1;
      depths.set(node.run, depth);
      return [this.#run(node, depth), ...node.changes.map((change) => this.#change(node, change))];
    });
    this.list.replaceChildren(...entries);
  }

  #run(node, depth) {
    const button = make("button", { type: "button", title: "Go to this run" }, node.what);
    if (node.here) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => !node.here && this.on.move(node.run, node.query));
    return make("li", {}, depth ? "↳ ".repeat(Math.min(depth, 3)) : "", button);
  }

  #change(node, { step, what }) {
    const button = make("button", { type: "button", title: "Go to that moment" }, what);
    button.disabled = !node.here;
    button.addEventListener("click", () => {
      const after = this.recording.rows.findIndex((row) => row.step > step);
      this.player.seek(Math.max(0, (after < 0 ? this.recording.count : after) - 1));
    });
    return make("li", {}, "· ", button);
  }
}
