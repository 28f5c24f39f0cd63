/**
 * Which moment is shown. `follow` shows the newest as it comes; `hold` stays where the viewer
 * went; `replay` walks on from there through what is recorded, and follows again at its end.
 */
export class Player {
  constructor(source, recording, painter, onChange) {
    this.source = source;
    this.recording = recording;
    this.painter = painter;
    this.onChange = onChange;
    this.mode = "follow";
    this.index = -1;
    this.wanted = -1;
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

  /** After every message: show what is due, else ask on. */
  receive(moment) {
    if (this.generation !== this.recording.generation) {
      this.generation = this.recording.generation;
      this.index = -1;
      this.mode = "follow"; // started over, perhaps by another viewer
    }
    const target = this.mode === "follow" ? this.recording.count - 1 : this.wanted;
    if (moment && moment.index === target && moment.shells) {
      this.#show(moment);
    } else {
      this.ask();
    }
    this.onChange();
  }

  /** After every drawn moment: the next one. */
  drawn() {
    if (this.mode === "replay") {
      if (this.index < this.recording.count - 1) {
        this.#goTo(this.index + 1);
        return;
      }
      this.mode = "follow";
      this.onChange();
    }
    if (!this.moving) this.painter.settle();
    this.ask();
  }

  ask() {
    const { moments, version, generation, rows, layouts } = this.recording;
    const complete = [...moments.values()].filter((moment) => moment.shells);
    this.source.ask({
      want: this.mode !== "follow" && !this.#has(this.wanted) ? this.wanted : "newest",
      have: Math.max(-1, ...complete.map((moment) => moment.index)),
      version,
      generation,
      rows: rows.length,
      layout: Math.max(-1, ...layouts.keys()),
    });
  }

  /** Play or pause: training while there is some left, else the recording. */
  toggle() {
    if (this.moving) {
      this.mode = this.mode === "replay" ? "hold" : "follow";
      this.wanted = this.index;
      if (this.training) this.source.command("pause");
    } else if (this.mode === "hold" && this.index < this.recording.count - 1) {
      this.mode = "replay";
      this.#goTo(this.index + 1);
    } else if (this.over) {
      this.mode = "replay";
      this.#goTo(0);
    } else {
      this.mode = "follow";
      this.source.command("play");
    }
    this.onChange();
  }

  /** One moment on: a recorded one, or one more of training. */
  forward() {
    if (this.index < this.recording.count - 1) {
      this.seek(this.index + 1);
    } else if (!this.over) {
      this.mode = "follow";
      this.source.command("step");
    }
  }

  back() {
    this.seek(this.index - 1);
  }

  /** Hold at this moment; at the newest of a run that goes on, follow it. */
  seek(index) {
    const last = this.recording.count - 1;
    if (last < 0) return;
    this.mode = index >= last ? "follow" : "hold";
    this.#goTo(Math.max(0, Math.min(index, last)));
    this.onChange();
  }

  restart() {
    this.mode = "follow";
    this.source.command("reset");
  }

  #has(index) {
    return Boolean(this.recording.moments.get(index)?.shells);
  }

  #goTo(index) {
    this.wanted = index;
    if (this.#has(index)) this.#show(this.recording.moments.get(index));
    else this.ask();
  }

  #show(moment) {
    this.index = moment.index;
    this.painter.show(moment, !this.moving);
  }
}
