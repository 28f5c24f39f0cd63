/**
 * The latent means of both models in two dimensions: PCA at first, UMAP when it is compiled.
 * Both maps are in one figure, since browsers allow few WebGL contexts.
 */

import { make, say } from "../dom.js";
import { layoutOf, QUIET } from "../theme.js";

// Latents are measured against a prior of unit variance: so wide, PCA shows collapse as a dot.
const PCA_REACH = 3.5;
const DOMAINS = [
  [0, 0.49],
  [0.51, 1],
];

export class Maps {
  constructor(element, scene, theme, recording) {
    this.scene = scene;
    this.recording = recording;
    this.rows = scene.clusters.map(() => []);
    scene.arrays.labels.data.forEach((label, row) => this.rows[label].push(row));
    this.reach = DOMAINS.map(() => PCA_REACH);
    this.drawn = null;
    this.canvas = make("div", { className: "svae-plot" });
    this.captions = scene.members.map(() => make("p"));
    element.append(this.canvas, make("div", { className: "svae-captions" }, ...this.captions));
    Plotly.newPlot(this.canvas, this.#traces(), this.#layout(theme), QUIET);
  }

  draw(moment) {
    const layout = this.recording.layoutAt(moment.step);
    if (!layout || layout === this.drawn) return false;
    this.drawn = layout;
    const clouds = layout.models.flatMap((model, m) => this.#clouds(model, layout, m));
    const update = { x: clouds.map((cloud) => cloud.x), y: clouds.map((cloud) => cloud.y) };
    const ranges = {};
    layout.models.forEach((model, m) => {
      const points = layout.arrays[`layout${m}`].data;
      this.reach[m] = model.kind === "pca" ? PCA_REACH : 1.05 * Math.max(1, largest(points));
      ranges[`xaxis${m ? m + 1 : ""}.range`] = [-this.reach[m], this.reach[m]];
      ranges[`yaxis${m ? m + 1 : ""}.range`] = [-this.reach[m], this.reach[m]];
      const { name } = this.scene.members[m];
      say(this.captions[m], model.kind === "none" ? name : `${name}: ${model.sentence}`);
    });
    ranges.annotations = this.#emptyPlaces();
    Plotly.update(this.canvas, update, ranges);
    return true;
  }

  resize(theme) {
    Plotly.react(this.canvas, this.canvas.data, this.#layout(theme), QUIET);
  }

  recolour(theme) {
    this.resize(theme);
  }

  dispose() {
    Plotly.purge(this.canvas);
  }

  #clouds({ kind }, layout, m) {
    const points = layout.arrays[`layout${m}`].data;
    return this.rows.map((rows) => {
      const shown = kind === "none" ? [] : rows;
      return {
        x: Float32Array.from(shown, (row) => points[2 * row]),
        y: Float32Array.from(shown, (row) => points[2 * row + 1]),
      };
    });
  }

  #emptyPlaces() {
    return this.drawn?.models.flatMap((model, m) => nothingHere(model, m)) ?? [];
  }

  #traces() {
    return this.scene.members.flatMap((_, m) =>
      this.scene.clusters.map((cluster) => ({
        type: "scattergl",
        mode: "markers",
        name: cluster.name,
        x: [],
        y: [],
        xaxis: `x${m ? m + 1 : ""}`,
        yaxis: `y${m ? m + 1 : ""}`,
        marker: { color: cluster.colour, symbol: cluster.symbol, size: 4.5 },
        hovertemplate: `cluster ${cluster.name}<extra></extra>`,
      })),
    );
  }

  #layout(theme) {
    const layout = layoutOf(theme, {
      width: this.canvas.clientWidth,
      height: this.canvas.clientHeight,
      margin: { l: 0, r: 0, t: 0, b: 0 },
      hovermode: "closest",
      annotations: this.#emptyPlaces(),
    });
    DOMAINS.forEach((domain, m) => {
      const suffix = m ? String(m + 1) : "";
      const axis = { fixedrange: true, visible: false, range: [-this.reach[m], this.reach[m]] };
      layout[`xaxis${suffix}`] = { ...axis, domain, anchor: `y${suffix}` };
      layout[`yaxis${suffix}`] = { ...axis, anchor: `x${suffix}`, scaleanchor: `x${suffix}` };
    });
    return layout;
  }
}


/** In place of a map where there is nothing to map: UMAP would draw a blob from pure noise. */
function nothingHere({ kind, sentence }, m) {
  if (kind !== "none") return [];
  const x = (DOMAINS[m][0] + DOMAINS[m][1]) / 2;
  const text = sentence.replace(" posterior", "<br>posterior").replace(" (", "<br>(");
  return [{ text, x, y: 0.5, xref: "paper", yref: "paper", xanchor: "center", showarrow: false }];
}

function largest(values) {
  let found = 0;
  for (const value of values) found = Math.max(found, Math.abs(value));
  return found;
}
