/**
 * The stage: a run on screen, drawn by figures that are made once and changed in place.
 *
 *     mount(parent, { run, socket, plotly });  unmount(parent)
 *
 * Streamlit calls mount again whenever the page was rerun; only another run changes anything.
 */

import { Archive } from "./archive.js";
import { Branching } from "./branching.js";
import { make, say } from "./dom.js";
import { Following } from "./following.js";
import { Recording } from "./frames.js";
import { Lesson } from "./lesson.js";
import { Painter } from "./painter.js";
import { Player } from "./player.js";
import { Selection } from "./selection.js";
import { Source } from "./socket.js";
import { themeOf } from "./theme.js";
import { Transport } from "./transport.js";
import { Certificate } from "./views/certificate.js";
import { Decoded } from "./views/decoded.js";
import { KlBars } from "./views/kl.js";
import { Lifelines } from "./views/lifelines.js";
import { LossCorridor } from "./views/loss.js";
import { Maps } from "./views/maps.js";
import { Numbers } from "./views/numbers.js";
import { Pictures } from "./views/pictures.js";
import { Plane } from "./views/plane.js";
import { Shells } from "./views/shells.js";
import { Verdicts } from "./views/verdicts.js";

/** Each view has a place on the stage, in this order; a title makes it a figure. */
const VIEWS = [
  { name: "verdicts", View: Verdicts },
  { name: "shells", View: Shells, title: "Reconstructions on the shell" },
  { name: "kl", View: KlBars, title: "KL per latent dimension" },
  { name: "lifelines", View: Lifelines, title: "KL over time, dimension by dimension" },
  { name: "loss", View: LossCorridor, title: "Loss against the feasible band" },
  { name: "plane", View: Plane, title: "Rate–distortion plane" },
  { name: "maps", View: Maps, title: "Latent means" },
  { name: "pictures", View: Pictures, title: "Reconstructions" },
  { name: "decoded", View: Decoded },
  { name: "certificate", View: Certificate },
  { name: "numbers", View: Numbers },
];
const NOTICE = 8000; // how long a refusal stays in sight, in milliseconds
const stages = new WeakMap();

/** `tell(run)`, where there is a page to tell, is called when the viewer goes on to another run. */
export function mount(parent, data, tell) {
  const stage = stages.get(parent);
  // A page that was already running when the viewer went to a branch still names the run before.
  const here = new URLSearchParams(window.location.search).get("run");
  if (stage && (stage.data.run === data.run || stage.data.run === here)) {
    stage.data.lead = data.lead; // a class may have begun or ended
    stage.show();
    stage.recolour();
    return;
  }
  stage?.dispose();
  stages.set(parent, new Stage(parent, data, tell));
}

export function unmount(parent) {
  stages.get(parent)?.dispose();
  stages.delete(parent);
}

class Stage {
  constructor(parent, data, tell) {
    this.data = data;
    this.tell = tell;
    this.views = [];
    this.recording = new Recording();
    this.root = make("section", {
      className: data.projector ? "svae-stage svae-projector" : "svae-stage",
      tabindex: 0,
      "aria-label": "Two models in training, side by side",
    });
    this.trouble = make("p", { className: "svae-trouble", role: "alert", hidden: "" });
    this.bar = make("div", {
      className: "svae-transport",
      role: "toolbar",
      "aria-label": "Transport",
    });
    this.notice = make("p", { className: "svae-notice", role: "alert", hidden: "" });
    this.remark = make("p", { className: "svae-remark", "aria-live": "polite" });
    this.aside = make("div", { className: "svae-aside" });
    this.board = make("div", { className: "svae-board" });
    this.root.append(this.bar, this.remark, this.aside, this.trouble, this.notice, this.board);
    parent.append(this.root);
    this.#listen();
    // An exported file holds its style and Plotly.js already.
    this.tools = data.archive ? Promise.resolve() : Promise.all([style(), script(data.plotly)]);
    this.#begin();
  }

  dispose() {
    this.disposed = true;
    document.removeEventListener("keydown", this.onKey);
    clearTimeout(this.fading);
    this.player?.dispose();
    this.sizes.disconnect();
    this.source?.close();
    this.painter?.dispose();
    for (const view of this.views) view.dispose();
    this.root.remove();
  }

  /** The page's theme may have changed. */
  recolour() {
    if (!this.views.length) return;
    const theme = themeOf(this.root, this.recording.scene);
    if (theme.background === this.theme.background && theme.text === this.theme.text) return;
    this.theme = theme;
    this.root.dataset.theme = theme.name;
    for (const view of this.views) view.recolour(theme);
  }

  #listen() {
    this.onKey = (event) => this.#key(event);
    document.addEventListener("keydown", this.onKey);
    this.root.addEventListener("svae-alter", ({ detail }) => this.player.alter(detail));
    this.sizes = new ResizeObserver(() => this.#resize());
    this.sizes.observe(this.board);
  }

  #begin() {
    this.root.dataset.source = this.data.archive ? "archive" : this.data.follow ? "class" : "server";
    this.source = this.#connect();
    this.painter = new Painter(this.views, (moment) => {
      this.root.dataset.moment = moment.index;
      this.player.drawn();
    });
    this.player = new Player(this.source, this.recording, this.painter, () => this.#update());
    this.branching = new Branching(this.aside, this.player, this.recording, {
      close: () => this.#branch(false),
      move: (run, query) => this.#move(run, query),
    });
    this.transport = new Transport(this.bar, this.player, this.recording);
    this.transport.onBranch = () => this.#branch();
    if (this.data.replay) this.bar.append(exportLink(this.data.replay));
    if (this.data.follow) {
      this.player.follow(true);
      const copy = () => this.source.command("copy");
      this.following = new Following(this.aside, this.player, copy);
    }
  }

  /** In a class that this viewer leads: tell which moment is shown, where that is news. */
  show() {
    const { lead, run } = this.data;
    const { index, behind } = this.player;
    const shown = behind ? index : -1;
    const news = `${lead} ${run} ${shown}`;
    if (!lead || news === this.told || !this.recording.count) return;
    this.told = news;
    this.source.command("lead", { key: lead, shown });
  }

  #connect() {
    const [Origin, where] = this.data.archive
      ? [Archive, this.data.archive]
      : [Source, this.data.socket];
    const source = new Origin(where, {
      open: () => this.#opened(source),
      message: (message) => source === this.source && this.#receive(message),
      trouble: (sentence) => this.#complain(sentence),
    });
    return source;
  }

  /** Ask on where the connection was lost, if it was, and tell a class what it missed. */
  #opened(source) {
    this.told = null;
    this.show();
    if (this.recording.scene) this.player.ask();
    else source.ask({ want: "scene" });
  }

  /** Go on to another run of the same tree: figures, cameras and the page stay as they are. */
  #move(run, query = {}, reload = false) {
    const url = new URL(window.location.href);
    for (const [name, value] of Object.entries({ ...query, run })) {
      if (value === null) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    if (reload) {
      window.location.assign(url);
      return;
    }
    window.history.replaceState(window.history.state, "", url);
    const before = this.data.run;
    this.data = { ...this.data, run, socket: this.data.socket.replace(before, run) };
    this.source.close();
    this.source = this.player.source = this.#connect();
    const link = this.bar.querySelector(".svae-export");
    if (link) link.href = link.getAttribute("href").replace(before, run);
    this.tell?.(run);
  }

  /** The class is shown another run, perhaps of other data: begin anew. */
  #again() {
    const { data, tell } = this;
    const parent = this.root.parentElement;
    this.dispose();
    stages.set(parent, new Stage(parent, data, tell));
  }

  /** Show or hide the form for other settings. */
  #branch(shown) {
    const open = this.branching.toggle(shown);
    this.transport.branch.setAttribute("aria-expanded", String(open));
    if (!open) this.transport.branch.focus();
  }

  /** Whatever is not a view: after every message and every move in time. */
  #update() {
    const { recording, player } = this;
    this.transport?.update();
    this.branching?.update();
    this.following?.update();
    this.root.dataset.led = this.player.led;
    this.show();
    const remark = recording.remarkAt(recording.rows[player.index]?.step ?? 0);
    say(this.remark, remark ? `${remark.sentence.charAt(0).toUpperCase()}${remark.sentence.slice(1)}` : "");
    if (recording.scene?.lesson && !this.lesson) {
      const predict = (answer) => this.source.command("predict", { answer });
      this.lesson = new Lesson(this.aside, recording.scene.lesson, predict);
    }
    if (this.lesson) this.#wait(this.lesson.update(recording.lesson));
  }

  /** Hide results while a prediction is waited for; what was hidden has had no size. */
  #wait(waiting) {
    const before = this.root.dataset.waiting;
    this.root.dataset.waiting = waiting;
    if (before !== String(waiting)) {
      this.size = "";
      this.#resize();
    }
  }

  async #receive(message) {
    try {
      await this.tools;
    } catch (failure) {
      this.#complain(`${failure.message}: reload the page.`);
      return;
    }
    if (this.disposed) return;
    const { kind } = message.header;
    if (kind === "refused") this.#refuse(message.header.sentence);
    if (kind === "moved") this.#move(message.header.run, message.header.query, message.header.reload);
    if (kind === "again") this.#again();
    if (["refused", "moved", "again"].includes(kind)) return;
    if (kind === "decoded") {
      this.decoded.show(message);
      return;
    }
    const moment = this.recording.accept(message);
    this.#complain(this.recording.error);
    if (this.recording.scene && !this.views.length) this.#build();
    if (this.recording.scene) this.player.receive(moment);
    this.#update();
    this.root.dataset.status = this.recording.status;
  }

  #build() {
    const { scene } = this.recording;
    this.theme = themeOf(this.root, scene);
    this.root.dataset.theme = this.theme.name;
    this.selection = new Selection(scene);
    for (const { name, View, title } of VIEWS) {
      const place = make("div", { className: "svae-place" });
      const frame = make(title ? "figure" : "div", { className: `svae-view svae-${name}` });
      if (title) frame.append(make("figcaption", {}, title));
      frame.append(place);
      this.board.append(frame);
      this.views.push(new View(place, scene, this.theme, this.recording, this.selection));
    }
    this.decoded = this.views.find((view) => view instanceof Decoded);
    this.selection.listen((kind) => {
      const { picked } = this.selection;
      if (kind === "picked" && picked >= 0 && !this.source.decode(picked)) this.decoded.refuse();
    });
  }

  /** Why something was not done; gone again after a while. */
  #refuse(sentence) {
    say(this.notice, sentence);
    this.notice.hidden = false;
    clearTimeout(this.fading);
    this.fading = setTimeout(() => (this.notice.hidden = true), NOTICE);
  }

  #complain(sentence) {
    say(this.trouble, sentence ?? "");
    this.trouble.hidden = !sentence;
  }

  #resize() {
    const size = `${this.board.clientWidth} ${window.innerHeight}`; // heights follow the window's
    if (size === this.size || !this.views.length) return;
    this.size = size;
    for (const view of this.views) view.resize(this.theme);
  }

  /** Keys count when the stage or nothing in particular has the focus. */
  #key(event) {
    const here = this.root.contains(event.target) || event.target === document.body;
    const button = event.target.closest?.("button, summary, a");
    if (event.target.closest?.("select") || this.root.dataset.waiting === "true") return;
    if (!here || !this.transport || (button && event.key === " ")) return;
    const cleared = event.key === "Escape" && this.selection?.clear();
    if (cleared || this.transport.key(event)) event.preventDefault();
  }
}

/** Downloads the run so far as one file. */
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

/** The style sheet beside this module, loaded once. */
function style() {
  return once(new URL("stage.css", import.meta.url).href, (href) =>
    Object.assign(document.createElement("link"), { rel: "stylesheet", href }),
  );
}

function script(path) {
  return once(new URL(path, window.location.origin).href, (src) =>
    Object.assign(document.createElement("script"), { src }),
  );
}

const loaded = new Map();

function once(url, create) {
  if (!loaded.has(url)) {
    const element = create(url);
    loaded.set(url, new Promise((done, failed) => {
      element.onload = done;
      element.onerror = () => failed(new Error(`${url} cannot be loaded`));
    }));
    document.head.append(element);
  }
  return loaded.get(url);
}
