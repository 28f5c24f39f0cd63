/**
 * The stage: a run on screen, drawn by figures that are made once and changed in place.
 *
 *     mount(parent, { run, socket, plotly });  unmount(parent)
 *
 * Streamlit calls mount again whenever the page was rerun; only another run changes anything.
 *
 * @import { FollowQuestion, Message, MomentSource, Receiver } from "./types"
 * @import { RunSettings, Scene, Theme, TreeNode } from "./types"
 * @import { StageData } from "./sources.js"
 * @import { Look } from "./colours.js"
 * @typedef {(what: "moved" | "look", news: object) => void} Tell
 */

import { Board } from "./board.js";
import { Colours } from "./colours.js";
import { capitalised, make, setText } from "./dom.js";
import { exportLink } from "./download.js";
import { Recording } from "./frames.js";
import { Lesson } from "./lesson.js";
import { loadScript, loadStyles } from "./loading.js";
import { Notices } from "./notices.js";
import { Painter } from "./painter.js";
import { Player } from "./player.js";
import { Selection } from "./selection.js";
import { kindOf, sourceOf } from "./sources.js";
import { TeacherBanner } from "./teacher_banner.js";
import { themeOf } from "./theme.js";
import { Transport } from "./transport.js";
import { Tree } from "./tree.js";
import { views } from "./views/index.js";

/** @type {WeakMap<HTMLElement, Stage>} */
const stages = new WeakMap();

/**
 * @param {HTMLElement} parent
 * @param {StageData} data
 * @param {Tell} [tell]  is called when the viewer goes on to another run, or wants points to look
 *   otherwise, where there is a page to tell
 */
export function mount(parent, data, tell) {
  const stage = stages.get(parent);
  if (stage && stage.data.run === data.run) stage.left = "";
  // A page that was already running when the viewer went to a branch still names the run before.
  if (stage && (stage.data.run === data.run || stage.left === data.run)) {
    stage.data.lead = data.lead; // a class may have begun or ended
    stage.look(data);
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
    this.untold = false; // whether the page does not know yet what points are to look like
    this.left = ""; // the run before, until the page names the one that the viewer went to
    /** @type {Theme | null} once there are views */
    this.theme = null;
    /** @type {Selection | null} once there are views */
    this.selection = null;
    /** @type {Colours | null} once there are views */
    this.colours = null;
    /** @type {string | null} what could not be loaded */
    this.lacking = null;
    /** @type {Lesson | null} */
    this.lesson = null;
    /** @type {TeacherBanner | null} */
    this.following = null;
    this.recording = new Recording();
    this.root = make("section", {
      className: data.projector ? "svae-stage svae-projector" : "svae-stage",
      tabindex: 0,
      "aria-label": "Two models in training, side by side",
    });
    this.root.dataset.source = kindOf(data);
    this.root.dataset.story = String(Boolean(data.recorded));
    this.notices = new Notices();
    this.bar = make("div", {
      className: "svae-transport",
      role: "toolbar",
      "aria-label": "Transport",
    });
    this.remark = make("p", { className: "svae-remark", "aria-live": "polite" });
    this.aside = make("div", { className: "svae-aside" });
    this.root.dataset.part = String(Boolean(data.views?.length));
    this.board = new Board(chosenOf(data.views));
    this.trail = make("div", { className: "svae-trail" });
    this.root.append(this.aside, this.bar, this.remark, this.notices.root, this.board.root);
    this.board.parts.rest.before(this.trail);
    parent.append(this.root);
    // Files and notebooks bring their style and Plotly.js along.
    const lack = (/** @type {Error} */ { message }) => {
      this.lacking = `${message}: reload the page.`;
      this.notices.complain(this.lacking);
    };
    this.styles = data.plotly ? loadStyles().catch(lack) : null;
    if (this.styles) {
      this.root.style.visibility = "hidden"; // bare buttons for a moment otherwise
      void this.styles.then(() => (this.root.style.visibility = ""));
    }
    this.plotly = data.ready ?? (data.plotly ? loadScript(data.plotly) : null);
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
    this.player.reader = Boolean(data.connect);
    if (data.follow) this.#follow();
    if (data.reads) this.player.reader = true;
    if (data.recorded) this.player.begin(matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.#key(event);
    document.addEventListener("keydown", this.onKey);
    this.sizes = new ResizeObserver(() => this.#resize());
    this.sizes.observe(this.board.root);
  }

  dispose() {
    this.disposed = true;
    document.removeEventListener("keydown", this.onKey);
    this.notices.dispose();
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

  /**
   * The page's own choice of colours, where it has changed: by the URL, or on another page.
   * @param {Pick<StageData, "colour" | "pictures">} data
   */
  look({ colour, pictures }) {
    const same = colour === this.data.colour && pictures === this.data.pictures;
    // Before the page knows what the viewer chose, it says what was chosen before.
    if (this.untold) this.untold = !same;
    else if (!same) {
      Object.assign(this.data, { colour, pictures });
      this.colours?.begin(this.data);
    }
  }

  /**
   * The viewer chose other colours: into the URL, which the page writes; a file's own has a fragment.
   * @param {Look} look
   */
  #keepLook(look) {
    Object.assign(this.data, look);
    this.untold = Boolean(this.tell);
    if (this.tell) {
      this.tell("look", look);
      return;
    }
    try {
      history.replaceState(null, "", `#${new URLSearchParams(/** @type {any} */ (look))}`);
    } catch {
      // A page that stands inside another has no address of its own.
    }
  }

  #follow() {
    this.player.follow(true);
    const copy = () => this.source.command("copy");
    this.following = new TeacherBanner(this.aside, this.player, copy);
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
    /** @type {Receiver} */
    const receiver = {
      open: () => this.#opened(source),
      message: (message) => {
        if (source === this.source) this.#receive(message);
      },
      trouble: (sentence, ended = false) => {
        this.notices.complain(sentence);
        this.root.dataset.ended = String(ended);
        this.aside.inert = ended; // nobody hears an answer to a lesson's question
      },
    };
    const source = sourceOf(this.data, receiver);
    return source;
  }

  /**
   * Ask on where the connection was lost, if it was, and send a class what it missed.
   * @param {MomentSource} source
   */
  #opened(source) {
    this.lastSent = "";
    this.show();
    this.colours?.ask();
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
    const { run: before, socket, replay, figures } = this.data;
    this.data = { ...this.data, run };
    this.data.socket = socket?.replace(before, run);
    this.data.replay = replay?.replace(before, run);
    this.data.figures = figures?.replace(before, run);
    this.source.close();
    this.source = this.player.source = this.#connect();
    if (this.link && this.data.replay) this.link.href = this.data.replay;
    this.left = before;
    // The page writes the URL: an entry of its own, so that Back returns to the run before.
    this.tell?.("moved", { run, query });
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
    const { kind, sentence, train, run, query, reload } = message.header;
    if (kind === "refused") this.notices.refuse(sentence, train);
    if (kind === "refused" || kind === "followed") this.board.showFollowed(message);
    else if (kind === "moved") this.#move(run, query, reload);
    else if (kind === "again") this.#again();
    else if (kind === "coloured" || kind === "small") this.colours?.accept(message);
    else this.#accept(message);
  }

  /** @param {Message} message  of kind "scene" or "moment" */
  #accept(message) {
    const { recording } = this;
    const moment = recording.accept(message);
    this.notices.complain(recording.error ?? this.lacking);
    if (recording.scene && !this.board.built) this.#build(recording.scene);
    if (recording.scene) this.player.receive(moment);
    this.#update();
    this.root.dataset.status = recording.status;
  }

  /** @param {Scene} scene */
  #build(scene) {
    const theme = (this.theme = themeOf(this.root, scene));
    const selection = (this.selection = new Selection(scene));
    this.root.dataset.theme = theme.name;
    const { recording, plotly } = this;
    const colours = new Colours(scene, selection, {
      ask: (request) => this.source.look(request),
      tell: (look) => this.#keepLook(look),
    });
    this.colours = colours;
    const follow = (/** @type {FollowQuestion} */ question) => this.source.follow(question);
    const alter = (/** @type {Partial<RunSettings>} */ changes) => this.player.alter(changes);
    const shown = () => ({ folder: this.data.figures, moment: this.painter.moment });
    const tryNearby = () => this.source.command("try");
    const context = { scene, theme, selection, colours, recording, follow, alter, tryNearby };
    this.board.build(context, plotly, shown);
    const inLink = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    colours.begin(this.tell ? this.data : inLink);
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
    const [target] = event.composedPath(); // event.target is the host of a shadow tree
    if (!(target instanceof Element) || this.root.dataset.waiting === "true") return;
    if (!this.root.contains(target) && target !== document.body) return;
    if (target.closest("select") || (event.key === " " && target.closest("button, summary, a"))) return;
    const cleared = event.key === "Escape" && this.selection?.clear();
    if (cleared || this.transport.key(event)) event.preventDefault();
  }
}

/** @param {string[]} names  none: all */
function chosenOf(names = []) {
  if (!names.length) return views;
  return Object.fromEntries(Object.entries(views).filter(([name]) => names.includes(name)));
}
