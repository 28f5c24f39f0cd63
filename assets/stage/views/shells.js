/**
 * Two shells under one camera: sampled reconstructions by cluster, the data faintly behind.
 *
 * Drawn by ourselves on a plain canvas. Plotly's 3-D scenes need a WebGL context each and, where
 * WebGL is done in software, draw a tenth as often (tests/benchmarks/stage.md).
 *
 * @import { Declaration, Moment, Point, Theme, View, ViewContext } from "../types"
 * @import { Viewport } from "../orbit.js"
 */

import { part } from "../frames.js";
import { Legend } from "../legend.js";
import { backToFront, emptyProjection, Orbit } from "../orbit.js";
import { FAINT, listenForDrags, Sheet } from "../sheet.js";
import { sprites } from "../sprites.js";

/** @type {Declaration} */
export const declaration = {
  order: 20,
  span: 12,
  place: "models",
  height: "clamp(150px, 29vh, 620px)",
  needs: ["shells"],
  lively: true,
  early: true,
  styles: `
& {
  position: relative;
  overflow: hidden;
}

& .svae-place {
  position: relative;
  padding-bottom: 1.6rem; /* the clusters' names */
}

@media (max-width: 680px) {
  & .svae-place {
    padding-bottom: 3.2rem;
  }
}
`,
};

const MOST_DATA = 600;
const LEVELS = 5;
const PER_PIXEL = 0.008; // radians
const BACKGROUND = {
  light: { globe: "#dde2e7", data: "#c2cad2" },
  dark: { globe: "#2a333d", data: "#4a5662" },
};
const HELP =
  "Drag or Shift and arrow keys: turn; wheel, after a click, or [ and ]: zoom; comma and full " +
  "stop: point by point; Enter or click: decode";
// The next run's shells are seen from where the viewer left them.
const orbit = new Orbit();

/** @implements {View} */
export default class Shells {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, selection }) {
    this.scene = scene;
    this.selection = selection;
    this.theme = theme;
    /** @type {Moment | null} */
    this.moment = null;
    /** @type {HTMLCanvasElement[][]} for each cluster a marker per depth */
    this.sprites = [];
    this.request = 0; // of an animation frame
    const { points, labels } = scene.arrays;
    this.count = labels.data.length;
    this.seen = scene.members.map(() => emptyProjection(this.count));
    this.order = new Uint32Array(this.count);
    this.data = every(points.data, Math.ceil(this.count / MOST_DATA));
    this.lines = globe(scene.radii[1]);
    this.sheet = new Sheet(element, "Reconstructions of both models on the shell");
    this.sheet.root.title = HELP;
    Object.assign(element, { camera: orbit, seen: this.seen }); // for tests in a browser
    this.legend = new Legend(element, scene, selection);
    selection.listen((change) => {
      if (change === "clusters" || change === "group") this.#render();
      else this.#mark();
    });
    this.#listen();
    this.recolour(theme);
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.moment = moment;
    this.#render();
  }

  resize() {
    this.sheet.fit();
    this.#render();
  }

  /** @param {Theme} theme */
  recolour(theme) {
    this.theme = theme;
    const size = ((5.2 * theme.size) / 14) * this.sheet.ratio; // as big as the type
    this.sprites = this.scene.clusters.map((cluster) => sprites(cluster, theme, size, LEVELS));
    this.legend.recolour(theme);
    this.#render();
  }

  dispose() {
    cancelAnimationFrame(this.request);
  }

  /** Where each shell stands on the sheet. */
  #viewports() {
    const { width, height } = this.sheet;
    const each = width / this.scene.members.length;
    const reach = 0.48 * Math.min(0.96 * each, height);
    const radius = this.scene.radii[1];
    return this.scene.members.map((_, m) => ({
      x: each * (m + 0.5),
      y: height / 2,
      reach,
      radius,
    }));
  }

  #render() {
    const { sheet } = this;
    const context = sheet.ground;
    sheet.clear(context);
    const shells = this.moment?.shells;
    this.#viewports().forEach((viewport, m) => {
      this.#drawBackground(context, viewport);
      if (shells) this.#drawCloud(context, viewport, m, part(shells, m).data);
    });
    this.#mark();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Viewport} viewport
   */
  #drawBackground(context, viewport) {
    const colours = BACKGROUND[this.theme.name];
    context.strokeStyle = colours.globe;
    context.lineWidth = 1.2;
    context.beginPath();
    for (const line of this.lines) {
      const { x, y } = orbit.project(line, viewport, emptyProjection(line.length / 3));
      x.forEach((left, n) => (n ? context.lineTo(left, y[n]) : context.moveTo(left, y[n])));
    }
    context.stroke();
    context.fillStyle = colours.data;
    const { x, y } = orbit.project(this.data, viewport, emptyProjection(this.data.length / 3));
    x.forEach((left, n) => context.fillRect(left - 0.75, y[n] - 0.75, 1.5, 1.5));
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Viewport} viewport
   * @param {number} m
   * @param {Float32Array} points  [3 n]
   */
  #drawCloud(context, viewport, m, points) {
    const seen = orbit.project(points, viewport, this.seen[m]);
    const { labels, hidden, grouped, chosen } = this.selection;
    const { ratio } = this.sheet;
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const n of backToFront(seen, this.order)) {
      if (hidden.has(labels[n])) continue;
      if (grouped) context.globalAlpha = chosen[n] ? 1 : FAINT;
      const sprite = this.sprites[labels[n]][Math.round(seen.depth[n] * (LEVELS - 1))];
      const half = sprite.width / 2;
      // Whole pixels: a picture that is not resampled is copied many times faster.
      const left = Math.round(seen.x[n] * ratio - half);
      context.drawImage(sprite, left, Math.round(seen.y[n] * ratio - half));
    }
    context.globalAlpha = 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  #mark() {
    const { sheet, selection } = this;
    sheet.clear(sheet.marks);
    if (!this.moment?.shells) return;
    const colours = { ink: this.theme.text, paper: this.theme.background };
    for (const { x, y } of this.seen) {
      /** @param {number} n */
      const place = (n) => ({ x: x[n], y: y[n] });
      sheet.ring(selection.marked.filter((n) => selection.shows(n)).map(place), colours);
      const main = [selection.hovered, selection.picked].filter((n) => n >= 0);
      sheet.ring(main.map(place), colours, true);
    }
  }

  #listen() {
    const { root } = this.sheet;
    /** @type {PointerEvent} */
    let last;
    listenForDrags(root, {
      start: (event) => (last = event),
      drag: (event) => {
        orbit.move(
          (last.clientX - event.clientX) * PER_PIXEL,
          (event.clientY - last.clientY) * PER_PIXEL,
        );
        last = event;
        this.#soon();
      },
      click: (event) => this.#click(event),
    });
    root.addEventListener("pointermove", (event) => event.buttons || this.#hover(event));
    root.addEventListener("pointerleave", () => this.#hover(null));
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener(
      "wheel",
      (event) => {
        if (document.activeElement !== root && !event.ctrlKey) return; // else the page scrolls
        event.preventDefault();
        orbit.magnify(Math.exp(-event.deltaY / 500));
        this.#soon();
      },
      { passive: false },
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const by = 0.12;
    const { selection } = this;
    /** @type {Record<string, [number, number]>} */
    const turns = { ArrowLeft: [by, 0], ArrowRight: [-by, 0], ArrowUp: [0, by], ArrowDown: [0, -by] };
    /** @type {Record<string, () => unknown>} */
    const acts = {
      "[": () => orbit.magnify(1 / 1.15),
      "]": () => orbit.magnify(1.15),
      ",": () => selection.walk(-1),
      ".": () => selection.walk(1),
      Enter: () => selection.hovered >= 0 && selection.pick(selection.hovered),
    };
    const act = acts[event.key];
    if (event.shiftKey && turns[event.key]) orbit.move(...turns[event.key]);
    else if (act) act();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.#soon();
  }

  /** @param {PointerEvent | null} event */
  #hover(event) {
    const row = event ? this.#nearest(this.sheet.at(event)) : -1;
    this.selection.hover(row);
    const { clusters } = this.scene;
    const text = row < 0 ? "" : `point ${row + 1}, cluster ${clusters[this.selection.labels[row]].name}`;
    this.sheet.showTip(text, event ? this.sheet.at(event) : undefined);
  }

  /** @param {PointerEvent} event */
  #click(event) {
    const row = this.#nearest(this.sheet.at(event));
    if (row >= 0) this.selection.pick(row);
  }

  /**
   * The foremost point within a few pixels, or −1.
   * @param {Point} pointer
   */
  #nearest({ x, y }) {
    if (!this.moment?.shells) return -1;
    let [found, best] = [-1, 8];
    for (const seen of this.seen) {
      for (let n = 0; n < this.count; n += 1) {
        const away = Math.hypot(seen.x[n] - x, seen.y[n] - y);
        if (away > 8 || !this.selection.shows(n)) continue;
        const cost = away + 4 * (1 - seen.depth[n]); // what lies behind is not meant
        if (cost < best) [found, best] = [n, cost];
      }
    }
    return found;
  }

  #soon() {
    cancelAnimationFrame(this.request);
    this.request = requestAnimationFrame(() => this.#render());
  }
}

/**
 * Every n-th of points [3 n]: of the data, a few hundred show the shape.
 * @param {Float32Array} points
 * @param {number} step
 */
function every(points, step) {
  const count = Math.floor(points.length / 3 / step);
  const chosen = new Float32Array(3 * count);
  for (let n = 0; n < count; n += 1) chosen.set(points.subarray(3 * step * n, 3 * step * n + 3), 3 * n);
  return chosen;
}

/**
 * Circles of latitude and longitude on the outer shell.
 * @param {number} radius
 */
function globe(radius) {
  const turn = Array.from({ length: 73 }, (_, step) => (step * Math.PI) / 36);
  /** @param {(angle: number) => number[]} point */
  const circle = (point) => Float32Array.from(turn.flatMap(point), (value) => radius * value);
  const flat = [-Math.PI / 4, 0, Math.PI / 4].map((latitude) => {
    const [cos, sin] = [Math.cos(latitude), Math.sin(latitude)];
    return circle((a) => [cos * Math.cos(a), cos * Math.sin(a), sin]);
  });
  const upright = [0, 1, 2, 3].map((quarter) => {
    const [cos, sin] = [Math.cos((quarter * Math.PI) / 4), Math.sin((quarter * Math.PI) / 4)];
    return circle((a) => [Math.cos(a) * cos, Math.cos(a) * sin, Math.sin(a)]);
  });
  return [...flat, ...upright];
}
