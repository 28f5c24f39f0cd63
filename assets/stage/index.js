/**
 * The stage: a run on screen, drawn by figures that are made once and changed in place.
 *
 *     mount(parent, { run, socket, plotly });  unmount(parent)
 *
 * Streamlit calls mount again whenever the page was rerun; only another run changes anything.
 */

import { make, say } from "./dom.js";
import { Recording } from "./frames.js";
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
const stages = new WeakMap();

export function mount(parent, data) {
  const stage = stages.get(parent);
  if (stage?.data.run === data.run) {
    stage.recolour();
    return;
  }
  stage?.dispose();
  stages.set(parent, new Stage(parent, data));
}

export function unmount(parent) {
  stages.get(parent)?.dispose();
  stages.delete(parent);
}

class Stage {
  constructor(parent, data) {
    this.data = data;
    this.views = [];
    this.recording = new Recording();
    this.root = make("section", {
      className: "svae-stage",
      tabindex: 0,
      "aria-label": "Two models in training, side by side",
    });
    this.trouble = make("p", { className: "svae-trouble", role: "alert", hidden: "" });
    this.bar = make("div", {
      className: "svae-transport",
      role: "toolbar",
      "aria-label": "Transport",
    });
    this.board = make("div", { className: "svae-board" });
    this.root.append(this.bar, this.trouble, this.board);
    parent.append(this.root);
    this.#listen();
    this.tools = Promise.all([style(), script(data.plotly)]);
    this.#begin();
  }

  dispose() {
    this.disposed = true;
    document.removeEventListener("keydown", this.onKey);
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
    this.sizes = new ResizeObserver(() => this.#resize());
    this.sizes.observe(this.board);
  }

  #begin() {
    this.source = new Source(this.data.socket, {
      open: () => (this.recording.scene ? this.player.ask() : this.source.ask({ want: "scene" })),
      message: (message) => this.#receive(message),
      trouble: (sentence) => this.#complain(sentence),
    });
    this.painter = new Painter(this.views, (moment) => {
      this.root.dataset.moment = moment.index;
      this.player.drawn();
    });
    const changed = () => this.transport.update();
    this.player = new Player(this.source, this.recording, this.painter, changed);
    this.transport = new Transport(this.bar, this.player, this.recording);
  }

  async #receive(message) {
    await this.tools;
    if (this.disposed) return;
    if (message.header.kind === "decoded") {
      this.decoded.show(message);
      return;
    }
    const moment = this.recording.accept(message);
    this.#complain(this.recording.error);
    if (this.recording.scene && !this.views.length) this.#build();
    if (this.recording.scene) this.player.receive(moment);
    this.transport.update();
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
      if (kind === "picked" && this.selection.picked >= 0) this.source.decode(this.selection.picked);
    });
  }

  #complain(sentence) {
    say(this.trouble, sentence ?? "");
    this.trouble.hidden = !sentence;
  }

  #resize() {
    if (this.board.clientWidth === this.width || !this.views.length) return;
    this.width = this.board.clientWidth;
    for (const view of this.views) view.resize(this.theme);
  }

  /** Keys count when the stage or nothing in particular has the focus. */
  #key(event) {
    const here = this.root.contains(event.target) || event.target === document.body;
    const button = event.target.closest?.("button, summary, a");
    if (!here || !this.transport || (button && event.key === " ")) return;
    const cleared = event.key === "Escape" && this.selection?.clear();
    if (cleared || this.transport.key(event)) event.preventDefault();
  }
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
      element.onerror = () => failed(new Error(`${url} could not be loaded`));
    }));
    document.head.append(element);
  }
  return loaded.get(url);
}
