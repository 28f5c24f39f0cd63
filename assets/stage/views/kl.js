/**
 * KL per latent dimension, both models side by side: a dead dimension has no bar.
 *
 * @import { Declaration, Moment, PlotlyElement, Theme, View, ViewContext } from "../types"
 */

import { axisOf, layoutOf, PLOT_CONFIG } from "../theme.js";

/** @type {Declaration} */
export const declaration = {
  order: 30,
  title: "KL per latent dimension",
  span: 3,
  height: "clamp(196px, 24vh, 300px)",
  needs: ["models"],
  plotly: true,
};

/** @implements {View} */
export default class KlBars {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme }) {
    /** @type {PlotlyElement} */
    this.element = element;
    this.scene = scene;
    this.top = 0.5;
    /** @type {Moment | null} */
    this.drawn = null;
    Plotly.newPlot(element, this.#traces(theme, []), this.#layout(theme), PLOT_CONFIG);
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.drawn = moment;
    const bars = moment.models.map((model) => model.kl_per_dim);
    this.top = Math.max(this.top, ...bars.flat());
    const x = bars.map((heights) => heights.map((_, dimension) => dimension + 1));
    const axes = { "yaxis.range": [0, 1.05 * this.top], "xaxis.dtick": this.#tick() };
    Plotly.update(this.element, { x, y: bars }, axes);
    return true;
  }

  /** @param {Theme} theme */
  resize(theme) {
    Plotly.react(this.element, this.element.data, this.#layout(theme), PLOT_CONFIG);
  }

  /** @param {Theme} theme */
  recolour(theme) {
    this.element.data = this.#traces(theme, this.element.data);
    this.resize(theme);
  }

  dispose() {
    Plotly.purge(this.element);
  }

  /**
   * @param {Theme} theme
   * @param {{ x: number[], y: number[] }[]} before  the traces drawn last
   */
  #traces(theme, before) {
    return this.scene.members.map((member, m) => ({
      type: "bar",
      name: member.name,
      x: before[m]?.x ?? [],
      y: before[m]?.y ?? [],
      marker: {
        color: theme.colourOf(member),
        // The stripes say the same as the colour, for those who cannot tell the colours apart.
        pattern: { shape: member.dash === "solid" ? "" : "/", solidity: 0.5, size: 6 },
      },
      hovertemplate: `${member.name}<br>dimension %{x}: %{y:.3f} nats<extra></extra>`,
    }));
  }

  /** @param {Theme} theme */
  #layout(theme) {
    return layoutOf(theme, {
      width: this.element.clientWidth,
      height: this.element.clientHeight,
      margin: { l: 44, r: 8, t: 6, b: 40 },
      bargap: 0.25,
      xaxis: axisOf(theme, "latent dimension", { dtick: this.#tick(), showgrid: false }),
      yaxis: axisOf(theme, "nats", { range: [0, 1.05 * this.top], nticks: 5 }),
    });
  }

  #tick() {
    const dimensions = this.drawn?.models[0].kl_per_dim.length ?? 1;
    return Math.ceil(dimensions / 10);
  }
}
