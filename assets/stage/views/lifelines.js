/**
 * KL of each latent dimension over time, one strip per model, and the moment each one dies. The
 * deaths are those that the commentary remarks on, so that both name the same step.
 *
 * @import { Declaration, Member, Moment, Remark, Theme, View, ViewContext } from "../types"
 * @typedef {{ dimension: number, step: number, sentence: string }} Death  dimensions from 0
 * @typedef {object} Strip
 * @property {Member} member
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLElement} now  a line at the moment shown
 * @property {HTMLElement} marks
 * @property {HTMLElement} note
 */

import { channels, mix } from "../colour.js";
import { make, penOf, setText } from "../dom.js";

/** @type {Declaration} */
export const declaration = {
  order: 40,
  title: "KL over time, dimension by dimension",
  span: 6,
  height: "clamp(196px, 24vh, 300px)",
  needs: ["moment", "models", "rows", "remarks"],
  paper: true,
  lively: true,
  styles: `
& .svae-place {
  display: flex;
  flex-direction: column;
}

& p {
  font-size: 0.875rem;
  line-height: 1.35;
}

& .svae-strip {
  position: relative;
  flex: 1;
  min-height: 0;
}

& .svae-strip canvas {
  display: block;
  width: 100%;
  height: 100%;
  background: var(--surface);
  image-rendering: pixelated;
}

& .svae-strip i {
  position: absolute;
  font-style: normal;
}

& .svae-now {
  top: -2px;
  bottom: -2px;
  width: 2px;
  margin-left: -1px;
  background: currentColor;
  pointer-events: none;
}

& .svae-deaths i {
  color: #d55e00;
  font-weight: 700;
  line-height: 1;
  transform: translate(-50%, -50%);
  text-shadow: 0 0 2px var(--st-background-color, white);
}

& .svae-scale {
  display: flex;
  align-items: center;
  gap: 0.4rem;
  margin-top: 0.25rem;
  font-size: 0.8125rem;
  white-space: nowrap;
}

& .svae-scale canvas {
  flex: 1;
  min-width: 2rem;
  max-width: 7rem;
  height: 0.7rem;
}

& .svae-dying {
  margin-left: auto;
}
`,
};

const DEAD = 0.01; // nats, as COLLAPSED_KL in svae_core/certificate/diagnostics.py
// One hue from the page to the strongest contrast: read by lightness alone.
const SCALES = {
  light: ["#eef3f8", "#a9cbe3", "#4f97c9", "#1b5c9e", "#08204a"],
  dark: ["#1a222c", "#1f4e79", "#2f86b7", "#7cc4e0", "#f2fbff"],
};
const NICE = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];

/** @implements {View} */
export default class Lifelines {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, recording }) {
    this.scene = scene;
    this.recording = recording;
    this.painted = ""; // which rows the strips show
    this.top = NICE[0];
    this.colours = palette(SCALES[theme.name]);
    this.strips = scene.members.map((member) => this.#strip(element, member));
    this.legend = make("div", { className: "svae-scale" });
    this.scale = make("canvas", { width: 64, height: 1, "aria-hidden": "true" });
    this.highest = make("span");
    this.dying = make("span", { className: "svae-dying" }, `✕ died, below ${DEAD} nats`);
    this.legend.append(make("span", {}, "0"), this.scale, this.highest, this.dying);
    element.append(this.legend);
    this.recolour(theme);
  }

  /** @param {Moment} moment */
  draw(moment) {
    const { rows, remarks, steps, generation } = this.recording;
    /** @param {number} step */
    const share = (step) => `${(100 * step) / Math.max(1, steps)}%`;
    this.strips.forEach(({ now, note }, m) => {
      now.style.left = share(moment.step);
      const bars = moment.models[m].kl_per_dim; // of the moment shown, as the bars above are
      setText(note, `${bars.filter((kl) => kl >= DEAD).length} of ${bars.length} alive`);
    });
    const key = `${generation} ${rows.length} ${rows.at(-1)?.step} ${remarks.length}`;
    if (key === this.painted || !rows.length) return;
    this.painted = key;
    this.#fitScale();
    this.strips.forEach((strip, m) => {
      this.#paint(strip, m);
      this.#markDeaths(strip, deaths(remarks, m), share);
    });
  }

  resize() {}

  /** @param {Theme} theme */
  recolour(theme) {
    this.colours = palette(SCALES[theme.name]);
    this.painted = "";
    const pen = penOf(this.scale);
    const pixels = pen.createImageData(64, 1);
    const words = new Uint32Array(pixels.data.buffer);
    for (let n = 0; n < 64; n += 1) words[n] = this.colours[4 * n];
    pen.putImageData(pixels, 0, 0);
  }

  dispose() {}

  /**
   * @param {HTMLElement} element
   * @param {Member} member
   * @returns {Strip}
   */
  #strip(element, member) {
    const canvas = make("canvas", { role: "img", "aria-label": `KL over time, ${member.name}` });
    const now = make("i", { className: "svae-now" });
    const marks = make("div", { className: "svae-deaths" });
    const frame = make("div", { className: "svae-strip" }, canvas, marks, now);
    const note = make("span", { className: "svae-note" });
    element.append(make("p", {}, make("b", {}, member.name), " ", note), frame);
    const strip = { canvas, now, marks, note, member };
    frame.addEventListener("pointermove", (event) => this.#describe(strip, frame, event));
    return strip;
  }

  /** Colours mean the same in both strips and change seldom. */
  #fitScale() {
    let highest = 0;
    for (const { models } of this.recording.rows) {
      for (const { klPerDim } of models) highest = Math.max(highest, ...klPerDim);
    }
    this.top = NICE.find((value) => value >= highest) ?? Math.ceil(highest);
    setText(this.highest, `${this.top} nats`);
  }

  /**
   * One pixel per moment and dimension; the browser enlarges them.
   * @param {Strip} strip
   * @param {number} m
   */
  #paint({ canvas }, m) {
    const { rows, steps } = this.recording;
    const dimensions = rows[0].models[m].klPerDim.length;
    const columns = Math.min(steps, 200) + 1;
    Object.assign(canvas, { width: columns, height: dimensions });
    const context = penOf(canvas);
    const pixels = context.createImageData(columns, dimensions);
    const words = new Uint32Array(pixels.data.buffer);
    let from = 0;
    for (const row of rows) {
      const to = Math.round((row.step / Math.max(1, steps)) * (columns - 1));
      row.models[m].klPerDim.forEach((kl, dimension) => {
        // The square root tells the nearly dead from the dead.
        const level = Math.min(255, Math.round(255 * Math.sqrt(Math.max(0, kl) / this.top)));
        words.fill(this.colours[level], dimension * columns + from, dimension * columns + to + 1);
      });
      from = to + 1;
    }
    context.putImageData(pixels, 0, 0);
  }

  /**
   * @param {Strip} strip
   * @param {Death[]} found
   * @param {(step: number) => string} share
   */
  #markDeaths({ marks, canvas, member }, found, share) {
    const count = this.recording.rows[0].models[0].klPerDim.length;
    marks.replaceChildren(
      ...found.map(({ dimension, step, sentence }) => {
        const mark = make("i", { title: sentence }, "✕");
        mark.style.left = share(step);
        mark.style.top = `${(100 * (dimension + 0.5)) / count}%`;
        mark.style.fontSize = `${Math.max(8, Math.min(13, 76 / count))}px`;
        return mark;
      }),
    );
    const told = [...new Set(found.map(({ sentence }) => sentence))];
    const label = `KL over time, ${member.name}: ${told.join(", ") || "all alive"}`;
    canvas.setAttribute("aria-label", label);
  }

  /**
   * @param {Strip} strip
   * @param {HTMLElement} frame
   * @param {PointerEvent} event
   */
  #describe({ canvas, member }, frame, event) {
    const { rows, steps } = this.recording;
    if (!rows.length) return;
    const box = canvas.getBoundingClientRect();
    const step = ((event.clientX - box.left) / box.width) * steps;
    const row = rows.findLast((one) => one.step <= step) ?? rows[0];
    const dimensions = rows[0].models[0].klPerDim.length;
    const dimension = Math.floor(((event.clientY - box.top) / box.height) * dimensions);
    const kl = row.models[this.scene.members.indexOf(member)].klPerDim[dimension];
    if (kl !== undefined) {
      frame.title = `step ${row.step}, dimension ${dimension + 1}: ${kl.toFixed(3)} nats`;
    }
  }
}

/**
 * The dimensions of a model that died, or never lived, and did not wake again, by rising number.
 * @param {Remark[]} remarks  in the order in which they were made
 * @param {number} m
 */
export function deaths(remarks, m) {
  /** @type {Map<number, Death>} */
  const found = new Map();
  for (const { model, kind, dimension, step, sentence } of remarks) {
    if (model !== m) continue;
    if (["died", "unborn"].includes(kind)) found.set(dimension, { dimension: dimension - 1, step, sentence });
    if (kind === "woke") found.delete(dimension);
  }
  return [...found.values()].sort((one, other) => one.dimension - other.dimension);
}

/**
 * 256 colours as 32-bit words, as a canvas stores them.
 * @param {string[]} stops
 */
function palette(stops) {
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const at = (level / 255) * (stops.length - 1);
    const first = Math.min(stops.length - 2, Math.floor(at));
    const [red, green, blue] = channels(mix(stops[first], stops[first + 1], at - first));
    return (255 << 24) | (blue << 16) | (green << 8) | red;
  });
}
