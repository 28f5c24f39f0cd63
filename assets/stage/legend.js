/**
 * The clusters, each a button that shows or hides it in all views.
 *
 * @import { Cluster, Scene, Theme } from "./types"
 * @import { Selection } from "./selection.js"
 */

import { make } from "./dom.js";
import { sprites } from "./sprites.js";

const SIZE = 10;

export class Legend {
  /**
   * @param {HTMLElement} element
   * @param {Scene} scene
   * @param {Selection} selection
   */
  constructor(element, scene, selection) {
    this.scene = scene;
    this.selection = selection;
    this.sizes = scene.clusters.map(() => 0);
    for (const label of selection.labels) this.sizes[label] += 1;
    this.buttons = scene.clusters.map((cluster, c) => this.#button(cluster, c));
    this.root = make("div", { className: "svae-legend", role: "group", "aria-label": "Clusters" });
    this.root.append(make("span", {}, "clusters"), ...this.buttons.filter((button) => button !== null));
    element.append(this.root);
    selection.listen((kind) => kind === "clusters" && this.#update());
  }

  /** @param {Theme} theme */
  recolour(theme) {
    const ratio = Math.max(1, window.devicePixelRatio);
    this.buttons.forEach((button, c) => {
      const [mark] = sprites(this.scene.clusters[c], theme, SIZE * ratio, 1);
      mark.style.width = `${mark.width / ratio}px`;
      button?.replaceChildren(mark, this.scene.clusters[c].name);
    });
  }

  /**
   * @param {Cluster} cluster
   * @param {number} c
   */
  #button(cluster, c) {
    if (!this.sizes[c]) return null;
    const button = make("button", { type: "button", className: "svae-flat", "aria-pressed": "true" });
    button.title = `cluster ${cluster.name}, ${this.sizes[c]} points: show or hide`;
    button.addEventListener("click", () => this.selection.toggle(c));
    return button;
  }

  #update() {
    this.buttons.forEach((button, c) => {
      button?.setAttribute("aria-pressed", String(!this.selection.hidden.has(c)));
    });
  }
}
