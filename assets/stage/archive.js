/**
 * Where moments come from when there is no server: a whole run, packed into the page. The same
 * interface as socket.js; svae_core/stage/replay_file.py writes what is read here.
 *
 * @import { Arrays, Message, MomentSource, NumberArray, Receiver } from "./types"
 */

import { part, sizeOf } from "./frames.js";
import { unzipped } from "./loading.js";

/** @implements {MomentSource} */
export class Archive {
  /**
   * @param {Promise<ArrayBuffer>} packed
   * @param {Receiver} on
   * @param {string} mend  what to do where it cannot be read
   */
  constructor(packed, on, mend) {
    this.on = on;
    this.sent = false;
    /** @type {Message | null} */
    this.content = null;
    packed.then(unpack).then((content) => {
      this.content = content;
      on.open();
    }, () => on.trouble(`The recorded run is damaged or cut off: ${mend}.`));
  }

  /**
   * Everything there is, the first time a moment is wanted.
   * @param {{ want: string | number }} request
   */
  ask({ want }) {
    if (!this.content || this.sent) return;
    if (want === "scene") {
      this.on.message(scene(this.content));
    } else {
      this.sent = true;
      for (const message of moments(this.content)) this.on.message(message);
    }
  }

  command() {}

  /** Models are not in the file, only what they made of the points. */
  follow() {
    return false;
  }

  /** @param {{ colour?: number, small?: number }} request */
  look({ colour }) {
    const message = this.content && (colour === undefined ? small(this.content) : coloured(this.content, colour));
    if (message) this.on.message(message);
  }

  close() {}
}

/**
 * The whole run: like one message, but each array has a scale, 0 for float32 as it was.
 * @param {ArrayBuffer} packed
 * @returns {Promise<Message>}
 */
export async function unpack(packed) {
  const buffer = await new Response(unzipped(packed)).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  /** @type {Arrays} */
  const arrays = {};
  let at = 4 + length;
  for (const [name, shape, scale] of header.arrays) {
    const count = sizeOf(shape);
    const data = scale
      ? summed(new Int16Array(buffer, at, count), shape[0], scale)
      : new Float32Array(buffer, at, count);
    arrays[name] = { shape, data };
    at += 4 * Math.ceil((scale ? 2 * count : 4 * count) / 4);
  }
  return { header, arrays };
}

/**
 * Rows were stored as differences from the row before: the sum of all so far, times the scale.
 * @param {Int16Array} whole
 * @param {number} rows
 * @param {number} scale
 */
function summed(whole, rows, scale) {
  const size = whole.length / Math.max(1, rows);
  // Differences wrapped around 16 bits where they had to; adding them up wraps back.
  for (let n = size; n < whole.length; n += 1) whole[n] += whole[n - size];
  return Float32Array.from(whole, (value) => value * scale);
}

/**
 * The first message a server would have sent.
 * @param {Message} content
 * @returns {Message}
 */
export function scene({ header, arrays }) {
  const own = Object.entries(arrays).filter(([name]) => name.startsWith("scene."));
  const named = own.map(([name, array]) => [name.slice("scene.".length), array]);
  return { header: header.scene, arrays: Object.fromEntries(named) };
}

/**
 * The messages a server would have sent after it, one by one.
 * @param {Message} content
 * @returns {Generator<Message>}
 */
export function* moments({ header, arrays }) {
  let layout = 0;
  for (const [index, one] of header.moments.entries()) {
    const [width] = arrays.history.shape.slice(1);
    /** @type {NumberArray} */
    const none = { shape: [0, width], data: new Float32Array(0) };
    /** @type {Arrays} */
    const own = { history: index ? none : arrays.history, shells: part(arrays.shells, index) };
    if (arrays.pictures) own.pictures = part(arrays.pictures, index);
    if (index === 0 && arrays.floors) own.floors = arrays.floors;
    if (one.layout) {
      for (const m of one.layout.models.keys()) {
        own[`layout${m}`] = part(arrays[`layout${m}`], layout);
      }
      layout += 1;
    }
    yield { header: one, arrays: own };
  }
}

/**
 * How points look by one of the scene's colours.
 * @param {Message} content
 * @param {number} number
 * @returns {Message | null}
 */
export function coloured({ header, arrays }, number) {
  const told = header.coloured?.[number];
  if (!told) return null;
  const before = header.coloured.slice(0, number);
  const alike = before.filter((/** @type {any} */ one) => Boolean(one.groups) === Boolean(told.groups));
  const of = part(arrays[told.groups ? "coloured.groups" : "coloured.scales"], alike.length);
  return { header: told, arrays: { of } };
}

/**
 * Some of the points as small pictures.
 * @param {Message} content
 * @returns {Message | null}
 */
export function small({ header, arrays }) {
  return header.small ? { header: header.small, arrays: { images: arrays["small.images"] } } : null;
}
