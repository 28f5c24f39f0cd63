/**
 * What was picked out, in a panel: whether the other points fade or vanish, and selections that the
 * viewer named. They are kept in the browser, for every run that shows the same points.
 *
 * @import { Scene } from "./types"
 * @import { Selection } from "./selection.js"
 * @typedef {{ name: string, points: string }} Kept  as `packed` packs points
 */

import { make, setText } from "./dom.js";
import { popover } from "./popover.js";
import { packed, unpacked } from "./selection.js";

const MOST = 12; // selections that are kept of the same points
const LONGEST = 40; // letters of a name

export class SelectionPanel {
  /**
   * @param {Scene} scene
   * @param {Selection} selection
   */
  constructor(scene, selection) {
    this.selection = selection;
    this.count = selection.labels.length;
    this.place = `svae.selections ${scene.key ?? scene.data} ${this.count}`;
    this.told = make("p");
    this.name = make("input", { type: "text", maxlength: LONGEST, placeholder: "name", "aria-label": "Name of the selection" });
    this.keep = make("button", { type: "submit", className: "svae-option" }, "Keep");
    const form = make("form", {}, this.name, this.keep);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#keep();
    });
    this.list = make("ul");
    const about = { className: "svae-picked", label: "Points picked out: filter, keep under a name" };
    this.root = popover(about, "Selection", this.told, this.#others(), form, this.list);
    this.root.addEventListener("toggle", () => this.#update()); // another tab may have kept one
    selection.listen((change) => change === "group" && this.#update());
    this.#update();
  }

  #others() {
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => this.selection.filter(box.checked));
    return make("label", {}, box, " hide all other points");
  }

  #update() {
    const { selection } = this;
    const count = selection.marked.length;
    const named = selection.name ? `“${selection.name}”: ` : "";
    const some = `${named}${count} of ${this.count} points. Escape clears.`;
    setText(this.told, selection.grouped ? some : "Draw around points to pick them out.");
    this.keep.disabled = this.name.disabled = !selection.grouped;
    const kept = this.#read();
    this.list.replaceChildren(...kept.map((one) => this.#line(one)));
    this.root.toggleAttribute("data-some", selection.grouped);
  }

  /** @param {Kept} kept */
  #line({ name, points }) {
    const rows = unpacked(points).filter((row) => row < this.count);
    const show = make("button", { type: "button", className: "svae-flat" }, `${name} (${rows.length})`);
    show.title = "Pick these points out";
    show.addEventListener("click", () => this.selection.mark(rows, name));
    const label = `Delete ${name}`;
    const away = make("button", { type: "button", className: "svae-flat", title: label, "aria-label": label }, "✕");
    away.addEventListener("click", () => {
      this.#write(this.#read().filter((one) => one.name !== name));
      this.root.querySelector("summary")?.focus(); // the button that had it is gone
      this.#update();
    });
    return make("li", {}, show, away);
  }

  #keep() {
    const { marked } = this.selection;
    const name = this.name.value.trim() || `${marked.length} points`;
    const others = this.#read().filter((one) => one.name !== name);
    this.#write([...others, { name, points: packed(marked, this.count) }].slice(-MOST));
    this.name.value = "";
    this.selection.mark(marked, name);
  }

  /** @returns {Kept[]} what this browser holds, which anybody may have written */
  #read() {
    try {
      const held = JSON.parse(localStorage.getItem(this.place) ?? "[]");
      return held.filter((/** @type {Kept} */ one) => {
        return typeof one.name === "string" && /^[\w-]+$/.test(one.points);
      });
    } catch {
      return [];
    }
  }

  /** @param {Kept[]} kept */
  #write(kept) {
    try {
      localStorage.setItem(this.place, JSON.stringify(kept));
    } catch {
      setText(this.told, "This browser keeps nothing for this page.");
    }
  }
}
