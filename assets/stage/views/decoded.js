/**
 * A first look at the point picked out: its centroid, and what both models give back for it.
 *
 * @import { Arrays, Declaration, Message, Theme, View, ViewContext } from "../types"
 */

import { make, setText } from "../dom.js";
import { part } from "../frames.js";
import { Thumbnails } from "../thumbnails.js";

/** @type {Declaration} */
export const declaration = {
  order: 90,
  span: 12,
  needs: [],
  handout: true,
  styles: `
/* Over the lowest part of the stage in sight. */
& {
  position: sticky;
  bottom: 0.5rem;
  z-index: 3;
  justify-self: end;
}

& .svae-place:not([hidden]) {
  padding: 0.5rem 0.8rem;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--st-background-color, white);
  box-shadow: 0 2px 10px rgb(0 0 0 / 25%);
}

& header,
& .svae-place > div:not([hidden]) {
  display: flex;
  flex-wrap: wrap;
  justify-content: space-between;
  gap: 0.3rem 1rem;
}

& figure {
  flex: 0 1 auto;
  min-width: 4rem;
}

& figure canvas {
  max-width: 100%;
}

@media (max-width: 680px) {
  & .svae-place > div figure {
    flex: 1 1 4rem;
    max-width: 48%;
  }
}

& figcaption {
  font-weight: 400;
  font-size: 0.875rem;
}
`,
};

const ZOOM = 1.5;

/** @implements {View} */
export default class Decoded {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, selection }) {
    this.element = element;
    this.scene = scene;
    this.selection = selection;
    this.theme = theme;
    this.thumbnails = new Thumbnails(scene);
    /** @type {Arrays | null} */
    this.point = null;
    const names = ["original", "its centroid", ...scene.members.map((member) => member.name)];
    this.canvases = names.map((name) => make("canvas", { role: "img", "aria-label": name }));
    this.title = make("b", { "aria-live": "polite" });
    const close = make("button", {
      type: "button",
      className: "svae-flat",
      title: "Close (Escape)",
      "aria-label": "Close",
    }, "✕");
    close.addEventListener("click", () => selection.clear());
    this.pictures = make(
      "div",
      {},
      ...names.map((name, n) => make("figure", {}, this.canvases[n], make("figcaption", {}, name))),
    );
    const more = make("button", { type: "button", className: "svae-flat" }, "Follow it ↓");
    more.title = "Its posterior, several draws of z, its neighbours";
    more.addEventListener("click", () => selection.seek());
    element.append(make("header", {}, this.title, more, close), this.pictures);
    element.hidden = true;
    selection.listen((change) => change === "picked" && this.#begin());
  }

  /**
   * What the server says about the point.
   * @param {Message} message
   */
  showFollowed({ header, arrays }) {
    if (header.kind !== "followed" || header.index < 0) return;
    if (header.index !== this.selection.picked) return; // another was picked meanwhile
    this.point = arrays;
    const cluster = this.scene.clusters[header.cluster].name;
    setText(this.title, `Point ${header.index + 1}, cluster ${cluster}, decoded at step ${header.step}`);
    this.pictures.hidden = false;
    this.#paint();
  }

  draw() {}

  resize() {}

  /** @param {Theme} theme */
  recolour(theme) {
    this.theme = theme;
    this.#paint();
  }

  dispose() {}

  #begin() {
    const { picked, labels } = this.selection;
    this.element.hidden = picked < 0;
    this.point = null;
    this.pictures.hidden = true;
    if (picked < 0) return;
    const cluster = this.scene.clusters[labels[picked]].name;
    const served = this.element.closest(".svae-stage")?.getAttribute("data-source") !== "archive";
    const more = served ? " …" : ". Decoding needs the running app.";
    setText(this.title, `Point ${picked + 1}, cluster ${cluster}${more}`);
  }

  #paint() {
    if (!this.point) return;
    const { original, centroid, outputs } = this.point;
    /** The output of the first draw, which is that of the other views. @param {number} m */
    const row = (m) => ({ shape: [1, outputs.shape[2]], data: part(part(outputs, m), 0).data });
    const points = [original, centroid, ...this.scene.members.map((_, m) => row(m))];
    points.forEach((one, n) => this.thumbnails.paint(this.canvases[n], one, this.theme, ZOOM));
  }
}
