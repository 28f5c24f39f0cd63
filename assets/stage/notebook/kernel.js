/**
 * Where moments come from in a notebook: the kernel pushes them, and the widget's state has the run
 * so far. The same interface as socket.js; svae_core/notebook/post.py sends what is read here.
 *
 * @import { Message, MomentSource, Receiver } from "../types"
 * @typedef {object} WidgetModel  what anywidget gives
 * @property {(name: string) => any} get
 * @property {(event: string, heard: (...told: any[]) => void) => void} on
 * @property {(event: string, heard: (...told: any[]) => void) => void} off
 * @property {(content: any) => void} send
 */

import { coloured, moments, scene, small, unpack } from "../archive.js";
import { decode, part } from "../frames.js";

const WAITING = "Nothing has been measured yet: the stage begins with the first moment.";

/** @implements {MomentSource} */
export class Kernel {
  /**
   * @param {WidgetModel} model
   * @param {Receiver} on
   */
  constructor(model, on) {
    this.model = model;
    this.on = on;
    /** @type {Message | null} the run as the widget's state has it */
    this.content = null;
    /** @type {Message[]} by index, as far as they are here */
    this.messages = [];
    /** @type {Map<number, Message>} by index, while those before them are still to be unpacked */
    this.ahead = new Map();
    this.told = 0;
    this.generation = 0;
    this.changed = () => this.#unpack();
    this.heard = (/** @type {any} */ _, /** @type {DataView[]} */ buffers) => {
      for (const buffer of buffers) this.#accept(decode(bytes(buffer).buffer));
    };
    model.on("change:_run", this.changed);
    model.on("msg:custom", this.heard);
    setTimeout(this.changed);
  }

  /**
   * The scene, or all moments that were not told yet.
   * @param {{ want: string | number }} request
   */
  ask({ want }) {
    if (want !== "scene") this.#deliver();
    else if (this.content) this.on.message(scene(this.content));
  }

  command() {}

  /** @param {object} question */
  follow(question) {
    try {
      this.model.send(question);
      return true;
    } catch {
      return false; // a notebook that was opened without its kernel
    }
  }

  /** @param {{ colour?: number }} request */
  look({ colour }) {
    const { content } = this;
    const message = content && (colour === undefined ? small(content) : coloured(content, colour));
    if (message) this.on.message(message);
  }

  close() {
    this.model.off("change:_run", this.changed);
    this.model.off("msg:custom", this.heard);
  }

  /** @param {Message} message  pushed by the kernel: the next moment, or an answer */
  #accept(message) {
    const { kind, index, generation } = message.header;
    if (kind !== "moment") {
      this.on.message(message);
    } else if (generation === this.generation) {
      this.ahead.set(index, message);
      if (this.content) this.#deliver();
    }
  }

  /** The state has the whole run so far: what is new of it, and how it stands. */
  async #unpack() {
    const packed = this.model.get("_run");
    if (!packed?.byteLength) {
      this.on.trouble(WAITING);
      return;
    }
    const first = this.content === null;
    const content = await unpack(bytes(packed).buffer);
    const found = [...moments(content)];
    const { generation } = found[0].header;
    if (generation !== this.generation) {
      this.generation = generation;
      this.messages = [];
      this.ahead.clear();
      this.told = 0;
    }
    this.content = content;
    const { remarks } = found[0].header;
    // A run that is over may have lost moments, so that it is not too large; here they still are.
    const last = found[found.length - 1];
    for (const message of found.slice(this.messages.length)) {
      this.messages.push(this.#alone(message, remarks));
    }
    if (first) {
      this.on.trouble(null);
      this.on.open();
    } else {
      this.#deliver();
      this.#standing(last, remarks);
    }
  }

  /**
   * A moment of the state as a message by itself, with its own row of the numbers of all moments.
   * @param {Message} message
   * @param {object} remarks
   * @returns {Message}
   */
  #alone({ header, arrays }, remarks) {
    const all = /** @type {Message} */ (this.content).arrays.history;
    const row = part(all, header.index);
    const history = { shape: [1, ...row.shape], data: row.data };
    return { header: { ...header, remarks, from: header.index }, arrays: { ...arrays, history } };
  }

  /**
   * How the run stands now: told with the last moment that is here.
   * @param {Message} last
   * @param {object} remarks
   */
  #standing({ header: { status, certificates, version } }, remarks) {
    const shown = this.messages[this.messages.length - 1];
    const header = { ...shown.header, status, certificates, version, remarks };
    this.on.message({ header, arrays: shown.arrays });
  }

  #deliver() {
    for (const [index, message] of this.ahead) {
      if (index === this.messages.length) this.messages.push(message);
      if (index < this.messages.length) this.ahead.delete(index);
    }
    while (this.told < this.messages.length) {
      const message = this.messages[this.told];
      this.told += 1;
      this.on.message({ ...message, header: { ...message.header, count: this.messages.length } });
    }
  }
}

/**
 * A copy of what a widget's state or message holds.
 * @param {DataView} view
 */
export function bytes(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}
