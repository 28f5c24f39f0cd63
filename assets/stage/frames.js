/**
 * Messages decoded, and the run that they describe. svae_core/stage/messages.py writes their format.
 *
 * @import { Arrays, CertificateNumbers, Layout, LessonState, Message, Moment } from "./types"
 * @import { NumberArray, OutlookNumbers, Remark, Row, RunSettings, Scene, TreeNode } from "./types"
 */

import { narrates, newsAt } from "./narration.js";

/**
 * One binary message: the length of a header, the header in JSON, then float32 arrays one by one.
 * @param {ArrayBuffer} buffer
 * @returns {Message}
 */
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  /** @type {Arrays} */
  const arrays = {};
  let at = 4 + length;
  for (const [name, shape] of header.arrays) {
    const count = sizeOf(shape);
    arrays[name] = { shape, data: new Float32Array(buffer, at, count) };
    at += 4 * count;
  }
  return { header, arrays };
}

/**
 * How many numbers an array of this shape holds.
 * @param {number[]} shape
 */
export function sizeOf(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * Part `index` of an array along its first axis; it shares the array's memory.
 * @param {NumberArray} array
 * @param {number} index
 * @returns {NumberArray}
 */
export function part(array, index) {
  const shape = array.shape.slice(1);
  const size = sizeOf(shape);
  return { shape, data: array.data.subarray(index * size, (index + 1) * size) };
}

/**
 * A run as far as this page knows it: moments by index, the numbers of all moments, layouts.
 * A moment lacks `shells` until it was asked for by its index.
 */
export class Recording {
  constructor() {
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {RunSettings | null} what may be changed, as it is now */
    this.now = null;
    /** @type {TreeNode[]} the runs that branched off one another */
    this.tree = [];
    /** @type {LessonState | null} */
    this.lesson = null;
    this.seat = -1; // in a class: the version of what is known of it
    this.generation = -1;
    this.lead = -1; // in a class: the moment that the teacher shows, −1 for the newest
    /** @type {Map<number, Moment>} by index */
    this.moments = new Map();
    /** @type {Map<number, Layout>} by number */
    this.layouts = new Map();
    /** @type {Row[]} */
    this.rows = [];
    /** @type {NumberArray | null} [models, 3, losses]: losses, proved and tight floor */
    this.floors = null;
    this.floorsKind = 0; // 1: the quick ones, 2: the sharpened
    this.count = 0;
    this.steps = 0;
    this.version = -1;
    this.status = "preparing";
    /** @type {string | null} */
    this.error = null;
    /** @type {number | null} seconds */
    this.left = null;
    this.speed = 0; // steps per second
    /** @type {{ place: number, lines: number } | null} calls that go first, runs that take turns */
    this.standing = null;
    /** @type {CertificateNumbers[]} */
    this.certificates = [];
    /** @type {OutlookNumbers | null} what is next; a recorded run has none */
    this.outlook = null;
    /** @type {Remark[]} */
    this.remarks = [];
    /** @type {{ step: number, lo: number, hi: number }[]} the band from each of these steps on */
    this.corridor = [];
  }

  /** The run has started over: only what holds for all its generations is kept. */
  forget() {
    const { scene, now, tree, lesson, seat, lead } = this;
    Object.assign(this, new Recording(), { scene, now, tree, lesson, seat, lead });
  }

  /**
   * Take a message in; the moment it speaks of, if it brings one.
   * @param {Message} message
   * @returns {Moment | null}
   */
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
    this.#acceptStatus(header);
    this.#acceptHistory(header);
    if (header.index < 0) return null;
    this.steps = header.steps;
    this.#acceptRows(header.from, arrays.history, header.models.length);
    if (arrays.floors) {
      this.floors = arrays.floors;
      this.floorsKind = header.floors;
    }
    if (header.layout) this.layouts.set(header.layout.number, { ...header.layout, arrays });
    const { index, step, epoch, then, models } = header;
    const moment = this.moments.get(index) ?? { index, step, epoch, then, models };
    if (arrays.shells) Object.assign(moment, { shells: arrays.shells, pictures: arrays.pictures });
    this.moments.set(index, moment);
    return moment;
  }

  /**
   * The layout that was newest at this step.
   * @param {number} step
   */
  layoutAt(step) {
    /** @type {Layout | null} */
    let found = null;
    for (const layout of this.layouts.values()) {
      if (layout.step <= step && (!found || layout.number > found.number)) found = layout;
    }
    return found;
  }

  /**
   * The latest remark on what had happened by this step.
   * @param {number} step
   * @returns {Remark | null}
   */
  remarkAt(step) {
    /** @type {Remark | null} */
    let latest = null;
    for (const remark of this.remarks) {
      if (remark.step <= step && (!latest || remark.step >= latest.step)) latest = remark;
    }
    return latest;
  }

  /**
   * The remark to narrate on the picture at this moment, or null.
   * @param {number} index
   */
  newsAt(index) {
    return narrates() ? newsAt(this.remarks, this.rows, index) : null;
  }

  /** @param {any} header  what every message says of the run as it stands */
  #acceptStatus({ version, status, error, left, speed, standing, count, certificates, ...rest }) {
    Object.assign(this, { version, status, error, left, speed, standing, count, certificates });
    const { lead = -1, seat = -1, lesson } = rest;
    Object.assign(this, { lead, seat });
    if (lesson !== undefined) this.lesson = lesson;
  }

  /** @param {any} header  what happened so far: remarks, the band's changes, branches */
  #acceptHistory({ remarks, corridor, now, tree, outlook }) {
    if (remarks && remarks.from <= this.remarks.length) {
      this.remarks.length = remarks.from;
      this.remarks.push(...remarks.lines);
    }
    if (corridor) {
      /** @type {[number, number, number][]} */
      const edges = corridor;
      this.corridor = edges.map(([step, lo, hi]) => ({ step, lo, hi }));
    }
    if (now) this.now = now;
    if (tree) this.tree = tree;
    if (outlook) this.outlook = outlook;
  }

  /**
   * @param {number} from  how many rows are kept; more than there are: a gap, so nothing is taken
   * @param {NumberArray} history  [rows, 1 + models · (2 + k)]
   * @param {number} models
   */
  #acceptRows(from, history, models) {
    if (from > this.rows.length) return;
    const [count, width] = history.shape;
    const size = (width - 1) / models;
    this.rows.length = from;
    for (let row = 0; row < count; row += 1) {
      const numbers = history.data.subarray(row * width, (row + 1) * width);
      this.rows.push({
        step: numbers[0],
        models: Array.from({ length: models }, (_, m) => {
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
