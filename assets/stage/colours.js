/**
 * What the viewer wants points to look like, by their clusters or otherwise, as markers or as
 * pictures. What is not known yet is asked for once; the page keeps the choice and its URL.
 *
 * @import { Message, Scene, SmallPictures } from "./types"
 * @import { Selection } from "./selection.js"
 * @typedef {{ colour?: string | null, pictures?: string | null }} Look  as the URL says it; "": as usual
 */

import { byCluster, colouringOf } from "./colouring.js";

export class Colours {
  /**
   * @param {Scene} scene
   * @param {Selection} selection
   * @param {{ ask: (request: object) => void, tell: (look: Look) => void }} on
   */
  constructor(scene, selection, on) {
    this.scene = scene;
    this.selection = selection;
    this.on = on;
    /** What points can be coloured by; a recording of before knows clusters only. */
    this.names = scene.colours ?? ["cluster"];
    this.wanted = "cluster";
    this.wantsPictures = false;
    /** @type {Map<string, Message>} */
    this.known = new Map();
    /** @type {SmallPictures | null} */
    this.pictures = null;
  }

  /**
   * What the URL says.
   * @param {Look} look
   */
  begin({ colour, pictures }) {
    this.wanted = colour && this.names.includes(colour) ? colour : "cluster";
    this.wantsPictures = pictures === "1" && this.scene.image !== null;
    this.ask();
  }

  /** @param {string} name */
  choose(name) {
    this.wanted = name;
    this.#tell();
  }

  /** @param {boolean} wanted */
  choosePictures(wanted) {
    this.wantsPictures = wanted;
    this.#tell();
  }

  /** Ask for what is wanted and not known, or show it; again after a lost connection. */
  ask() {
    const { wanted, known, names, wantsPictures } = this;
    if (wanted !== "cluster" && !known.has(wanted)) this.on.ask({ colour: names.indexOf(wanted) });
    if (wantsPictures && !this.pictures) this.on.ask({ small: 1 });
    this.#show();
  }

  /** @param {Message} message  of kind "coloured" or "small" */
  accept(message) {
    const { header, arrays } = message;
    if (header.kind === "small") this.pictures = { step: header.step, images: arrays.images };
    else this.known.set(header.name, message);
    this.#show();
  }

  #tell() {
    const { wanted, wantsPictures } = this;
    this.on.tell({ colour: wanted === "cluster" ? "" : wanted, pictures: wantsPictures ? "1" : "" });
    this.ask();
  }

  #show() {
    const { wanted, selection, scene } = this;
    const message = this.known.get(wanted);
    const next = wanted === "cluster" ? byCluster(scene) : message && colouringOf(message, scene.scale.light.length);
    const pictures = this.wantsPictures ? this.pictures : null;
    if (next) selection.paint(next.name === selection.colouring.name ? selection.colouring : next, pictures);
  }
}
