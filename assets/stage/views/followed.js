/**
 * One point on its way through both models: posterior, drawn z, what the decoder makes of each draw,
 * whose latent means are nearest. The point is one that was clicked, or the viewer's own: a drawing,
 * a text, or a row with other features. The models are those of the moment shown.
 *
 * @import { Declaration, FollowedModel, Message, Moment, Theme, View, ViewContext } from "../types"
 */

import { make, setText } from "../dom.js";
import { DrawingPad } from "../drawing_pad.js";
import { Features } from "../features.js";
import { PathOfPoint } from "../path_of_point.js";
import { PointQuestions } from "../point_questions.js";
import { TextLine } from "../text_line.js";
import { Thumbnails } from "../thumbnails.js";

/** @type {Declaration} */
export const declaration = {
  order: 85,
  title: "One point followed, or your own input",
  span: 12,
  needs: ["moment"],
  styles: `
/* A file holds no models. */
.svae-stage[data-source="archive"] & {
  display: none;
}

& .svae-place {
  display: grid;
  grid-template-columns: auto minmax(0, 1fr);
  gap: 0.6rem 1.6rem;
  align-items: start;
}

& .svae-input {
  display: grid;
  gap: 0.4rem;
  max-width: 22rem;
}

& .svae-pad {
  width: 176px;
  height: 176px;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  background: var(--surface);
  cursor: crosshair;
  touch-action: none;
}

& .svae-acts {
  display: flex;
  flex-wrap: wrap;
  gap: 0.4rem;
}

& .svae-acts button {
  padding: 0.2rem 0.7rem;
  border: 1px solid var(--line);
}

& .svae-acts button:hover {
  background: var(--surface);
}

& .svae-typed input {
  min-width: 0;
  max-width: 100%;
  padding: 0.2rem 0.4rem;
  border: 1px solid var(--line);
  border-radius: 0.3rem;
  color: inherit;
  background: var(--st-background-color, transparent);
  font: inherit;
  font-family: ui-monospace, monospace;
}

& .svae-features {
  display: grid;
  gap: 0.1rem;
  max-height: 17rem;
  overflow-y: auto;
}

& .svae-features label {
  display: grid;
  grid-template-columns: 8rem minmax(6rem, 1fr) 3.6rem;
  gap: 0.4rem;
  align-items: center;
  font-size: 0.875rem;
}

& .svae-features span {
  display: -webkit-box;
  -webkit-box-orient: vertical;
  -webkit-line-clamp: 2;
  overflow: hidden;
  overflow-wrap: anywhere;
  line-height: 1.15;
}

& .svae-features input {
  accent-color: var(--accent);
}

& .svae-features output {
  text-align: right;
  font-variant-numeric: tabular-nums;
}

& .svae-told {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.4rem 1rem;
  min-height: 4.6rem;
  font-size: 0.9375rem;
}

& .svae-told p {
  flex: 1 1 16rem;
}

& .svae-ways {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: 0.6rem 1.6rem;
}

& .svae-way {
  display: grid;
  gap: 0.3rem;
  justify-items: start;
  align-content: start;
  font-size: 0.9375rem;
}

& .svae-intervals {
  width: 100%;
  max-width: 300px;
  border: 1px solid var(--line);
}

& small {
  font-size: 0.8125rem;
}

& .svae-draws {
  display: flex;
  flex-wrap: wrap;
  gap: 0.2rem;
}

& .svae-draws button {
  padding: 2px;
  border: 2px solid transparent;
  border-radius: 0.3rem;
  background: none;
  cursor: pointer;
}

& .svae-draws button[aria-pressed="true"] {
  border-color: var(--st-primary-color);
}

@media (max-width: 680px) {
  & .svae-place {
    grid-template-columns: minmax(0, 1fr);
  }
}
`,
};

const HOW = {
  image: "Draw a picture here, or click a point in any view above.",
  text: "Type a text, or click a point in any view above.",
  table: "Click a point in any view above, or move a slider: it starts from point 1.",
};
const WAY =
  "Encoder: mean ± standard deviation by latent dimension (grey: those of the prior), and the z " +
  "drawn from it. Decoder: its output for each draw; choose one, and its z stands out.";
const WHERE =
  "On the shells, ✛ marks the input and + the outputs; on the maps of latent means, ✛ is the mean " +
  "place of the five points whose latent means are nearest.";

/** @implements {View} */
export default class FollowedView {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, theme, recording, selection, follow }) {
    this.scene = scene;
    this.recording = recording;
    this.selection = selection;
    this.theme = theme;
    this.thumbnails = new Thumbnails(scene);
    /** @type {Message | null} */
    this.message = null;
    this.asking = new PointQuestions(selection, follow);
    const texts = Boolean(scene.symbols?.length);
    this.how = HOW[scene.image ? "image" : texts ? "text" : "table"];
    this.pad = scene.image ? new DrawingPad((strokes) => this.#drawn(strokes)) : null;
    this.typed = texts ? new TextLine(scene, (text) => selection.enter({ follow: 0, text })) : null;
    this.features = scene.image || texts ? null : new Features(scene, (changes) => this.#set(changes));
    this.title = make("p", { "aria-live": "polite" }, this.how);
    this.original = make("canvas", { role: "img", "aria-label": "The input as the models are given it" });
    this.original.hidden = true;
    this.ways = scene.members.map((member) => new PathOfPoint(member, this.thumbnails, (n) => this.#choose(n)));
    const ways = this.ways.map(({ root }) => root);
    const [way, where] = [WAY, WHERE].map((words) => make("small", {}, words));
    this.results = make("div", { hidden: "" }, way, make("div", { className: "svae-ways" }, ...ways), where);
    const told = make("div", { className: "svae-told" }, this.original, this.title);
    element.append(this.#input(), make("div", {}, told, this.results));
    Object.assign(element, { asking: this.asking }); // for tests in a browser
    selection.listen((change) => {
      if (change === "picked") this.#picked();
      if (change === "sought") element.scrollIntoView({ behavior: "smooth", block: "center" });
    });
    this.recolour(theme);
  }

  /** @param {Moment} moment */
  draw(moment) {
    const newest = moment.index >= this.recording.count - 1 && this.recording.status !== "finished";
    this.asking.at(moment.step, newest);
  }

  /** @param {Message} message */
  showFollowed(message) {
    if (!this.asking.answered(message)) return;
    this.message = message;
    this.selection.land(message);
    const { header, arrays } = message;
    if (header.index >= 0) this.typed?.begin(arrays.original);
    if (header.index >= 0) this.features?.begin(arrays.values.data);
    else this.features?.show(arrays.values.data);
    setText(this.title, this.#title(header));
    this.results.hidden = this.original.hidden = false;
    this.#paint();
  }

  resize() {}

  /** @param {Theme} theme */
  recolour(theme) {
    this.theme = theme;
    this.pad?.recolour(theme);
    this.#paint();
  }

  dispose() {
    this.asking.dispose();
  }

  /** Where something of one's own is entered. */
  #input() {
    /** @param {string} name @param {string} title @param {() => void} act */
    const button = (name, title, act) => {
      const made = make("button", { type: "button", className: "svae-flat", title }, name);
      made.addEventListener("click", act);
      return made;
    };
    const again = button("Draw z again", "Other draws from the same posteriors", () => this.asking.redraw());
    const clear = this.pad && button("Clear", "An empty pad", () => this.pad?.clear());
    const acts = make("div", { className: "svae-acts" }, ...(clear ? [clear] : []), again);
    const field = (this.pad ?? this.typed ?? this.features)?.root;
    for (const kind of ["pointerenter", "focusin"]) field?.addEventListener(kind, () => this.asking.prepare());
    return make("div", { className: "svae-input" }, ...(field ? [field] : []), acts);
  }

  /** @param {number[][]} strokes */
  #drawn(strokes) {
    if (strokes.length) this.selection.enter({ follow: 0, strokes });
    else if (this.selection.followed?.strokes) this.selection.clear();
  }

  /** @param {Record<number, number>} changes */
  #set(changes) {
    const { followed } = this.selection;
    this.selection.enter({ follow: followed?.follow ?? 0, changes: { ...changes } });
  }

  #picked() {
    const { followed } = this.selection;
    if (this.pad && !followed?.strokes && this.pad.strokes.length) this.pad.clear();
    if (followed) {
      this.asking.ask();
      return;
    }
    this.message = null;
    this.results.hidden = this.original.hidden = true;
    setText(this.title, this.how);
  }

  /** @param {number} draw */
  #choose(draw) {
    for (const way of this.ways) way.chosen = draw;
    this.#paint();
  }

  /** @param {any} header */
  #title({ index, name, cluster, step }) {
    const { followed } = this.selection;
    const set = `Point ${(followed?.follow ?? 0) + 1} as you set it`;
    const own = followed?.strokes ? "Your drawing" : followed?.text === undefined ? set : `Your text “${followed.text}”`;
    const what = index < 0 ? own : `Point ${index + 1}${name ? ` (${name})` : ""}`;
    const where = index < 0 ? "nearest to the centroid of cluster" : "cluster";
    return `${what}, ${where} ${this.scene.clusters[cluster].name}, through the models of step ${step}.`;
  }

  #paint() {
    if (!this.message) return;
    const { header, arrays } = this.message;
    this.thumbnails.paint(this.original, arrays.original, this.theme, 1.5);
    /** @type {FollowedModel[]} */
    const models = header.models;
    models.forEach((model, m) => this.ways[m].paint(model, arrays, m, this.theme));
  }
}
