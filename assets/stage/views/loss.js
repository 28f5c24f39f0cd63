/** The loss of both models on its way into the feasible band, below the collapse loss δ. */

import { veil } from "../colour.js";
import { axisOf, layoutOf, QUIET } from "../theme.js";
import { Handles } from "./handles.js";

export class LossCorridor {
  constructor(element, scene, theme, recording) {
    this.element = element;
    this.scene = scene;
    this.theme = theme;
    this.recording = recording;
    this.moment = null;
    Plotly.newPlot(element, this.#traces(), this.#layout(), QUIET);
    if (scene.handles) this.handles = new Handles(element, scene.handles);
  }

  draw(moment) {
    this.moment = moment;
    Plotly.react(this.element, this.#traces(), this.#layout(), QUIET);
    this.#showHandles();
    return true;
  }

  resize(theme) {
    this.theme = theme;
    Plotly.react(this.element, this.#traces(), this.#layout(), QUIET);
    this.#showHandles();
  }

  recolour(theme) {
    this.resize(theme);
  }

  dispose() {
    this.handles?.dispose();
    Plotly.purge(this.element);
  }

  #traces() {
    const rows = this.recording.rows;
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
      x: this.moment ? [this.moment.step] : [],
      y: this.moment ? [this.moment.models[m].loss] : [],
      marker: { color: this.theme.colourOf(member), symbol: member.symbol, size: 10 },
      hoverinfo: "skip",
    }));
    return [...lines, ...now];
  }

  #layout() {
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
      shapes: this.moment ? this.#marks() : [],
      annotations: this.moment ? this.#names() : [],
    });
  }

  /** δ, and the band as it was at each step: a change is a stair in it. */
  #marks() {
    const wide = { xref: "paper", x0: 0, x1: 1, layer: "below" };
    const line = { color: this.theme.colourOf(this.scene.look.delta), width: 2, dash: "dot" };
    const marks = this.moment.models.map(({ delta }) => {
      return { ...wide, type: "line", y0: delta, y1: delta, line };
    });
    const { corridor, steps } = this.recording;
    const fill = { fillcolor: veil(this.theme.colourOf(this.scene.look.band), 0.2) };
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

  #names() {
    const { lo, hi } = this.moment.models.at(-1);
    const bgcolor = veil(this.theme.background, 0.7);
    const end = { xref: "paper", x: 1, xanchor: "right", yanchor: "bottom" };
    const place = { ...end, showarrow: false, borderpad: 0, bgcolor };
    const names = this.moment.models.map(({ delta }, m) => {
      return { ...place, y: delta, text: `δ, ${this.scene.members[m].name}` };
    });
    if (hi !== null) names.push({ ...place, y: lo, yanchor: "top", text: "feasible band" });
    return names;
  }
}
