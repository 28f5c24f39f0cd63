/**
 * Which moment is shown, and when.
 *
 * @import { Moment, MomentSource, RunSettings } from "./types"
 * @import { Recording } from "./frames.js"
 */

/** Replay speeds, and how many moments a second speed 1 shows. */
export const SPEEDS = [0.5, 1, 2, 4];
const PACE = 10;

/**
 * Which moment is shown. `follow` shows the newest as it comes; `hold` stays where the viewer
 * went; `replay` walks on from there through what is recorded, and follows again at its end.
 */
export class Player {
  /**
   * @param {MomentSource} source
   * @param {Recording} recording
   * @param {{ show(moment: Moment): void, refresh(): void }} painter  calls `drawn` when it has drawn
   * @param {() => void} onChange
   */
  constructor(source, recording, painter, onChange) {
    this.source = source;
    this.recording = recording;
    this.painter = painter;
    this.onChange = onChange;
    /** @type {"follow" | "hold" | "replay"} */
    this.mode = "follow";
    /** @type {Player["mode"]} what a run begins in */
    this.opening = "follow";
    this.generation = recording.generation;
    this.index = -1;
    this.wanted = -1;
    this.speed = 1;
    this.reader = false; // a reader looks, and does not change the run
    this.led = false; // shows what somebody else looks at
    this.began = { index: 0, time: 0 }; // where and when a replay, or its speed, began
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * Show what the teacher shows, or no longer.
   * @param {boolean} led
   */
  follow(led) {
    this.reader = true;
    this.led = led;
    if (led) this.#beLed();
    this.onChange();
    this.ask();
  }

  dispose() {
    clearTimeout(this.timer);
  }

  /** Whether an earlier moment is shown than the newest. */
  get behind() {
    return this.mode !== "follow" && this.index < this.recording.count - 1;
  }

  get training() {
    return this.recording.status === "playing" || this.recording.status === "preparing";
  }

  get over() {
    return ["certifying", "finished", "failed"].includes(this.recording.status);
  }

  get moving() {
    return this.mode === "replay" || (this.mode === "follow" && this.training);
  }

  /**
   * After every message: show what is due, else ask on.
   * @param {Moment | null} moment
   */
  receive(moment) {
    if (this.generation !== this.recording.generation) {
      this.generation = this.recording.generation;
      this.index = -1;
      this.mode = this.opening; // started over, perhaps by another viewer
      this.wanted = 0;
      this.began = { index: 0, time: NaN }; // it begins when the first moment is drawn
    }
    if (this.led) this.#beLed();
    const target = this.mode === "follow" ? this.recording.count - 1 : this.wanted;
    if (moment && moment.index === target && moment.shells) {
      this.#show(moment);
    } else {
      // Certificates may come with a moment that is not the one shown.
      if (this.index >= 0) this.painter.refresh();
      this.ask();
    }
    this.onChange();
  }

  /** After every drawn moment: the next one. */
  drawn() {
    if (Number.isNaN(this.began.time)) this.began.time = performance.now();
    if (this.mode === "replay" && this.index < this.recording.count - 1) {
      this.#walk();
    } else if (this.mode === "replay") {
      this.mode = "follow";
    }
    this.onChange(); // what stands beside the views speaks of the same moment
    this.ask();
  }

  /**
   * Ask for what is due, else for a moment that this page lacks while it has nothing better to do:
   * scrubbing then needs no server.
   */
  ask() {
    const { moments, version, generation, rows, layouts } = this.recording;
    const complete = [...moments.values()].filter((moment) => moment.shells);
    const due = this.mode !== "follow" && !this.#has(this.wanted) ? this.wanted : null;
    this.source.ask({
      want: due ?? this.#missing() ?? "newest",
      have: Math.max(-1, ...complete.map((moment) => moment.index)),
      version,
      generation,
      rows: rows.length,
      layout: Math.max(-1, ...layouts.keys()),
      remarks: this.recording.remarks.length,
      floors: this.recording.floorsKind,
      lead: this.recording.lead,
      seat: this.recording.seat,
    });
  }

  /** Play or pause: training while there is some left, else the recording. */
  toggle() {
    if (this.led) return;
    if (this.moving) {
      this.mode = this.mode === "replay" || this.reader ? "hold" : "follow";
      this.wanted = this.index;
      if (this.training && !this.reader) this.source.command("pause");
    } else if (this.mode === "hold" && this.index < this.recording.count - 1) {
      this.#replay(this.index + 1);
    } else if (this.over) {
      this.#replay(0);
    } else {
      this.mode = "follow";
      if (this.reader) this.ask();
      else this.source.command("play");
    }
    this.onChange();
  }

  /**
   * Show a recording from its first moment on; where motion is unwanted, that moment alone.
   * @param {boolean} still
   */
  begin(still) {
    this.opening = still ? "hold" : "replay";
  }

  /** Where the viewer is, or is on the way to: a press counts before its moment has come. */
  get #place() {
    return this.mode === "hold" ? this.wanted : this.index;
  }

  /** One moment on: a recorded one, or one more of training. */
  forward() {
    if (this.#place < this.recording.count - 1) {
      this.seek(this.#place + 1);
    } else if (!this.over && !this.reader) {
      this.mode = "follow";
      this.source.command("step");
    }
  }

  back() {
    this.seek(this.#place - 1);
  }

  /**
   * Hold at this moment; at the newest of a run that goes on, follow it.
   * @param {number} index
   */
  seek(index) {
    const last = this.recording.count - 1;
    if (last < 0 || this.led) return;
    this.mode = index >= last ? "follow" : "hold";
    this.#goTo(Math.max(0, Math.min(index, last)));
    this.onChange();
  }

  restart() {
    this.mode = "follow";
    this.source.command("reset");
  }

  /** The same run from other first weights. */
  reseed() {
    this.source.command("reseed");
  }

  /**
   * Other settings from here on: of this run at its newest moment, else of a branch. At the end of
   * a run nothing is left to train, so the branch starts half-way.
   * @param {Partial<RunSettings>} changes
   */
  alter(changes) {
    const { rows, steps, count } = this.recording;
    let at = Math.max(0, this.index);
    if (this.over && at >= count - 1) {
      at = Math.max(0, rows.findIndex((row) => row.step >= steps / 2));
      this.seek(at);
    }
    const step = rows[at]?.step ?? 0;
    if (this.behind || this.over) this.source.command("branch", { step, changes });
    else this.source.command("change", { changes });
  }

  /**
   * One speed up or down the list.
   * @param {1 | -1} by
   */
  shift(by) {
    const at = SPEEDS.indexOf(this.speed) + by;
    this.setSpeed(SPEEDS[Math.max(0, Math.min(at, SPEEDS.length - 1))]);
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.speed = speed;
    this.began = { index: this.index, time: performance.now() };
    this.onChange();
  }

  /** @param {number} index */
  #replay(index) {
    this.mode = "replay";
    this.began = { index, time: performance.now() };
    this.#goTo(index);
  }

  /** To the moment whose time has come; where drawing is too slow, some are left out. */
  #walk() {
    const { index, time } = this.began;
    const rate = (PACE * this.speed) / 1000;
    const due = index + Math.floor((performance.now() - time) * rate);
    const next = Math.min(Math.max(this.index + 1, due), this.recording.count - 1);
    const wait = time + (next - index) / rate - performance.now();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.mode === "replay" && this.#goTo(next), Math.max(0, wait));
  }

  /** The moment nearest to the one shown that is not here yet, unless training is being watched. */
  #missing() {
    if (document.hidden || (this.mode === "follow" && this.training)) return null;
    /** @type {number | null} */
    let nearest = null;
    for (let index = 0; index < this.recording.count; index += 1) {
      const nearer = nearest === null || Math.abs(index - this.index) < Math.abs(nearest - this.index);
      if (nearer && !this.#has(index)) nearest = index;
    }
    return nearest;
  }

  /** The teacher's moment is the one to be shown: the newest, or an earlier one. */
  #beLed() {
    const { lead, count } = this.recording;
    this.mode = lead < 0 || lead >= count - 1 ? "follow" : "hold";
    if (this.mode === "hold" && this.index !== lead) this.#goTo(lead);
  }

  /** @param {number} index */
  #has(index) {
    return Boolean(this.recording.moments.get(index)?.shells);
  }

  /** @param {number} index */
  #goTo(index) {
    this.wanted = index;
    const moment = this.recording.moments.get(index);
    if (moment?.shells) this.#show(moment);
    else this.ask();
  }

  /** @param {Moment} moment */
  #show(moment) {
    this.index = moment.index;
    this.painter.show(moment);
  }
}
