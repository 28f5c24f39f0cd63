/**
 * σ² and β as sliders on logarithmic tracks, beside the band's handles. A mark for each variance λ
 * of the data: a linear VAE keeps as many dimensions alive as there are marks to the right.
 *
 * @import { Declaration, Moment, View, ViewContext } from "../types"
 * @typedef {"sigma2" | "beta"} Name
 */

import { make, setText } from "../dom.js";
import { Scale, marksOf, spelt } from "../logarithmic.js";

/** @type {Declaration} */
export const declaration = {
  order: 55,
  span: 12,
  place: "levers",
  needs: ["moment", "settings"],
  lively: true,
  early: true,
  styles: `
& .svae-lever {
  display: grid;
  grid-template-columns: 1.6rem minmax(0, 1fr) 5.2rem;
  align-items: start;
  column-gap: 0.3rem;
}

& input[type="number"] {
  width: 100%;
  padding: 0 0.3rem;
  border: 1px solid var(--line);
  border-radius: 0.3rem;
  color: inherit;
  background: var(--st-background-color, transparent);
  font: inherit;
  font-variant-numeric: tabular-nums;
}

& .svae-track {
  position: relative;
  height: 2.9rem;
}

& .svae-track input {
  position: absolute;
  inset: 0 0 auto;
  width: 100%;
  height: 1.5rem;
  margin: 0;
  accent-color: var(--accent);
  cursor: ew-resize;
}

& [inert] {
  opacity: 0.5;
}

/* The thumb is one rem wide, so the scale begins and ends half of one inside. */
& .svae-marks {
  position: absolute;
  inset: 0 0.5rem;
  pointer-events: none;
}

& .svae-marks i {
  position: absolute;
  top: 1.2rem;
  width: 2px;
  height: 0.5rem;
  margin-left: -1px;
  background: currentColor;
}

& .svae-marks .svae-out {
  right: 0;
  width: auto;
  height: 0.4rem;
  background: repeating-linear-gradient(45deg, #d55e00 0 3px, transparent 3px 6px);
  opacity: 0.65;
}

/* From λ_max on; where the rest of the track is too short for it, it ends with the track. */
& .svae-past {
  display: flex;
  padding-top: 1.55rem;
  font-size: 0.8125rem;
  white-space: nowrap;
}

& .svae-past::before {
  flex: 0 1 var(--from);
  content: "";
}

& .svae-past span {
  flex: none;
  padding-left: 0.35rem;
}

& .svae-past sub {
  line-height: 0;
}

& .svae-law {
  min-height: 2.7em;
  font-size: 0.875rem;
  line-height: 1.35;
}
`,
};

const HOLDS = 2000; // how long a value that was sent stays in sight, until it comes back, in milliseconds
/** @type {{ name: Name, symbol: string, title: string }[]} */
const LEVERS = [
  { name: "sigma2", symbol: "σ²", title: "decoder variance" },
  { name: "beta", symbol: "β", title: "weight of the KL term" },
];

/**
 * How many dimensions live at a βσ²; of a conventional VAE that is not among the models, as it would.
 * @param {number} alive
 * @param {number} count  marks
 * @param {number} product  βσ²
 * @param {boolean} shown  whether one of the models is a conventional VAE
 */
export function law(alive, count, product, shown) {
  const [keeps, collapses] = shown ? ["keeps", "collapses"] : ["would keep", "would collapse"];
  return (
    `${alive} of ${count} marks lie above βσ² = ${spelt(product)}. ` +
    `A conventional VAE ${keeps} about that many dimensions alive${alive ? "" : `: none, it ${collapses}`}.`
  );
}

/**
 * Why a thumb has moved whose value has not.
 * @param {string} symbol
 * @param {number} value
 * @param {string} other  the lever that was moved
 */
export function followed(symbol, value, other) {
  return ` ${symbol} is still ${spelt(value)}; its scale has moved with its marks, λ/${other}.`;
}

/** @implements {View} */
export default class Levers {
  /**
   * @param {HTMLElement} element
   * @param {ViewContext} context
   */
  constructor(element, { scene, recording, alter }) {
    this.scene = scene;
    this.recording = recording;
    this.alter = alter;
    /** @type {Moment | null} */
    this.moment = null;
    this.levers = LEVERS.map((about) => this.#lever(element, about));
    this.note = make("p", { className: "svae-law" });
    this.lower = make("input", { type: "checkbox" });
    this.lower.addEventListener("change", () => alter({ lower_edge: this.lower.checked }));
    element.append(this.note);
    if (scene.handles) {
      element.append(make("label", { className: "svae-act" }, this.lower, " the band's lower edge counts"));
    }
  }

  /** @param {Moment} moment */
  draw(moment) {
    this.moment = moment;
    const settings = this.#settings();
    if (!settings) return;
    for (const lever of this.levers) {
      const arrived = lever.value === settings[lever.name];
      if (!lever.held && (arrived || performance.now() - lever.sentAt > HOLDS)) {
        this.#show(lever, settings[lever.name]);
      }
    }
    this.lower.checked = settings.lower_edge;
    this.#place();
  }

  resize() {}

  recolour() {}

  dispose() {}

  /** In force at the moment shown; at the newest one, what will be. */
  #settings() {
    const { moment, recording } = this;
    if (!moment) return null;
    return moment.index >= recording.count - 1 ? recording.now : moment.then;
  }

  /**
   * @param {HTMLElement} element
   * @param {{ name: Name, symbol: string, title: string }} about
   */
  #lever(element, { name, symbol, title }) {
    const label = `${symbol}, ${title}`;
    const range = make("input", { type: "range", step: "any", "aria-label": label });
    const field = make("input", { type: "number", step: "any", min: 0, "aria-label": `${symbol} as a number` });
    const marks = make("div", { className: "svae-marks", "aria-hidden": "true" });
    const track = make("div", { className: "svae-track" }, marks, range);
    const head = make("b", { title }, symbol);
    const root = make("div", { className: `svae-lever svae-act svae-${name}` }, head, track, field);
    element.append(root);
    const lever = { name, symbol, range, field, marks, root, value: NaN, held: false, sentAt: -HOLDS, drawn: "", follows: false,
      scale: new Scale(1e-3, 1e1) };
    range.addEventListener("input", () => {
      lever.held = true;
      this.#show(lever, lever.scale.valueAt(Number(range.value)));
      this.#place();
    });
    range.addEventListener("change", () => this.#send(lever, lever.value));
    range.addEventListener("keydown", (event) => {
      const by = lever.scale.keyStep(event.key);
      if (by === null) return;
      event.preventDefault();
      event.stopPropagation(); // ← and → would otherwise scrub
      this.#send(lever, lever.scale.clamp(lever.value * by));
    });
    field.addEventListener("change", () => {
      if (field.value && Number(field.value) > 0) this.#send(lever, Number(field.value));
    });
    field.addEventListener("keydown", (event) => event.stopPropagation());
    return lever;
  }

  /**
   * @param {Levers["levers"][number]} lever
   * @param {number} value
   */
  #send(lever, value) {
    lever.held = false;
    lever.sentAt = performance.now();
    this.#show(lever, Number(spelt(value)));
    this.#place();
    this.alter({ [lever.name]: lever.value });
  }

  /**
   * @param {Levers["levers"][number]} lever
   * @param {number} value
   */
  #show(lever, value) {
    lever.value = value;
    if (document.activeElement !== lever.field || !lever.field.value) lever.field.value = spelt(value);
    lever.range.setAttribute("aria-valuetext", `${lever.symbol} = ${spelt(value)}`);
  }

  /** Thumbs, marks and the note: marks of one lever follow the other. */
  #place() {
    const [sigma2, beta] = this.levers;
    const { variances, members } = this.scene;
    if (Number.isNaN(sigma2.value) || Number.isNaN(beta.value)) return;
    for (const [lever, other] of [[sigma2, beta], [beta, sigma2]]) {
      const marks = marksOf(variances, other.value);
      const key = `${other.value} ${lever.held ? lever.drawn.split(" ")[1] : lever.value}`;
      if (key !== lever.drawn) {
        if (!lever.held) {
          const scale = Scale.around(marks, lever.value, lever.scale);
          const stays = lever.drawn.split(" ")[1] === String(lever.value);
          lever.follows = stays && scale !== lever.scale;
          lever.scale = scale;
        }
        lever.drawn = key;
        this.#drawMarks(lever, marks);
        Object.assign(lever.range, { min: 0, max: 1 });
      }
      lever.range.value = String(lever.scale.positionOf(lever.value));
    }
    const alive = variances.filter((one) => one > beta.value * sigma2.value).length;
    const conventional = members.some((member) => member.method === "baseline");
    const follow = [[sigma2, beta], [beta, sigma2]].map(([lever, other]) =>
      lever.follows ? followed(lever.symbol, lever.value, other.symbol) : "");
    const text = law(alive, variances.length, beta.value * sigma2.value, conventional) + follow.join("");
    setText(this.note, text);
  }

  /**
   * @param {Levers["levers"][number]} lever
   * @param {number[]} marks
   */
  #drawMarks({ scale, marks: element }, marks) {
    /** @param {number} value */
    const left = (value) => `${(100 * scale.positionOf(value)).toFixed(2)}%`;
    const ticks = marks.map((mark) => {
      const tick = make("i");
      tick.style.left = left(mark);
      return tick;
    });
    const out = make("i", { className: "svae-out" });
    out.style.left = left(marks[0]);
    const words = make("span", {}, "λ", make("sub", {}, "max"), ": past it, collapse");
    const label = make("div", { className: "svae-past" }, words);
    label.style.setProperty("--from", left(marks[0]));
    element.replaceChildren(...ticks, out, label);
  }
}
