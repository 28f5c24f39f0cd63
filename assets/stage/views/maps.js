/**
 * The latent means of both models in two dimensions: PCA at first, UMAP when its worker is warm.
 * A drag selects points, by lasso or box; they are marked in all views.
 *
 * @import { Declaration, Layout, Moment, Point, Theme, View, ViewContext } from "../types"
 * @typedef {{ x: Float32Array, y: Float32Array }} Places  of all points on the sheet
 */

import { make, setText } from "../dom.js";
import { FAINT, listenForDrags, Sheet } from "../sheet.js";
import { sprites } from "../sprites.js";

/** @type {Declaration} */
export const declaration = {
  order: 70,
  title: "Latent means",
  span: 5,
  height: "clamp(230px, 28vh, 340px)",
  needs: ["layout"],
  styles: `
&,
& .svae-place {
  position: relative;
}

& .svae-place {
  display: flex;
  flex-direction: column;
}

& .svae-sheet {
  flex: 1;
  min-height: 0;
  cursor: crosshair;
}

& .svae-tools {
  position: absolute;
  top: -1.75rem;
  right: 0;
  display: flex;
  font-size: 0.875rem;
}

.svae-stage & .svae-empty {
  position: absolute;
  top: 50%;
  width: 44%;
  text-align: center;
  font-size: 0.9375rem;
  line-height: 1.35;
  transform: translateY(-50%);
  pointer-events: none;
}

& .svae-empty:nth-of-type(1) {
  left: 3%;
}

& .svae-empty:nth-of-type(2) {
  right: 3%;
}

& .svae-captions {
  display: grid;
  grid-template-columns: repeat(2, minmax(0, 1fr));
  gap: var(--gap);
  text-align: center;
}

& .svae-captions p {
  font-size: 0.875rem;
  line-height: 1.3;
}
`,
};

// Latents are measured against a prior of unit variance: so wide, PCA shows collapse as a dot.
const PCA_REACH = 3.5;
const CATCH = 8; // pixels around the pointer

/** @implements {View} */
export default class Maps {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, recording, selection }) {
    this.scene = scene;
    this.recording = recording;
    this.selection = selection;
    this.theme = theme;
    /** @type {Layout | null} */
    this.drawn = null;
    /** @type {(Places | null)[]} of each model */
    this.places = scene.members.map(() => null);
    /** @type {Point[] | null} the drag under way */
    this.trace = null;
    this.box = false;
    /** @type {HTMLCanvasElement[]} a marker for each cluster */
    this.sprites = [];
    this.sheet = new Sheet(element, "Latent means of both models, in two dimensions");
    this.empty = scene.members.map(() => make("p", { className: "svae-empty" }));
    this.sheet.root.append(...this.empty);
    this.captions = scene.members.map(() => make("p"));
    element.append(this.#tools(), make("div", { className: "svae-captions" }, ...this.captions));
    selection.listen((change) => {
      if (change === "clusters" || change === "group") this.#render();
      else this.#mark();
    });
    this.#listen();
    this.recolour(theme);
  }

  /** @param {Moment} moment */
  draw(moment) {
    const layout = this.recording.layoutAt(moment.step);
    if (!layout) return false;
    this.drawn = layout;
    layout.models.forEach((model, m) => {
      const { name } = this.scene.members[m];
      const nothing = model.kind === "none";
      setText(this.captions[m], nothing ? name : `${name}: ${model.sentence}`);
      setText(this.empty[m], nothing ? model.sentence : "");
    });
    this.#render();
    return true;
  }

  resize() {
    this.sheet.fit();
    this.#render();
  }

  /** @param {Theme} theme */
  recolour(theme) {
    this.theme = theme;
    const size = 5.5 * this.sheet.ratio;
    this.sprites = this.scene.clusters.map((cluster) => sprites(cluster, theme, size, 1)[0]);
    this.#render();
  }

  dispose() {}

  #tools() {
    const names = { lasso: "Lasso", box: "Box" };
    const buttons = Object.entries(names).map(([kind, name]) => {
      const button = make(
        "button",
        { type: "button", className: "svae-flat", title: `Select points by ${kind}` },
        name,
      );
      button.addEventListener("click", () => choose(kind));
      return button;
    });
    /** @param {string} kind */
    const choose = (kind) => {
      this.box = kind === "box";
      buttons.forEach((button, b) => button.setAttribute("aria-pressed", String(this.box === !!b)));
    };
    choose("lasso");
    return make("div", { className: "svae-tools" }, ...buttons);
  }

  #render() {
    this.sheet.clear(this.sheet.ground);
    const { drawn } = this;
    drawn?.models.forEach(({ kind }, m) => {
      const points = drawn.arrays[`layout${m}`].data;
      const places = kind === "none" ? null : this.#project(kind, points, m);
      if (places) this.#drawCloud(places);
      this.places[m] = places;
    });
    this.#mark();
  }

  /**
   * Where the points of a map are on the sheet: models stand side by side.
   * @param {string} kind
   * @param {Float32Array} points
   * @param {number} m
   * @returns {Places}
   */
  #project(kind, points, m) {
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

  /** @param {Places} places */
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
    for (const { x, y } of this.#maps()) {
      /** @param {number} n */
      const at = (n) => ({ x: x[n], y: y[n] });
      sheet.ring(selection.marked.filter((n) => selection.shows(n)).map(at), colours);
      const main = [selection.hovered, selection.picked].filter((n) => n >= 0);
      sheet.ring(main.map(at), colours, true);
    }
    if (this.trace) this.#drawTrace(this.trace);
  }

  /** The maps that there are. */
  #maps() {
    return this.places.filter((places) => places !== null);
  }

  /** @param {Point[]} trace */
  #drawTrace(trace) {
    const context = this.sheet.marks;
    context.beginPath();
    for (const { x, y } of this.#corners(trace)) context.lineTo(x, y);
    context.closePath();
    context.strokeStyle = this.theme.text;
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  /**
   * The outline drawn so far: as drawn, or the box between its ends.
   * @param {Point[]} trace
   */
  #corners(trace) {
    if (!this.box) return trace;
    const [a, b] = [trace[0], trace[trace.length - 1]];
    return [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }];
  }

  #listen() {
    const { root } = this.sheet;
    listenForDrags(root, {
      start: (event) => (this.trace = [this.sheet.at(event)]),
      drag: (event) => {
        this.trace?.push(this.sheet.at(event));
        this.#mark();
      },
      end: () => {
        const corners = this.#corners(this.trace ?? []);
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

  /** @param {PointerEvent | null} event */
  #hover(event) {
    const row = event ? this.#nearest(this.sheet.at(event)) : -1;
    this.selection.hover(row);
    const { clusters } = this.scene;
    const text = row < 0 ? "" : `point ${row + 1}, cluster ${clusters[this.selection.labels[row]].name}`;
    this.sheet.showTip(text, event ? this.sheet.at(event) : undefined);
  }

  /**
   * The nearest point within a few pixels, in either map, or −1.
   * @param {Point} pointer
   */
  #nearest({ x, y }) {
    let [found, best] = [-1, CATCH];
    for (const place of this.#maps()) {
      for (let n = 0; n < place.x.length; n += 1) {
        const away = Math.hypot(place.x[n] - x, place.y[n] - y);
        if (away < best && this.selection.shows(n)) [found, best] = [n, away];
      }
    }
    return found;
  }

  /**
   * The points within an outline, in either map.
   * @param {Point[]} corners
   */
  #inside(corners) {
    /** @type {Set<number>} */
    const found = new Set();
    for (const place of this.#maps()) {
      for (let n = 0; n < place.x.length; n += 1) {
        if (this.selection.shows(n) && within(corners, place.x[n], place.y[n])) found.add(n);
      }
    }
    return [...found];
  }
}

/**
 * Whether a point lies within a polygon: an odd number of its sides are to the right.
 * @param {Point[]} corners
 * @param {number} x
 * @param {number} y
 */
export function within(corners, x, y) {
  let odd = false;
  let b = corners[corners.length - 1];
  for (const a of corners) {
    // A side that a horizontal line through the point crosses, where it does so further right.
    if (a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) odd = !odd;
    b = a;
  }
  return odd;
}

/** @param {Float32Array} values */
function largest(values) {
  let found = 0;
  for (const value of values) found = Math.max(found, Math.abs(value));
  return found;
}
