/**
 * Two shells under one camera: sampled reconstructions by cluster, the data faintly behind.
 *
 * Drawn by ourselves on a plain canvas. Plotly's 3-D scenes need a WebGL context each and, where
 * WebGL is done in software, draw a tenth as often (tests/benchmarks/stage.md).
 *
 * @import { Declaration, Moment, Point, Theme, View, ViewContext } from "../types"
 * @import { Viewport } from "../orbit.js"
 */

import { wordsOf } from "../colouring.js";
import { make } from "../dom.js";
import { part } from "../frames.js";
import { choiceOf, Lasso, PICKING } from "../lasso.js";
import { Legend } from "../legend.js";
import { backToFront, emptyProjection, Orbit } from "../orbit.js";
import { Points } from "../points.js";
import { listenForDrags, Sheet } from "../sheet.js";

/** @type {Declaration} */
export const declaration = {
  order: 20,
  span: 12,
  place: "models",
  height: "clamp(150px, 29vh, 620px)",
  needs: ["shells"],
  paper: true,
  lively: true,
  early: true,
  styles: `
& {
  position: relative;
  overflow: hidden;
}

& .svae-place {
  position: relative;
  padding-bottom: 1.6rem; /* the legend, which says how much it needs */
}

/* Below the button that saves the figure; badges have the other corners. */
& .svae-tools {
  position: absolute;
  top: 1.7rem;
  right: 0;
  z-index: 4;
  display: grid;
  gap: 0.1rem;
}

& .svae-tools .svae-flat {
  padding: 0.1rem 0.3rem;
}

& .svae-tools svg {
  width: 0.9rem;
  height: 0.9rem;
  fill: none;
  stroke: currentColor;
  stroke-width: 2;
}

& .svae-tools .svae-flat:not(:first-child) svg {
  stroke-dasharray: 3 2;
}

& [data-tool="lasso"] .svae-sheet,
& [data-tool="box"] .svae-sheet {
  cursor: crosshair;
  touch-action: none;
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
const TOOLS = {
  turn: {
    name: "Turn",
    title: "Turn the shells by dragging",
    icon: "M4 12a8 8 0 0 1 13.7-5.6M20 12a8 8 0 0 1-13.7 5.6M18 2v5h-5M6 22v-5h5",
  },
  lasso: { ...PICKING.lasso, icon: "M8 14c-3-1-5-2.3-5-4.5C3 6.5 7 4 12 4s9 2.5 9 5.5-4 5.5-9 5.5c-3 0-5 1-5 2.5s2 2 1 4.5" },
  box: { ...PICKING.box, icon: "M4 5h16v14H4z" },
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
  constructor(element, { scene, theme, selection, colours }) {
    this.element = element;
    this.scene = scene;
    this.selection = selection;
    this.theme = theme;
    /** @type {Moment | null} */
    this.moment = null;
    this.points = new Points(scene, selection, LEVELS);
    this.request = 0; // of an animation frame
    const { points, labels } = scene.arrays;
    this.count = labels.data.length;
    this.seen = scene.members.map(() => emptyProjection(this.count));
    this.order = new Uint32Array(this.count);
    this.data = every(points.data, Math.ceil(this.count / MOST_DATA));
    this.lines = globe(scene.radii[1]);
    this.sheet = new Sheet(element, "Reconstructions of both models on the shell");
    this.sheet.root.title = HELP;
    // For tests in a browser.
    Object.assign(element, { camera: orbit, seen: this.seen, selection, points: this.points });
    this.lasso = new Lasso();
    const tools = choiceOf(TOOLS, (tool) => {
      element.dataset.tool = tool;
      this.lasso.box = tool === "box";
    });
    element.append(make("div", { className: "svae-tools" }, ...tools));
    this.legend = new Legend(element, scene, selection, colours, () => this.resize());
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
    const size = ((5.8 * theme.size) / 14) * this.sheet.ratio; // as big as the type
    this.points.recolour(theme, size, this.sheet.ratio);
    this.legend.recolour(theme);
    this.#render();
  }

  figure() {
    const { turn, tilt, zoom } = orbit;
    return { turn, tilt, zoom, ...this.selection.figure() };
  }

  dispose() {
    this.legend.dispose();
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
    const { ratio } = this.sheet;
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const n of backToFront(seen, this.order)) {
      const place = { x: seen.x[n] * ratio, y: seen.y[n] * ratio };
      this.points.draw(context, n, place, seen.depth[n]);
    }
    context.globalAlpha = 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  #mark() {
    const { sheet, selection } = this;
    sheet.clear(sheet.marks);
    if (!this.moment?.shells) return;
    const colours = { ink: this.theme.text, paper: this.theme.background };
    const viewports = this.#viewports();
    this.seen.forEach(({ x, y }, m) => {
      /** @param {number} n */
      const place = (n) => ({ x: x[n], y: y[n] });
      sheet.ring(selection.marked.filter((n) => selection.shows(n)).map(place), colours);
      const main = [selection.hovered, selection.picked].filter((n) => n >= 0);
      sheet.ring(main.map(place), colours, true);
      const { landed } = selection;
      if (!landed) return;
      const { places, place: input } = landed.arrays;
      sheet.cross(projected(part(places, m).data, viewports[m]), colours);
      if (landed.header.index < 0) sheet.cross(projected(input.data, viewports[m]), colours, true);
    });
    this.lasso.draw(sheet.marks, this.theme);
  }

  #listen() {
    const { root } = this.sheet;
    /** @type {PointerEvent} */
    let last;
    const turns = () => this.element.dataset.tool === "turn";
    listenForDrags(root, {
      start: (event) => {
        last = event;
        if (!turns()) this.lasso.begin(this.sheet.at(event));
      },
      drag: (event) => {
        if (!turns()) {
          this.lasso.go(this.sheet.at(event));
          this.#mark();
          return;
        }
        orbit.move(
          (last.clientX - event.clientX) * PER_PIXEL,
          (event.clientY - last.clientY) * PER_PIXEL,
        );
        last = event;
        this.#soon();
      },
      end: () => {
        if (!this.lasso.trace.length || !this.moment?.shells) return;
        this.selection.mark(this.lasso.end(this.seen, (n) => this.selection.shows(n)));
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
    const text = row < 0 ? "" : `point ${row + 1}, ${wordsOf(this.selection.colouring, row)}`;
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
 * Points [3 n] as places on the sheet.
 * @param {Float32Array} points
 * @param {Viewport} viewport
 */
function projected(points, viewport) {
  const { x, y } = orbit.project(points, viewport, emptyProjection(points.length / 3));
  return Array.from(x, (left, n) => ({ x: left, y: y[n] }));
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
