/**
 * Two shells with linked cameras: sampled reconstructions by cluster, the data faintly behind.
 * Both scenes are in one figure, since browsers allow few WebGL contexts.
 */

import { part } from "../frames.js";
import { layoutOf, QUIET } from "../theme.js";

const SCENES = ["scene", "scene2"];
const NARROW = 640;
const MOST_DUST = 600;
// At first so near that the outer shell fills the height of its scene; the next run's figure
// starts from where the viewer left it.
let camera = { eye: { x: 0.94, y: 0.94, z: 0.5 }, up: { x: 0, y: 0, z: 1 } };
// Not translucent: points in 3-D are blended in no reliable order, and the faintest are lost.
const BACKGROUND = {
  light: { globe: "#dde2e7", data: "#cbd2d9" },
  dark: { globe: "#2a333d", data: "#46515d" },
};
const BETWEEN = { x: 0.5, xanchor: "center", y: 0.5, yanchor: "middle" };
const BELOW = { orientation: "h", x: 0.5, xanchor: "center", y: 0, yanchor: "top" };

export class Shells {
  constructor(element, scene, theme) {
    this.element = element;
    this.scene = scene;
    this.rows = rowsByCluster(scene);
    this.drawn = null;
    Plotly.newPlot(element, this.#traces(theme), this.#layout(theme), QUIET);
    for (const event of ["plotly_relayouting", "plotly_relayout"]) {
      element.on(event, (change) => this.#linkCameras(change));
    }
  }

  draw(moment) {
    if (moment === this.drawn) return false;
    this.drawn = moment;
    const clouds = SCENES.flatMap((_, m) => {
      const points = part(moment.shells, m).data;
      return this.rows.map((rows) => coordinates(points, rows));
    });
    this.#keepCameras();
    const update = {
      x: clouds.map((cloud) => cloud.x),
      y: clouds.map((cloud) => cloud.y),
      z: clouds.map((cloud) => cloud.z),
    };
    Plotly.restyle(this.element, update, this.cloudTraces);
    return true;
  }

  resize(theme) {
    this.#keepCameras();
    const layout = this.#layout(theme);
    Plotly.react(this.element, this.element.data, layout, QUIET);
  }

  recolour(theme) {
    const traces = this.#traces(theme);
    const clouds = new Set(this.cloudTraces);
    traces.forEach((trace, t) => {
      const { x, y, z, visible } = this.element.data[t];
      if (clouds.has(t)) Object.assign(trace, { x, y, z });
      trace.visible = visible ?? true;
    });
    this.element.data = traces;
    this.resize(theme);
  }

  dispose() {
    Plotly.purge(this.element);
  }

  #traces(theme) {
    const { points } = this.scene.arrays;
    const behind = SCENES.flatMap((scene) => [
      globe(scene, this.scene.radii[1], theme),
      dataCloud(scene, points.data, theme),
    ]);
    const clouds = SCENES.flatMap((scene, s) =>
      this.scene.clusters.map((cluster, c) => cloud(scene, cluster, this.rows[c], s === 0)),
    );
    this.cloudTraces = clouds.map((_, index) => behind.length + index);
    return [...behind, ...clouds];
  }

  #layout(theme) {
    const narrow = this.element.clientWidth < NARROW;
    const reach = this.scene.radii[1] * 1.02;
    const axis = { visible: false, range: [-reach, reach], autorange: false };
    const layout = layoutOf(theme, {
      width: this.element.clientWidth,
      height: this.element.clientHeight,
      margin: { l: 0, r: 0, t: 0, b: narrow ? 80 : 0 },
      showlegend: true,
      uirevision: "kept",
      legend: { ...(narrow ? BELOW : BETWEEN), itemsizing: "constant", tracegroupgap: 0 },
    });
    SCENES.forEach((name, s) => {
      layout[name] = {
        domain: narrow
          ? { x: [0, 1], y: s === 0 ? [0.51, 1] : [0, 0.49] }
          : { x: s === 0 ? [0, 0.46] : [0.54, 1], y: [0, 1] },
        aspectmode: "cube",
        dragmode: "orbit",
        camera,
        xaxis: axis,
        yaxis: axis,
        zaxis: axis,
      };
    });
    return layout;
  }

  /** Without this an update puts the camera back to where it was when a drag began (#6359). */
  #keepCameras() {
    for (const name of SCENES) {
      const scene = this.element._fullLayout?.[name]?._scene;
      if (scene) this.element.layout[name].camera = camera = scene.getCamera();
    }
  }

  #linkCameras(change) {
    const moved = SCENES.find((name) => change[`${name}.camera`]);
    if (!moved) return;
    const other = this.element._fullLayout[SCENES.find((name) => name !== moved)]._scene;
    const { aspectratio } = other.fullSceneLayout;
    other.setViewport({ camera: change[`${moved}.camera`], aspectratio });
    other.glplot.redraw();
    this.#keepCameras();
  }
}

function rowsByCluster(scene) {
  const rows = scene.clusters.map(() => []);
  scene.arrays.labels.data.forEach((label, row) => rows[label].push(row));
  return rows;
}

function coordinates(points, rows) {
  const cloud = { x: [], y: [], z: [] };
  ["x", "y", "z"].forEach((axis, offset) => {
    cloud[axis] = Float32Array.from(rows, (row) => points[3 * row + offset]);
  });
  return cloud;
}

function cloud(scene, cluster, rows, first) {
  return {
    type: "scatter3d",
    mode: "markers",
    scene,
    x: [],
    y: [],
    z: [],
    name: `cluster ${cluster.name}`,
    legendgroup: cluster.name,
    showlegend: first && rows.length > 0,
    marker: { color: cluster.colour, symbol: cluster.symbol, size: 2.6, line: { width: 0 } },
    hovertemplate: `cluster ${cluster.name}<extra></extra>`,
  };
}

/** The data as dust: some of them will do, and every point costs with every frame. */
function dataCloud(scene, points, theme) {
  const every = Math.ceil(points.length / 3 / MOST_DUST);
  const rows = Array.from({ length: Math.floor(points.length / 3 / every) }, (_, n) => n * every);
  return {
    type: "scatter3d",
    mode: "markers",
    scene,
    ...coordinates(points, rows),
    name: "data",
    legendgroup: "data",
    showlegend: scene === SCENES[0],
    marker: { color: BACKGROUND[theme.name].data, size: 1, line: { width: 0 } },
    hoverinfo: "skip",
  };
}

/** Circles of latitude and longitude on the outer shell. */
function globe(scene, radius, theme) {
  const line = { x: [], y: [], z: [] };
  const turn = Array.from({ length: 73 }, (_, step) => (step * Math.PI) / 36);
  const add = (x, y, z) => {
    line.x.push(radius * x);
    line.y.push(radius * y);
    line.z.push(radius * z);
  };
  for (const latitude of [-Math.PI / 4, 0, Math.PI / 4]) {
    const [cos, sin] = [Math.cos(latitude), Math.sin(latitude)];
    for (const a of turn) add(cos * Math.cos(a), cos * Math.sin(a), sin);
    add(NaN, NaN, NaN);
  }
  for (const longitude of [0, 1, 2, 3].map((quarter) => (quarter * Math.PI) / 4)) {
    const [cos, sin] = [Math.cos(longitude), Math.sin(longitude)];
    for (const a of turn) add(Math.cos(a) * cos, Math.cos(a) * sin, Math.sin(a));
    add(NaN, NaN, NaN);
  }
  return {
    type: "scatter3d",
    mode: "lines",
    scene,
    ...line,
    line: { color: BACKGROUND[theme.name].globe, width: 1.5 },
    hoverinfo: "skip",
    showlegend: false,
  };
}
