/**
 * The loss of both models on its way into the feasible band, below the collapse loss δ.
 *
 * @import { Declaration, Moment, PlotlyElement, Theme, View, ViewContext } from "../types"
 */

import { translucent } from "../colour.js";
import { asPicture, make, number, setText } from "../dom.js";
import { nats } from "../guarantee.js";
import { Handles } from "../handles.js";
import { words } from "../narration.js";
import { axisOf, layoutOf, PLOT_CONFIG } from "../theme.js";
import { TwoCollapseLosses } from "../two_collapse_losses.js";

/** @type {Declaration} */
export const declaration = {
  order: 50,
  title: "Loss against δ",
  span: 12,
  place: "levers",
  height: "clamp(180px, 31vh, 560px)",
  needs: ["moment", "models", "rows", "band", "remarks"],
  paper: true,
  plotly: true,
  styles: `
/* The band's handles stand in it. */
& .svae-place {
  position: relative;
  margin-top: 1.7rem; /* the guarantee */
}

& .svae-guarantee {
  position: absolute;
  top: -1.7rem;
  left: 0;
  max-width: 100%;
  font-variant-numeric: tabular-nums;
  white-space: nowrap;
}

/* In big type the column is too narrow for one line. */
.svae-projector & .svae-guarantee {
  font-size: 0.85rem;
}

& .svae-guarantee b {
  color: var(--accent);
  font-size: 1.2rem;
}

& .svae-why {
  position: absolute;
  top: -3.3rem;
  right: 0;
  border: 1px solid var(--line);
}

& .svae-why:hover {
  background: var(--surface);
}

& .svae-reasons {
  position: absolute;
  inset: 0 0 auto;
  z-index: 4;
  padding: 0.5rem 0.7rem;
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  background: var(--st-background-color, white);
  font-size: 0.9375rem;
  line-height: 1.35;
  box-shadow: 0 2px 10px rgb(0 0 0 / 25%);
}

& .svae-reasons svg {
  float: left;
  width: 7rem;
  height: 7rem;
  margin-right: 0.6rem;
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
    asPicture(element, "Loss of each model over the steps, beside δ and the feasible band");
    const { handles } = scene;
    this.price = make("span");
    this.promised = make("b");
    element.append(make("p", { className: "svae-guarantee" }, this.price, this.promised));
    this.handles = handles && new Handles(element, handles, {
      change: (band) => alter({ band }),
      move: (edge) => this.#promise(edge),
    });
    this.why = new TwoCollapseLosses(element, scene);
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.moment = moment;
    Plotly.react(this.element, this.#traces(), this.#layout(), PLOT_CONFIG);
    this.#showHandles();
    this.why.draw(moment, this.theme);
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

  /**
   * What the band guarantees, while its upper edge is moved, too; and at which price.
   * @param {number} edge  the loss at the upper edge
   */
  #promise(edge) {
    const last = this.scene.members.length - 1;
    const floor = nats(this.recording.floors, last, edge);
    setText(this.price, `Loss ≤ ${number(edge)} guarantees `);
    setText(this.promised, floor === null ? "…" : `≥ ${floor.toFixed(2)} nats`);
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
   * δ, and the band as it was at each step, if it holds a model: a change is a stair in it.
   * @param {Moment} moment
   */
  #marks(moment) {
    const wide = { xref: "paper", x0: 0, x1: 1, layer: "below" };
    const line = { color: this.theme.colourOf(this.scene.look.delta), width: 2, dash: "dot" };
    /** @type {object[]} */
    const marks = moment.models.map(({ delta }) => {
      return { ...wide, type: "line", y0: delta, y1: delta, line };
    });
    const { steps } = this.recording;
    const corridor = this.scene.handles ? this.recording.corridor : [];
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
    // Below its line: a model that has collapsed ends at δ or above, and a name there would hide it.
    const end = { xref: "paper", x: 1, xanchor: "right", yanchor: "top", yshift: -3 };
    const place = { ...end, showarrow: false, borderpad: 0, bgcolor };
    // Models with the same δ share its name.
    const levels = new Map(moment.models.map(({ delta }, m) => [delta, this.scene.members[m].name]));
    /** @type {object[]} */
    const names = [...levels].map(([delta, name]) => {
      return { ...place, y: delta, text: levels.size > 1 ? `δ, ${name}` : "δ: collapse" };
    });
    names.push(...this.#news(moment));
    if (hi !== null && this.scene.handles) names.push({ ...place, y: lo, text: "feasible band" });
    return names;
  }

  /**
   * The words on what has just happened to a loss and its band.
   * @param {Moment} moment
   */
  #news(moment) {
    const news = this.recording.newsAt(moment.index);
    if (!news || news.dimension >= 0 || !["entered", "left"].includes(news.kind)) return [];
    const row = this.recording.rows.find(({ step }) => step >= news.step);
    if (!row) return [];
    const place = { x: news.step, y: row.models[news.model].loss };
    const late = news.step > this.recording.steps / 2; // the words stand where there is room for them
    const side = { xanchor: late ? "right" : "left", ax: late ? -14 : 14, ay: -38 };
    return [{ ...place, ...side, text: words(news), showarrow: true, arrowhead: 6, arrowcolor: "#d55e00",
      bgcolor: translucent(this.theme.background, 0.85), font: { size: this.theme.size } }];
  }
}
