/**
 * The latent means of both models in two dimensions: PCA at first, UMAP when its worker is warm.
 * A drag selects points, by lasso or box; they are marked in all views.
 *
 * @import { Declaration, Layout, Moment, Point, Theme, View, ViewContext } from "../types"
 * @import { Places } from "../lasso.js"
 */

import { wordsOf } from "../colouring.js";
import { make, setText } from "../dom.js";
import { choiceOf, Lasso, PICKING } from "../lasso.js";
import { Points } from "../points.js";
import { SelectionPanel } from "../selection_panel.js";
import { listenForDrags, Sheet } from "../sheet.js";

/** @type {Declaration} */
export const declaration = {
  order: 70,
  title: "Latent means",
  span: 7,
  height: "clamp(230px, 28vh, 340px)",
  needs: ["layout"],
  paper: true,
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

& .svae-picked > summary {
  padding: 0 0.45rem;
  border-radius: 0.3rem;
}

& .svae-picked > summary::after {
  content: " ▾";
}

& .svae-picked[data-some] > summary,
& .svae-picked > summary:hover {
  background: var(--surface);
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
    this.lasso = new Lasso();
    this.points = new Points(scene, selection, 1);
    Object.assign(element, { seen: this.places, selection }); // for tests in a browser
    this.sheet = new Sheet(element, "Latent means of both models, in two dimensions");
    this.empty = scene.members.map(() => make("p", { className: "svae-empty" }));
    this.sheet.root.append(...this.empty);
    this.captions = scene.members.map(() => make("p"));
    element.append(this.#tools(), make("div", { className: "svae-captions" }, ...this.captions));
    selection.listen((change) => {
      if (change === "colours") this.recolour(this.theme);
      else if (change === "hidden" || change === "group") this.#render();
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
    if (!this.sheet.fits) this.sheet.fit(); // captions of other lengths leave it another height
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
    this.points.recolour(theme, 5.8 * this.sheet.ratio, this.sheet.ratio);
    this.#render();
  }

  figure() {
    return this.selection.figure();
  }

  dispose() {}

  #tools() {
    const buttons = choiceOf(PICKING, (tool) => (this.lasso.box = tool === "box"));
    const { root } = new SelectionPanel(this.scene, this.selection);
    return make("div", { className: "svae-tools" }, ...buttons, root);
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
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (let n = 0; n < x.length; n += 1) {
      this.points.draw(context, n, { x: x[n] * ratio, y: y[n] * ratio }, 1);
    }
    context.globalAlpha = 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  #mark() {
    const { sheet, selection } = this;
    const colours = { ink: this.theme.text, paper: this.theme.background };
    sheet.clear(sheet.marks);
    this.places.forEach((places, m) => {
      if (!places) return;
      const { x, y } = places;
      /** @param {number} n */
      const at = (n) => ({ x: x[n], y: y[n] });
      sheet.ring(selection.marked.filter((n) => selection.shows(n)).map(at), colours);
      const main = [selection.hovered, selection.picked].filter((n) => n >= 0);
      sheet.ring(main.map(at), colours, true);
      const { landed } = selection;
      if (landed && landed.header.index < 0) {
        // Own input has no place of its own on a map: it stands amid its nearest latent means.
        sheet.cross([middle(landed.header.models[m].near.map(at))], colours, true);
      }
    });
    this.lasso.draw(sheet.marks, this.theme);
  }

  /** The maps that there are. */
  #maps() {
    return this.places.filter((places) => places !== null);
  }

  #listen() {
    const { root } = this.sheet;
    listenForDrags(root, {
      start: (event) => this.lasso.begin(this.sheet.at(event)),
      drag: (event) => {
        this.lasso.go(this.sheet.at(event));
        this.#mark();
      },
      end: () => this.selection.mark(this.lasso.end(this.#maps(), (n) => this.selection.shows(n))),
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
    const text = row < 0 ? "" : `point ${row + 1}, ${wordsOf(this.selection.colouring, row)}`;
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
}

/** @param {Point[]} places */
function middle(places) {
  const sum = places.reduce((all, { x, y }) => ({ x: all.x + x, y: all.y + y }), { x: 0, y: 0 });
  return { x: sum.x / places.length, y: sum.y / places.length };
}

/** @param {Float32Array} values */
function largest(values) {
  let found = 0;
  for (const value of values) found = Math.max(found, Math.abs(value));
  return found;
}
