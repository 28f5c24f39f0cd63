/**
 * The latent means of both models in two dimensions: PCA at first, UMAP when it is compiled.
 * A drag selects points, by lasso or box; they are marked in all views.
 */

import { make, say } from "../dom.js";
import { FAINT, handle, Sheet } from "../sheet.js";
import { sprites } from "../sprites.js";

// Latents are measured against a prior of unit variance: so wide, PCA shows collapse as a dot.
const PCA_REACH = 3.5;
const CATCH = 8; // pixels around the pointer

export class Maps {
  constructor(element, scene, theme, recording, selection) {
    this.scene = scene;
    this.recording = recording;
    this.selection = selection;
    this.drawn = null;
    this.places = scene.members.map(() => null);
    this.sheet = new Sheet(element, "Latent means of both models, in two dimensions");
    this.empty = scene.members.map(() => make("p", { className: "svae-empty" }));
    this.sheet.root.append(...this.empty);
    this.captions = scene.members.map(() => make("p"));
    element.append(this.#tools(), make("div", { className: "svae-captions" }, ...this.captions));
    selection.listen((kind) => {
      if (kind === "clusters" || kind === "group") this.#render();
      else this.#mark();
    });
    this.#listen();
    this.recolour(theme);
  }

  draw(moment) {
    const layout = this.recording.layoutAt(moment.step);
    if (!layout || layout === this.drawn) return;
    this.drawn = layout;
    layout.models.forEach((model, m) => {
      const { name } = this.scene.members[m];
      const nothing = model.kind === "none";
      say(this.captions[m], nothing ? name : `${name}: ${model.sentence}`);
      say(this.empty[m], nothing ? model.sentence : "");
    });
    this.#render();
    return true;
  }

  resize() {
    this.sheet.fit();
    this.#render();
  }

  recolour(theme) {
    this.theme = theme;
    const size = 5.5 * this.sheet.ratio;
    this.sprites = this.scene.clusters.map((cluster) => sprites(cluster, theme, size, 1)[0]);
    this.#render();
  }

  dispose() {}

  #tools() {
    this.box = false;
    const names = { lasso: "Lasso", box: "Box" };
    const buttons = Object.entries(names).map(([kind, name]) => {
      const button = make("button", { type: "button", title: `Select points by ${kind}` }, name);
      button.addEventListener("click", () => choose(kind));
      return button;
    });
    const choose = (kind) => {
      this.box = kind === "box";
      buttons.forEach((button, b) => button.setAttribute("aria-pressed", String(this.box === !!b)));
    };
    choose("lasso");
    return make("div", { className: "svae-tools" }, ...buttons);
  }

  #render() {
    this.sheet.clear(this.sheet.ground);
    this.drawn?.models.forEach((model, m) => {
      this.places[m] = model.kind === "none" ? null : this.#project(model.kind, m);
      if (this.places[m]) this.#drawCloud(this.places[m]);
    });
    this.#mark();
  }

  /** Where the points of a map are on the sheet: models stand side by side. */
  #project(kind, m) {
    const points = this.drawn.arrays[`layout${m}`].data;
    const { width, height } = this.sheet;
    const count = points.length / 2;
    const reach = kind === "pca" ? PCA_REACH : 1.05 * Math.max(1, largest(points));
    const scale = Math.min(width / 4, height / 2) / reach;
    const place = { x: new Float32Array(count), y: new Float32Array(count) };
    for (let n = 0; n < count; n += 1) {
      place.x[n] = (0.25 + m / 2) * width + scale * points[2 * n];
      place.y[n] = height / 2 - scale * points[2 * n + 1];
    }
    return place;
  }

  #drawCloud({ x, y }) {
    const context = this.sheet.ground;
    const { ratio } = this.sheet;
    const { labels, hidden, grouped, chosen } = this.selection;
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (let n = 0; n < x.length; n += 1) {
      if (hidden.has(labels[n])) continue;
      if (grouped) context.globalAlpha = chosen[n] ? 1 : FAINT;
      const sprite = this.sprites[labels[n]];
      const half = sprite.width / 2;
      context.drawImage(sprite, Math.round(x[n] * ratio - half), Math.round(y[n] * ratio - half));
    }
    context.globalAlpha = 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  #mark() {
    const { sheet, selection } = this;
    const colours = { ink: this.theme.text, paper: this.theme.background };
    sheet.clear(sheet.marks);
    for (const place of this.places.filter(Boolean)) {
      const at = (n) => ({ x: place.x[n], y: place.y[n] });
      sheet.ring(selection.marked.filter((n) => selection.shows(n)).map(at), colours);
      const main = [selection.hovered, selection.picked].filter((n) => n >= 0);
      sheet.ring(main.map(at), colours, true);
    }
    if (this.trace) this.#drawTrace();
  }

  #drawTrace() {
    const context = this.sheet.marks;
    context.beginPath();
    for (const { x, y } of this.#corners()) context.lineTo(x, y);
    context.closePath();
    context.strokeStyle = this.theme.text;
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  /** The outline drawn so far: as drawn, or the box between its ends. */
  #corners() {
    if (!this.box) return this.trace;
    const [a, b] = [this.trace[0], this.trace.at(-1)];
    return [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }];
  }

  #listen() {
    const { root } = this.sheet;
    handle(root, {
      start: (event) => (this.trace = [this.sheet.at(event)]),
      drag: (event) => {
        this.trace.push(this.sheet.at(event));
        this.#mark();
      },
      end: () => {
        const corners = this.#corners();
        this.trace = null;
        this.selection.mark(this.#inside(corners));
      },
      click: (event) => {
        const row = this.#nearest(this.sheet.at(event));
        if (row >= 0) this.selection.pick(row);
      },
    });
    root.addEventListener("pointermove", (event) => event.buttons || this.#hover(event));
    root.addEventListener("pointerleave", () => this.#hover(null));
  }

  #hover(event) {
    const row = event ? this.#nearest(this.sheet.at(event)) : -1;
    this.selection.hover(row);
    const { clusters } = this.scene;
    const text = row < 0 ? "" : `point ${row + 1}, cluster ${clusters[this.selection.labels[row]].name}`;
    this.sheet.say(text, event ? this.sheet.at(event) : {});
  }

  #nearest({ x, y }) {
    let [found, best] = [-1, CATCH];
    for (const place of this.places.filter(Boolean)) {
      for (let n = 0; n < place.x.length; n += 1) {
        const away = Math.hypot(place.x[n] - x, place.y[n] - y);
        if (away < best && this.selection.shows(n)) [found, best] = [n, away];
      }
    }
    return found;
  }

  /** The points within an outline, in either map. */
  #inside(corners) {
    const found = new Set();
    for (const place of this.places.filter(Boolean)) {
      for (let n = 0; n < place.x.length; n += 1) {
        if (this.selection.shows(n) && within(corners, place.x[n], place.y[n])) found.add(n);
      }
    }
    return [...found];
  }
}

/** Whether a point lies within a polygon: an odd number of its sides are to the right. */
function within(corners, x, y) {
  let odd = false;
  corners.forEach((a, n) => {
    const b = corners.at(n - 1);
    if (a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) odd = !odd;
  });
  return odd;
}

function largest(values) {
  let found = 0;
  for (const value of values) found = Math.max(found, Math.abs(value));
  return found;
}
