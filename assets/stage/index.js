/**
 * The stage: a run on screen, drawn by figures that are made once and changed in place.
 *
 *     mount(parent, { run, socket, plotly });  unmount(parent)
 *
 * Streamlit calls mount again whenever the page was rerun; only another run changes anything.
 *
 * @import { Message, MomentSource, Receiver, RunSettings, Scene, Theme, TreeNode } from "./types"
 * @typedef {object} StageData  what the page, or an exported file, says of the run
 * @property {string} run  its id, or a class's code
 * @property {string} [module]  where this code is
 * @property {string} [plotly]  where Plotly.js is; an exported file holds it
 * @property {string} [socket]  where the moments are
 * @property {string} [archive]  all moments, packed
 * @property {string} [recorded]  where all moments, packed, can be had; they play from the first one
 * @property {string} [replay]  where the run can be had as one file
 * @property {boolean} [projector]  in big type
 * @property {boolean} [follow]  show what the teacher of a class shows
 * @property {string} [lead]  the key of the class that sees this page
 * @typedef {(moved: { run: string, query: TreeNode["query"] }) => void} Tell
 */

import { Archive, bytesOf } from "./archive.js";
import { Board } from "./board.js";
import { capitalised, make, setText } from "./dom.js";
import { Following } from "./following.js";
import { Recording } from "./frames.js";
import { Lesson } from "./lesson.js";
import { loadScript, loadStyles } from "./loading.js";
import { Painter } from "./painter.js";
import { Player } from "./player.js";
import { Selection } from "./selection.js";
import { Source } from "./socket.js";
import { themeOf } from "./theme.js";
import { Transport } from "./transport.js";
import { Tree } from "./tree.js";
import { views } from "./views/index.js";

const NOTICE = 8000; // how long a refusal stays in sight, in milliseconds
/** @type {WeakMap<HTMLElement, Stage>} */
const stages = new WeakMap();

/**
 * @param {HTMLElement} parent
 * @param {StageData} data
 * @param {Tell} [tell]  is called when the viewer goes on to another run, where there is a page to tell
 */
export function mount(parent, data, tell) {
  const stage = stages.get(parent);
  if (stage && stage.data.run === data.run) stage.left = "";
  // A page that was already running when the viewer went to a branch still names the run before.
  if (stage && (stage.data.run === data.run || stage.left === data.run)) {
    stage.data.lead = data.lead; // a class may have begun or ended
    stage.show();
    stage.recolour();
    return;
  }
  stage?.dispose();
  stages.set(parent, new Stage(parent, data, tell));
}

/** @param {HTMLElement} parent */
export function unmount(parent) {
  stages.get(parent)?.dispose();
  stages.delete(parent);
}

class Stage {
  /**
   * @param {HTMLElement} parent
   * @param {StageData} data
   * @param {Tell} [tell]
   */
  constructor(parent, data, tell) {
    this.data = data;
    this.tell = tell;
    this.disposed = false;
    this.lastSent = ""; // to a class: which moment is shown
    this.size = "";
    this.left = ""; // the run before, until the page names the one that the viewer went to
    /** @type {Theme | null} once there are views */
    this.theme = null;
    /** @type {Selection | null} once there are views */
    this.selection = null;
    /** @type {string | null} what could not be loaded */
    this.lacking = null;
    /** @type {Lesson | null} */
    this.lesson = null;
    /** @type {Following | null} */
    this.following = null;
    this.recording = new Recording();
    this.root = make("section", {
      className: data.projector ? "svae-stage svae-projector" : "svae-stage",
      tabindex: 0,
      "aria-label": "Two models in training, side by side",
    });
    this.root.dataset.source = data.archive || data.recorded ? "archive" : data.follow ? "class" : "server";
    this.root.dataset.story = String(Boolean(data.recorded));
    this.trouble = make("p", { className: "svae-trouble", role: "alert", hidden: "" });
    this.bar = make("div", {
      className: "svae-transport",
      role: "toolbar",
      "aria-label": "Transport",
    });
    this.notice = make("p", { className: "svae-notice", role: "alert", hidden: "" });
    this.remark = make("p", { className: "svae-remark", "aria-live": "polite" });
    this.aside = make("div", { className: "svae-aside" });
    this.board = new Board(views);
    this.trail = make("div", { className: "svae-trail" });
    this.root.append(this.aside, this.bar, this.remark, this.trouble, this.board.root, this.notice);
    this.board.parts.rest.before(this.trail);
    parent.append(this.root);
    // An exported file holds its style and Plotly.js already.
    const lack = (/** @type {Error} */ { message }) => {
      this.lacking = `${message}: reload the page.`;
      this.#complain(this.lacking);
    };
    this.styles = data.plotly ? loadStyles().catch(lack) : null;
    this.plotly = data.plotly ? loadScript(data.plotly) : null;
    this.plotly?.catch(lack);
    this.source = this.#connect();
    this.painter = new Painter(this.board.drawables, this.recording, (moment) => {
      this.root.dataset.moment = String(moment.index);
      this.player.drawn();
    });
    this.player = new Player(this.source, this.recording, this.painter, () => this.#update());
    this.tree = new Tree(this.trail, this.player, this.recording, (run, query) => {
      this.#move(run, query);
    });
    this.transport = new Transport(this.bar, this.player, this.recording);
    this.link = data.replay ? exportLink(data.replay) : null;
    if (this.link) this.bar.append(this.link);
    if (data.follow) this.#follow();
    if (data.recorded) this.player.begin(matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.#key(event);
    document.addEventListener("keydown", this.onKey);
    this.sizes = new ResizeObserver(() => this.#resize());
    this.sizes.observe(this.board.root);
  }

  dispose() {
    this.disposed = true;
    document.removeEventListener("keydown", this.onKey);
    clearTimeout(this.fading);
    this.player.dispose();
    this.sizes.disconnect();
    this.source.close();
    this.painter.dispose();
    this.board.dispose();
    this.root.remove();
  }

  /** The page's theme may have changed. */
  recolour() {
    const { scene } = this.recording;
    if (!this.theme || !scene) return;
    const theme = themeOf(this.root, scene);
    if (theme.background === this.theme.background && theme.text === this.theme.text) return;
    this.theme = theme;
    this.root.dataset.theme = theme.name;
    this.board.recolour(theme);
  }

  #follow() {
    this.player.follow(true);
    const copy = () => this.source.command("copy");
    this.following = new Following(this.aside, this.player, copy);
  }

  /** In a class that this viewer leads: send which moment is shown, where that has changed. */
  show() {
    const { lead, run } = this.data;
    const { index, behind } = this.player;
    const shown = behind ? index : -1;
    const news = `${lead} ${run} ${shown}`;
    if (!lead || news === this.lastSent || !this.recording.count) return;
    this.lastSent = news;
    this.source.command("lead", { key: lead, shown });
  }

  /** @returns {MomentSource} */
  #connect() {
    const { archive, recorded, socket = "" } = this.data;
    /** @type {Receiver} */
    const receiver = {
      open: () => this.#opened(source),
      message: (message) => {
        if (source === this.source) this.#receive(message);
      },
      trouble: (sentence) => this.#complain(sentence),
    };
    const packed = recorded ? fetch(recorded).then((found) => found.arrayBuffer()) : null;
    const held = packed ?? (archive ? bytesOf(archive) : null);
    const source = held ? new Archive(held, receiver) : new Source(socket, receiver);
    return source;
  }

  /**
   * Ask on where the connection was lost, if it was, and send a class what it missed.
   * @param {MomentSource} source
   */
  #opened(source) {
    this.lastSent = "";
    this.show();
    if (this.recording.scene) this.player.ask();
    else source.ask({ want: "scene" });
  }

  /**
   * Go on to another run of the same tree: figures, cameras and the page stay as they are.
   * @param {string} run
   * @param {TreeNode["query"]} query  what else the URL is to say
   */
  #move(run, query = {}, reload = false) {
    const url = new URL(window.location.href);
    for (const [name, value] of Object.entries({ ...query, run })) {
      if (value === null) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    if (reload) {
      window.location.assign(url.href);
      return;
    }
    const { run: before, socket, replay } = this.data;
    this.data = { ...this.data, run };
    this.data.socket = socket?.replace(before, run);
    this.data.replay = replay?.replace(before, run);
    this.source.close();
    this.source = this.player.source = this.#connect();
    if (this.link && this.data.replay) this.link.href = this.data.replay;
    this.left = before;
    // The page writes the URL: an entry of its own, so that Back returns to the run before.
    this.tell?.({ run, query });
  }

  /** The class is shown another run, perhaps of other data: begin anew. */
  #again() {
    const { data, tell } = this;
    const parent = this.root.parentElement;
    this.dispose();
    if (!parent) return;
    stages.set(parent, new Stage(parent, data, tell));
  }

  /** Whatever is not a view: after every message and every move in time. */
  #update() {
    const { recording, player } = this;
    this.transport.update();
    this.tree.update();
    this.following?.update();
    this.root.dataset.led = String(player.led);
    this.show();
    const remark = recording.remarkAt(recording.rows[player.index]?.step ?? 0);
    setText(this.remark, remark ? capitalised(remark.sentence) : "");
    this.#teach();
  }

  /** A lesson's words, and what they hide or lock meanwhile. */
  #teach() {
    const { scene, lesson } = this.recording;
    let locks = false;
    if (scene?.lesson) {
      this.lesson ??= new Lesson(this.aside, scene.lesson, {
        predict: (answer) => this.source.command("predict", { answer }),
        start: () => this.player.toggle(),
        reveal: () => this.source.command("reveal", { key: this.data.lead }),
      });
      const waits = this.lesson.update(lesson);
      locks = waits.locks;
      this.root.dataset.waiting = String(waits.hides);
    }
    this.board.lock(locks || this.root.dataset.source !== "server");
  }

  /** @param {Message} message */
  async #receive(message) {
    await this.styles;
    if (this.disposed) return;
    const { kind, sentence, run, query, reload } = message.header;
    if (kind === "refused") this.#refuse(sentence);
    else if (kind === "moved") this.#move(run, query, reload);
    else if (kind === "again") this.#again();
    else if (kind === "decoded") this.board.showDecoded(message);
    else this.#accept(message);
  }

  /** @param {Message} message  of kind "scene" or "moment" */
  #accept(message) {
    const { recording } = this;
    const moment = recording.accept(message);
    this.#complain(recording.error ?? this.lacking);
    if (recording.scene && !this.board.built) this.#build(recording.scene);
    if (recording.scene) this.player.receive(moment);
    this.#update();
    this.root.dataset.status = recording.status;
  }

  /** @param {Scene} scene */
  #build(scene) {
    const theme = themeOf(this.root, scene);
    const selection = new Selection(scene);
    this.theme = theme;
    this.root.dataset.theme = theme.name;
    this.selection = selection;
    const { recording, plotly } = this;
    const decode = (/** @type {number} */ point) => this.source.decode(point);
    const alter = (/** @type {Partial<RunSettings>} */ changes) => this.player.alter(changes);
    this.board.build({ scene, theme, selection, recording, decode, alter }, plotly);
  }

  /**
   * Why something was not done; gone again after a while.
   * @param {string} sentence
   */
  #refuse(sentence) {
    setText(this.notice, sentence);
    this.notice.hidden = false;
    clearTimeout(this.fading);
    this.fading = setTimeout(() => (this.notice.hidden = true), NOTICE);
  }

  /** @param {string | null} sentence */
  #complain(sentence) {
    setText(this.trouble, sentence ?? "");
    this.trouble.hidden = !sentence;
  }

  #resize() {
    const size = `${this.board.root.clientWidth} ${window.innerHeight}`; // heights follow the window's
    if (size === this.size || !this.theme) return;
    this.size = size;
    this.board.resize(this.theme);
  }

  /**
   * Keys count when the stage or nothing in particular has the focus.
   * @param {KeyboardEvent} event
   */
  #key(event) {
    const { target } = event;
    if (!(target instanceof Element) || this.root.dataset.waiting === "true") return;
    if (!this.root.contains(target) && target !== document.body) return;
    if (target.closest("select") || (event.key === " " && target.closest("button, summary, a"))) return;
    const cleared = event.key === "Escape" && this.selection?.clear();
    if (cleared || this.transport.key(event)) event.preventDefault();
  }
}

/**
 * Downloads the run so far as one file.
 * @param {string} path
 */
function exportLink(path) {
  const label = "Export replay: this run as one file that plays without a server";
  const link = make("a", { className: "svae-button svae-export", href: path, download: "" });
  link.innerHTML =
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M11 3h2v9.2l3.3-3.3 1.4 1.4L12 16l-5.7-5.7 ' +
    '1.4-1.4 3.3 3.3zM4 19h16v2H4z"/></svg>';
  link.setAttribute("aria-label", label);
  link.title = label;
  return link;
}
