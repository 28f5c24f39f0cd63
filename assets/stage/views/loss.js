/**
 * The loss of both models on its way into the feasible band, below the collapse loss δ.
 *
 * @import { Declaration, Moment, PlotlyElement, Theme, View, ViewContext } from "../types"
 */

import { translucent } from "../colour.js";
import { Handles } from "../handles.js";
import { axisOf, layoutOf, PLOT_CONFIG } from "../theme.js";

/** @type {Declaration} */
export const declaration = {
  order: 50,
  title: "Loss against the feasible band",
  span: 5,
  height: "clamp(196px, 24vh, 300px)",
  needs: ["moment", "models", "rows", "band"],
  plotly: true,
  styles: `
/* The band's handles stand in it. */
& .svae-place {
  position: relative;
}
`,
};

/** @implements {View} */
export default class LossCorridor {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, recording, alter }) {
    /** @type {PlotlyElement} */
    this.element = element;
    this.scene = scene;
    this.theme = theme;
    this.recording = recording;
    /** @type {Moment | null} */
    this.moment = null;
    Plotly.newPlot(element, this.#traces(), this.#layout(), PLOT_CONFIG);
    const { handles } = scene;
    this.handles = handles && new Handles(element, handles, (band) => alter({ band }));
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.moment = moment;
    Plotly.react(this.element, this.#traces(), this.#layout(), PLOT_CONFIG);
    this.#showHandles();
    return true;
  }

  /** @param {Theme} theme */
  resize(theme) {
    this.theme = theme;
    Plotly.react(this.element, this.#traces(), this.#layout(), PLOT_CONFIG);
    this.#showHandles();
  }

  /** @param {Theme} theme */
  recolour(theme) {
    this.resize(theme);
  }

  dispose() {
    this.handles?.dispose();
    Plotly.purge(this.element);
  }

  #traces() {
    const { moment } = this;
    const { rows } = this.recording;
    const steps = rows.map((row) => row.step);
    const lines = this.scene.members.map((member, m) => ({
      type: "scatter",
      mode: "lines",
      name: member.name,
      x: steps,
      y: rows.map((row) => row.models[m].loss),
      line: { color: this.theme.colourOf(member), dash: member.dash, width: 2.5 },
      hovertemplate: `${member.name}<br>step %{x}: %{y:.3f}<extra></extra>`,
    }));
    const now = this.scene.members.map((member, m) => ({
      type: "scatter",
      mode: "markers",
      x: moment ? [moment.step] : [],
      y: moment ? [moment.models[m].loss] : [],
      marker: { color: this.theme.colourOf(member), symbol: member.symbol, size: 10 },
      hoverinfo: "skip",
    }));
    return [...lines, ...now];
  }

  #layout() {
    const { moment } = this;
    const highest = Math.max(...(this.moment?.models.map((model) => model.delta) ?? [1]));
    return layoutOf(this.theme, {
      width: this.element.clientWidth,
      height: this.element.clientHeight,
      margin: { l: 44, r: this.scene.handles ? 40 : 8, t: 6, b: 40 }, // handles stand beside it
      hovermode: "closest",
      xaxis: axisOf(this.theme, "step", {
        range: [0, 1.02 * Math.max(1, this.recording.steps)],
        nticks: 5,
        showgrid: false,
      }),
      yaxis: axisOf(this.theme, "loss D", { range: [0, 1.15 * highest], nticks: 5 }),
      shapes: moment ? this.#marks(moment) : [],
      annotations: moment ? this.#names(moment) : [],
    });
  }

  /**
   * δ, and the band as it was at each step: a change is a stair in it.
   * @param {Moment} moment
   */
  #marks(moment) {
    const wide = { xref: "paper", x0: 0, x1: 1, layer: "below" };
    const line = { color: this.theme.colourOf(this.scene.look.delta), width: 2, dash: "dot" };
    /** @type {object[]} */
    const marks = moment.models.map(({ delta }) => {
      return { ...wide, type: "line", y0: delta, y1: delta, line };
    });
    const { corridor, steps } = this.recording;
    const fill = { fillcolor: translucent(this.theme.colourOf(this.scene.look.band), 0.2) };
    corridor.forEach(({ step, lo, hi }, index) => {
      const x = { x0: index ? step : 0, x1: corridor[index + 1]?.step ?? 1.02 * steps };
      marks.push({ type: "rect", layer: "below", ...x, y0: lo, y1: hi, ...fill, line: { width: 0 } });
    });
    return marks;
  }

  /** Handles stand where the band is at the moment shown; at the newest one, where it will be. */
  #showHandles() {
    if (!this.handles || !this.moment) return;
    const { now, count } = this.recording;
    const settings = this.moment.index >= count - 1 ? now : this.moment.then;
    if (settings) this.handles.show(settings.band);
  }

  /** @param {Moment} moment */
  #names(moment) {
    const { lo, hi } = moment.models[moment.models.length - 1];
    const bgcolor = translucent(this.theme.background, 0.7);
    const end = { xref: "paper", x: 1, xanchor: "right", yanchor: "bottom" };
    const place = { ...end, showarrow: false, borderpad: 0, bgcolor };
    /** @type {object[]} */
    const names = moment.models.map(({ delta }, m) => {
      return { ...place, y: delta, text: `δ, ${this.scene.members[m].name}` };
    });
    if (hi !== null) names.push({ ...place, y: lo, yanchor: "top", text: "feasible band" });
    return names;
  }
}
