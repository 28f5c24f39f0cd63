/**
 * The rate–distortion plane: loss against KL, the way of both models, and the floors that no model
 * can be below. The floors come from the server some seconds after the first moment.
 *
 * @import { Declaration, Moment, Theme, View, ViewContext } from "../types"
 */

import { translucent } from "../colour.js";
import { asPicture } from "../dom.js";
import { axisOf, layoutOf, PLOT_CONFIG } from "../theme.js";

/** @type {Declaration} */
export const declaration = {
  order: 60,
  title: "Rate–distortion plane",
  span: 6,
  height: "clamp(196px, 26vh, 320px)",
  needs: ["models", "rows", "floors"],
  paper: true,
  plotly: true,
};

/** @type {["proved" | "tight", string, string][]} each floor's name and dash */
const FLOORS = [
  ["proved", "proved floor", "dot"],
  ["tight", "tight floor (numerical)", "solid"],
];

const BESIDE = 340; // pixels from which on both names above the frame have room in one line

/** @implements {View} */
export default class Plane {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, recording }) {
    this.element = element;
    this.scene = scene;
    this.theme = theme;
    this.recording = recording;
    /** @type {Moment | null} */
    this.moment = null;
    Plotly.newPlot(element, this.#traces(), this.#layout(), PLOT_CONFIG);
    asPicture(element, "The way of each model in the plane of loss and KL, over the floors");
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.moment = moment;
    Plotly.react(this.element, this.#traces(), this.#layout(), PLOT_CONFIG);
    return true;
  }

  /** @param {Theme} theme */
  resize(theme) {
    this.recolour(theme);
  }

  /** @param {Theme} theme */
  recolour(theme) {
    this.theme = theme;
    Plotly.react(this.element, this.#traces(), this.#layout(), PLOT_CONFIG);
  }

  dispose() {
    Plotly.purge(this.element);
  }

  #traces() {
    return [...this.#forbidden(), ...this.#floors(), ...this.#paths(), ...this.#ends()];
  }

  /**
   * Member m's floors, or undefined as long as they are unknown.
   * @param {number} m
   */
  #floor(m) {
    const floors = this.recording.floors;
    if (!floors) return undefined;
    const size = floors.shape[2];
    /** @param {number} row */
    const line = (row) => floors.data.subarray((3 * m + row) * size, (3 * m + row + 1) * size);
    return { losses: line(0), proved: line(1), tight: line(2) };
  }

  /** The model whose floor lies under all others: that of the smallest collapse loss. */
  #lowest() {
    const ends = this.scene.members.map((_, m) => this.#floor(m)?.losses.at(-1) ?? 0);
    return ends.indexOf(Math.min(...ends));
  }

  #forbidden() {
    const floor = this.#floor(this.#lowest());
    return [
      {
        type: "scatter",
        mode: "none",
        x: floor?.losses ?? [],
        y: floor?.tight ?? [],
        fill: "tozeroy",
        fillcolor: translucent(this.theme.colourOf(this.scene.look.delta), 0.16),
        hoverinfo: "skip",
      },
    ];
  }

  #floors() {
    return this.scene.members.flatMap((member, m) => {
      const floor = this.#floor(m);
      return FLOORS.map(([kind, name, dash]) => ({
        type: "scatter",
        mode: "lines",
        x: floor?.losses ?? [],
        y: floor?.[kind] ?? [],
        line: { color: this.theme.colourOf(member), dash, width: 1.5 },
        opacity: 0.75,
        hovertemplate: `${name}, ${member.name}<br>loss %{x:.3f}: %{y:.3f} nats<extra></extra>`,
      }));
    });
  }

  #paths() {
    const { rows } = this.recording;
    return this.scene.members.map((member, m) => ({
      type: "scatter",
      mode: "lines",
      x: rows.map((row) => row.models[m].loss),
      y: rows.map((row) => row.models[m].kl),
      line: { color: this.theme.colourOf(member), width: 2.5, dash: member.dash },
      hovertemplate: `${member.name}<br>loss %{x:.3f}, KL %{y:.3f} nats<extra></extra>`,
    }));
  }

  /** Where the models are now, and the points (δ, 0) of total collapse. */
  #ends() {
    const models = this.moment?.models ?? [];
    const mark = { type: "scatter", mode: "markers", cliponaxis: false };
    const ends = this.scene.members.map((member, m) => ({
      ...mark,
      x: models[m] ? [models[m].delta] : [],
      y: models[m] ? [0] : [],
      marker: { color: this.theme.colourOf(this.scene.look.delta), symbol: "x", size: 9 },
      hovertemplate: `total collapse, ${member.name}: loss δ = %{x:.3f}, 0 nats<extra></extra>`,
    }));
    const now = this.scene.members.map((member, m) => ({
      ...mark,
      x: models[m] ? [models[m].loss] : [],
      y: models[m] ? [models[m].kl] : [],
      marker: { color: this.theme.colourOf(member), symbol: member.symbol, size: 12,
        line: { color: this.theme.background, width: 1.5 } },
      hovertemplate: `${member.name} now<br>loss %{x:.3f}, KL %{y:.3f} nats<extra></extra>`,
    }));
    return [...ends, ...now];
  }

  #layout() {
    const { losses, nats } = this.#reach();
    const apart = this.element.clientWidth < BESIDE;
    return layoutOf(this.theme, {
      width: this.element.clientWidth,
      height: this.element.clientHeight,
      margin: { l: 44, r: 10, t: apart ? 38 : 22, b: 40 },
      hovermode: "closest",
      xaxis: axisOf(this.theme, "loss D", { range: [0, losses], nticks: 6, showgrid: false }),
      yaxis: axisOf(this.theme, "KL, nats", { range: [0, nats], nticks: 5 }),
      annotations: this.#names(apart),
      shapes: this.#collapse().map((x) => ({
        type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", layer: "below",
        line: { color: this.theme.faint, width: 1, dash: "dot" },
      })),
    });
  }

  /** The largest collapse loss δ, by itself; none before the first moment. */
  #collapse() {
    const deltas = (this.moment?.models ?? []).map(({ delta }) => delta);
    return deltas.length ? [Math.max(...deltas)] : [];
  }

  /** What is worth seeing: all moments so far, and δ; in steps, so that the axes stay calm. */
  #reach() {
    let losses = 1;
    let nats = 1;
    for (const { models } of this.recording.rows) {
      for (const { loss, kl } of models) [losses, nats] = [Math.max(losses, loss), Math.max(nats, kl)];
    }
    for (const { delta } of this.moment?.models ?? []) losses = Math.max(losses, delta);
    // A wild first moment must not shrink all others.
    const delta = Math.max(0.1, ...(this.moment?.models.map((model) => model.delta) ?? [1]));
    return { losses: 1.05 * Math.min(losses, 1.2 * delta), nats: 1.08 * Math.ceil(nats) };
  }

  /**
   * What stands above the frame, where no curve ever is: δ over its line, and what the veil means.
   * @param {boolean} apart  in two lines, since there is no room for both in one
   */
  #names(apart) {
    const above = { showarrow: false, yref: "paper", y: 1, yanchor: "bottom", borderpad: 1 };
    /** @type {object[]} */
    const names = this.#collapse().map((x) => ({ ...above, x, xanchor: "right", text: "δ: collapse" }));
    if (this.#floor(this.#lowest())) {
      const veil = translucent(this.theme.colourOf(this.scene.look.delta), 0.4);
      names.push({ ...above, xref: "paper", x: 0, xanchor: "left", yshift: apart ? 16 : 0,
        text: `<span style="color:${veil}">■</span> forbidden (numerical)` });
    }
    return names;
  }
}
