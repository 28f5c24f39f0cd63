/** What the stage is told, decoded and kept. The format is that of pages/wire/messages.py. */

/** One binary message as {header, arrays}; each array is {shape, data: Float32Array}. */
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let at = 4 + length;
  for (const [name, shape] of header.arrays) {
    const count = shape.reduce((product, size) => product * size, 1);
    arrays[name] = { shape, data: new Float32Array(buffer, at, count) };
    at += 4 * count;
  }
  return { header, arrays };
}

/** Part `index` of an array along its first axis. */
export function part(array, index) {
  const shape = array.shape.slice(1);
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, data: array.data.subarray(index * size, (index + 1) * size) };
}

/** What every moment says of the run as it stands. */
const TOLD = ["version", "status", "error", "left", "speed", "standing", "count", "certificates"];

/**
 * A run as far as this page knows it: moments by index, the numbers of all moments, layouts.
 * A moment lacks `shells` until it was asked for by its index.
 */
export class Recording {
  constructor() {
    this.scene = null;
    this.now = null; // what may be changed, as it is now
    this.tree = []; // the runs that branched off one another
    this.lesson = null;
    this.generation = -1;
    this.lead = -1; // in a class: the moment that the teacher shows, −1 for the newest
    this.forget();
  }

  forget() {
    this.moments = new Map();
    this.layouts = new Map();
    this.rows = [];
    this.floors = null; // [models, 3, losses]: losses, proved and tight floor, once known
    this.count = 0;
    this.steps = 0;
    this.version = -1;
    this.status = "preparing";
    this.error = null;
    this.left = null;
    this.speed = 0; // steps per second
    this.standing = null; // {place, lines}: calls that go first, runs that take turns
    this.certificates = [];
    this.remarks = [];
    this.corridor = [];
  }

  /** Take a message in; the moment it speaks of, if it brings one. */
  accept({ header, arrays }) {
    if (header.kind === "scene") {
      this.error = header.error;
      this.scene = header.error ? null : { ...header, arrays };
      return null;
    }
    if (header.generation !== this.generation) {
      this.forget();
      this.generation = header.generation;
    }
    for (const name of TOLD) {
      this[name] = header[name];
    }
    this.lead = header.lead ?? -1;
    this.#acceptTime(header);
    if (header.index < 0) return null;
    this.steps = header.steps;
    this.#acceptRows(header.from, arrays.history, header.models);
    this.floors = arrays.floors ?? this.floors;
    if (header.layout) this.layouts.set(header.layout.number, { ...header.layout, arrays });
    const moment = this.moments.get(header.index) ?? {
      index: header.index,
      step: header.step,
      epoch: header.epoch,
      then: header.then,
      models: header.models,
    };
    if (arrays.shells) Object.assign(moment, { shells: arrays.shells, pictures: arrays.pictures });
    this.moments.set(header.index, moment);
    return moment;
  }

  /** The layout that was newest at this step. */
  layoutAt(step) {
    let found = null;
    for (const layout of this.layouts.values()) {
      if (layout.step <= step && (!found || layout.number > found.number)) found = layout;
    }
    return found;
  }

  /** What was said last of what had happened by this step. */
  remarkAt(step) {
    const said = this.remarks.filter((remark) => remark.step <= step);
    return said.reduce((last, remark) => (!last || remark.step >= last.step ? remark : last), null);
  }

  #acceptTime({ remarks, corridor, now, tree, lesson }) {
    if (remarks && remarks.from <= this.remarks.length) {
      this.remarks.length = remarks.from;
      this.remarks.push(...remarks.lines);
    }
    if (corridor) this.corridor = corridor.map(([step, lo, hi]) => ({ step, lo, hi }));
    if (now) this.now = now;
    if (tree) Object.assign(this, { tree, lesson });
  }

  #acceptRows(from, history, models) {
    if (from > this.rows.length) return;
    const [count, width] = history.shape;
    this.rows.length = from;
    for (let row = 0; row < count; row += 1) {
      const numbers = history.data.subarray(row * width, (row + 1) * width);
      const size = (width - 1) / models.length;
      this.rows.push({
        step: numbers[0],
        models: models.map((_, m) => {
          const at = 1 + m * size;
          return {
            loss: numbers[at],
            kl: numbers[at + 1],
            klPerDim: numbers.subarray(at + 2, at + size),
          };
        }),
      });
    }
  }
}
