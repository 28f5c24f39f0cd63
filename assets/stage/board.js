/**
 * The board: makes every view from what its file declares, and gives it its place.
 *
 * @import { Declaration, Message, Moment, Theme, ViewContext, ViewModule } from "./types"
 * @import { Drawable } from "./painter.js"
 */

import { DeferredView } from "./deferred_view.js";
import { make } from "./dom.js";
import { paperMenu } from "./paper.js";

export class Board {
  /** @param {Record<string, ViewModule>} views  by name, as views/index.js gives them */
  constructor(views) {
    this.modules = views;
    const story = { models: make("div"), levers: make("div") };
    const rest = make("div", { className: "svae-rest" });
    /** @type {Record<"models" | "levers" | "rest", HTMLElement>} */
    this.parts = { ...story, rest };
    const first = make("div", { className: "svae-story" }, story.models, story.levers);
    this.root = make("div", { className: "svae-board" }, first, rest);
    /** @type {Drawable[]} */
    this.drawables = [];
  }

  /** Whether there are views already. */
  get built() {
    return this.drawables.length > 0;
  }

  /**
   * @param {ViewContext} context
   * @param {Promise<unknown> | null} plotly  settles when Plotly.js is there; null: it is
   * @param {() => { folder?: string, moment: Moment | null }} shown  where figures of the run are to
   *   be had, if they are, and what is shown
   */
  build(context, plotly = null, shown = () => ({ moment: null })) {
    for (const [name, { declaration, default: View }] of ordered(this.modules)) {
      addStyles(name, declaration, this.root);
      const columns = declaration.columns ? " svae-columns" : "";
      const place = make("div", { className: `svae-place${columns}` });
      const figure = frame(name, declaration, place);
      this.parts[declaration.place ?? "rest"].append(figure);
      const create = () => new View(place, context);
      const view = plotly && declaration.plotly ? new DeferredView(plotly, create) : create();
      if (declaration.paper && shown().folder) {
        const size = () => ({ width: place.clientWidth, height: place.clientHeight });
        const link = paperMenu(name, shown, () => ({ ...size(), ...view.figure?.() }));
        (figure.querySelector("figcaption") ?? figure).append(link);
      }
      this.drawables.push({ view, needs: declaration.needs, lively: declaration.lively ?? false });
    }
  }

  /** @param {Theme} theme */
  recolour(theme) {
    for (const { view } of this.drawables) view.recolour(theme);
  }

  /** @param {Theme} theme */
  resize(theme) {
    for (const { view } of this.drawables) view.resize(theme);
  }

  /**
   * Whether what changes the run is out of reach: before a prediction, in a class, in a file.
   * @param {boolean} locked
   */
  lock(locked) {
    if (this.root.dataset.locked === String(locked)) return;
    for (const one of this.root.querySelectorAll(".svae-act")) one.toggleAttribute("inert", locked);
    if (this.built) this.root.dataset.locked = String(locked);
  }

  /** @param {Message} message */
  showFollowed(message) {
    for (const { view } of this.drawables) view.showFollowed?.(message);
  }

  dispose() {
    for (const { view } of this.drawables) view.dispose();
  }
}

/**
 * Views by rising order; where two declare the same, by name.
 * @param {Record<string, ViewModule>} views
 */
export function ordered(views) {
  return Object.entries(views).sort(
    ([a, one], [b, other]) => one.declaration.order - other.declaration.order || (a < b ? -1 : 1),
  );
}

/**
 * A view's own rules, with its class for each &.
 * @param {string} name
 * @param {Declaration} declaration
 */
export function stylesOf(name, { styles = "" }) {
  return styles.replaceAll("&", `.svae-${name}`);
}

/**
 * @param {string} name
 * @param {Declaration} declaration
 * @param {HTMLElement} place
 */
function frame(name, { title, span, height, handout, early }, place) {
  const element = make(title ? "figure" : "div", { className: `svae-view svae-${name}` });
  element.style.setProperty("--span", String(span));
  if (height) element.style.setProperty("--height", height);
  if (handout) element.dataset.handout = "";
  if (early) element.dataset.early = "";
  if (title) {
    element.append(make("figcaption", {}, title));
    element.setAttribute("aria-label", title); // else its buttons, too, would be read as its name
  }
  element.append(place);
  return element;
}

/** @type {WeakMap<Node, Set<string>>} the views whose rules a page, or a shadow tree in it, has */
const styled = new WeakMap();

/**
 * Once per page or shadow tree, after the stage's own style sheet.
 * @param {string} name
 * @param {Declaration} declaration
 * @param {HTMLElement} element
 */
function addStyles(name, declaration, element) {
  const tree = element.getRootNode();
  const home = tree instanceof ShadowRoot ? tree : document.head;
  const known = styled.get(home) ?? new Set();
  styled.set(home, known);
  if (!declaration.styles || known.has(name)) return;
  known.add(name);
  home.append(make("style", {}, stylesOf(name, declaration)));
}
