/** The point picked out, its centroid, and what both models give back for it now. */

import { make, say } from "../dom.js";
import { part } from "../frames.js";
import { Album } from "../pictures.js";

const ZOOM = 1.5;

export class Decoded {
  constructor(element, scene, theme, _recording, selection) {
    this.element = element;
    this.scene = scene;
    this.selection = selection;
    this.theme = theme;
    this.album = new Album(scene);
    this.point = null;
    const names = ["original", "its centroid", ...scene.members.map((member) => member.name)];
    this.canvases = names.map((name) => make("canvas", { role: "img", "aria-label": name }));
    this.title = make("b", { "aria-live": "polite" });
    const close = make("button", { type: "button", title: "Close (Escape)", "aria-label": "Close" }, "✕");
    close.addEventListener("click", () => selection.clear());
    this.pictures = make(
      "div",
      {},
      ...names.map((name, n) => make("figure", {}, this.canvases[n], make("figcaption", {}, name))),
    );
    element.append(make("header", {}, this.title, close), this.pictures);
    element.hidden = true;
    selection.listen((kind) => kind === "picked" && this.#wait());
  }

  /** What the server, or nobody, says about the point. */
  show({ header, arrays }) {
    if (header.index !== this.selection.picked) return; // another was picked meanwhile
    this.point = arrays;
    const cluster = this.scene.clusters[header.cluster].name;
    say(this.title, `Point ${header.index + 1}, cluster ${cluster}, decoded at step ${header.step}`);
    this.pictures.hidden = false;
    this.#paint();
  }

  /** No server is there to decode. */
  refuse() {
    const { picked, labels } = this.selection;
    const cluster = this.scene.clusters[labels[picked]].name;
    say(this.title, `Point ${picked + 1}, cluster ${cluster}. Decoding needs the running app.`);
  }

  draw() {}

  resize() {}

  recolour(theme) {
    this.theme = theme;
    this.#paint();
  }

  dispose() {}

  #wait() {
    const { picked } = this.selection;
    this.element.hidden = picked < 0;
    this.point = null;
    this.pictures.hidden = true;
    if (picked >= 0) say(this.title, `Point ${picked + 1} …`);
  }

  #paint() {
    if (!this.point) return;
    const { original, centroid, outputs } = this.point;
    const row = (m) => ({ shape: [1, outputs.shape[1]], data: part(outputs, m).data });
    const points = [original, centroid, ...this.scene.members.map((_, m) => row(m))];
    points.forEach((one, n) => this.album.paint(this.canvases[n], one, this.theme, ZOOM));
  }
}
