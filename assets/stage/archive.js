/**
 * Where moments come from when there is no server: a whole run, packed into the page. The same
 * interface as socket.js; pages/wire/replay.py writes what is read here.
 */

import { part } from "./frames.js";

const BASE64 = "data:application/octet-stream;base64,";

export class Archive {
  offline = true;

  constructor(text, on) {
    this.on = on;
    this.told = false;
    unpack(text).then((content) => {
      this.content = content;
      on.open();
    }, () => on.trouble("This file is damaged: export the replay once more."));
  }

  /** Everything there is, the first time a moment is wanted. */
  ask({ want }) {
    if (!this.content || this.told) return;
    if (want === "scene") {
      this.on.message(scene(this.content));
    } else {
      this.told = true;
      for (const message of moments(this.content)) this.on.message(message);
    }
  }

  command() {}

  /** Models are not in the file, only what they made of the points. */
  decode() {
    return false;
  }

  close() {}
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let at = 4 + length;
  for (const [name, shape, scale] of header.arrays) {
    const count = shape.reduce((product, size) => product * size, 1);
    arrays[name] = { shape, data: restored(buffer, at, count, shape[0], scale) };
    at += 4 * Math.ceil((scale ? 2 * count : 4 * count) / 4);
  }
  return { header, arrays };
}

/** float32 as it was, or the sum of all differences so far. */
function restored(buffer, at, count, rows, scale) {
  if (!scale) return new Float32Array(buffer, at, count);
  const whole = new Int16Array(buffer, at, count);
  const size = count / Math.max(1, rows);
  for (let n = size; n < count; n += 1) whole[n] += whole[n - size]; // wraps, as it was meant to
  return Float32Array.from(whole, (value) => value * scale);
}

function scene({ header, arrays }) {
  const own = Object.entries(arrays).filter(([name]) => name.startsWith("scene."));
  const named = own.map(([name, array]) => [name.slice("scene.".length), array]);
  return { header: header.scene, arrays: Object.fromEntries(named) };
}

/** The messages a server would have sent, one by one. */
function* moments({ header, arrays }) {
  let layout = 0;
  for (const [index, one] of header.moments.entries()) {
    const [width] = arrays.history.shape.slice(1);
    const none = { shape: [0, width], data: new Float32Array(0) };
    const own = { history: index ? none : arrays.history, shells: part(arrays.shells, index) };
    if (arrays.pictures) own.pictures = part(arrays.pictures, index);
    if (index === 0 && arrays.floors) own.floors = arrays.floors;
    if (one.layout) {
      one.layout.models.forEach((_, m) => {
        own[`layout${m}`] = part(arrays[`layout${m}`], layout);
      });
      layout += 1;
    }
    yield { header: one, arrays: own };
  }
}
