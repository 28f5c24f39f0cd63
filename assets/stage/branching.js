/**
 * A small form for other settings from the moment shown on, and the tree of what was tried so far,
 * which is the undo history: each entry leads back to its run.
 *
 * @import { RunSettings, TreeNode } from "./types"
 * @import { Recording } from "./frames.js"
 * @import { Player } from "./player.js"
 */

import { make, setText } from "./dom.js";

const FIELDS = [
  { name: "sigma2", label: "σ²", step: "any" },
  { name: "beta", label: "β", step: "any" },
  { name: "from", label: "band from", step: 0.01 },
  { name: "to", label: "to", step: 0.01 },
];

export class Branching {
  /**
   * @param {HTMLElement} element
   * @param {Player} player
   * @param {Recording} recording
   * @param {{ move(run: string, query: TreeNode["query"]): void, close(): void }} on
   *   `move` goes to another run of the tree; `close` puts the form away
   */
  constructor(element, player, recording, on) {
    this.player = player;
    this.recording = recording;
    this.on = on;
    /** @type {Record<string, HTMLInputElement>} */
    this.fields = {};
    this.lower = make("input", { type: "checkbox" });
    this.submit = make("button", { type: "submit", className: "svae-action" });
    /** @type {RunSettings | null} what the form was filled with */
    this.filled = null;
    this.drawn = ""; // the tree in the list, in JSON
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
    setText(this.submit, branches ? `Branch off at step ${shown}` : "Change from here on");
    this.#drawTree();
  }

  #form() {
    const labels = FIELDS.map(({ name, label, step }) => {
      this.fields[name] = make("input", { type: "number", min: 0, step, required: "" });
      return make("label", {}, label, this.fields[name]);
    });
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
    const filled = past ?? recording.now;
    this.filled = filled;
    if (!filled) return;
    const { sigma2, beta, band: [from, to] } = filled;
    for (const [name, value] of Object.entries({ sigma2, beta, from, to })) {
      this.fields[name].value = String(value);
    }
    this.lower.checked = filled.lower_edge;
  }

  /**
   * Only what was altered here: what is in force may have changed while the form was open.
   * @returns {Partial<RunSettings>}
   */
  #changes() {
    /** @param {string} name */
    const value = (name) => Number(this.fields[name].value);
    /** @type {RunSettings} */
    const all = {
      sigma2: value("sigma2"),
      beta: value("beta"),
      band: [value("from"), value("to")],
      lower_edge: this.lower.checked,
    };
    const before = new Map(Object.entries(this.filled ?? {}));
    const altered = Object.entries(all).filter(([name, now]) => {
      return JSON.stringify(now) !== JSON.stringify(before.get(name));
    });
    return Object.fromEntries(altered);
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

  /**
   * @param {TreeNode} node
   * @param {number} depth  how many branchings lead to it
   */
  #run(node, depth) {
    const button = make("button", { type: "button", title: "Go to this run" }, node.what);
    if (node.here) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => !node.here && this.on.move(node.run, node.query));
    return make("li", {}, depth ? "↳ ".repeat(Math.min(depth, 3)) : "", button);
  }

  /**
   * @param {TreeNode} node
   * @param {TreeNode["changes"][number]} change
   */
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
