/**
 * What points are coloured by, to choose; and below it the groups, each a button that shows or hides
 * it in all views, or the scale between its ends.
 *
 * @import { Cluster, Scene, Theme } from "./types"
 * @import { Colours } from "./colours.js"
 * @import { Selection } from "./selection.js"
 */

import { brief, looksOf } from "./colouring.js";
import { make } from "./dom.js";
import { sprites } from "./sprites.js";

const SIZE = 10;

export class Legend {
  /**
   * @param {HTMLElement} element
   * @param {Scene} scene
   * @param {Selection} selection
   * @param {Colours} colours
   * @param {() => void} moved  is called when the legend takes another height of the element
   */
  constructor(element, scene, selection, colours, moved) {
    this.scene = scene;
    this.selection = selection;
    this.colours = colours;
    /** @type {(HTMLButtonElement | null)[]} of each group */
    this.buttons = [];
    this.head = this.#head();
    this.marks = make("span", { className: "svae-groups" });
    this.root = make("div", { className: "svae-legend", role: "group", "aria-label": "Colours" });
    this.root.append(this.head, this.marks, ...this.#pictures());
    element.append(this.root);
    this.sizes = new ResizeObserver(() => {
      const room = `${this.root.offsetHeight}px`;
      if (element.style.paddingBottom === room) return;
      element.style.paddingBottom = room;
      moved();
    });
    this.sizes.observe(this.root);
    selection.listen((kind) => kind === "hidden" && this.#update());
  }

  dispose() {
    this.sizes.disconnect();
  }

  /** @param {Theme} theme  or the colouring is another */
  recolour(theme) {
    const { colouring } = this.selection;
    const { groups, slots } = colouring;
    this.buttons = [];
    if (groups) {
      const sizes = groups.map(() => 0);
      for (const slot of slots) sizes[slot] += 1;
      this.buttons = groups.map((group, g) => (sizes[g] ? this.#button(group, g, sizes[g], theme) : null));
      this.marks.replaceChildren(...this.buttons.filter((button) => button !== null));
    } else {
      this.marks.replaceChildren(...this.#scale(theme));
    }
    this.#update();
  }

  /** A menu where there is a choice. */
  #head() {
    const { names } = this.colours;
    if (names.length < 2) return make("span", {}, "clusters");
    const menu = make("select", { "aria-label": "Colour by" });
    menu.append(...names.map((name) => make("option", { value: name }, name)));
    menu.addEventListener("change", () => this.colours.choose(menu.value));
    this.menu = menu;
    return make("label", {}, make("span", {}, "colour by "), menu);
  }

  #pictures() {
    if (!this.scene.image || !this.colours.names.includes("cluster") || !this.scene.colours) return [];
    const button = make("button", { type: "button", className: "svae-flat svae-small" }, "pictures");
    button.title = "Draw small pictures in place of points";
    button.addEventListener("click", () => this.colours.choosePictures(!this.colours.wantsPictures));
    this.pictures = button;
    return [button];
  }

  /** @param {Theme} theme */
  #scale(theme) {
    const { colouring } = this.selection;
    const bar = make("span", { className: "svae-scale" });
    const colours = looksOf(colouring, this.scene).map((look) => theme.colourOf(look));
    bar.style.background = `linear-gradient(to right, ${colours.join(",")})`;
    return [brief(colouring.low), bar, brief(colouring.high)];
  }

  /**
   * @param {Cluster} group
   * @param {number} g
   * @param {number} size
   * @param {Theme} theme
   */
  #button(group, g, size, theme) {
    const ratio = Math.max(1, window.devicePixelRatio);
    const [mark] = sprites(group, theme, SIZE * ratio, 1);
    mark.style.width = `${mark.width / ratio}px`;
    const button = make("button", { type: "button", className: "svae-flat" }, mark, group.name);
    const named = `${this.selection.colouring.name} ${group.name}`;
    button.title = `${named}, ${size} points: show or hide`;
    button.setAttribute("aria-label", `${named}, shown`);
    button.addEventListener("click", () => this.selection.toggle(g));
    return button;
  }

  #update() {
    const { selection, colours, menu } = this;
    if (menu) menu.value = selection.colouring.name;
    this.pictures?.setAttribute("aria-pressed", String(colours.wantsPictures));
    this.buttons.forEach((button, g) => {
      button?.setAttribute("aria-pressed", String(!selection.hidden.has(g)));
    });
  }
}
