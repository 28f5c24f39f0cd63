/**
 * Play, pause, step, speed, start over, other seed, narration, scrubber; keys Space ← → Home End + −.
 *
 * @import { Row } from "./types"
 * @import { Recording } from "./frames.js"
 * @import { Player } from "./player.js"
 */

import { make, setText } from "./dom.js";
import { narrates, setNarration } from "./narration.js";
import { SPEEDS } from "./player.js";

/** @type {Record<string, string>} paths of 24 by 24 */
const ICONS = {
  play: "M7 4.5v15l12.5-7.5z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  back: "M17.5 5v14L7.5 12zM5 5h2v14H5z",
  forward: "M6.5 5v14l10-7zM17 5h2v14h-2z",
  seed:
    "M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM5 5v14h14V5z" +
    "M8.5 7a1.5 1.5 0 0 1 0 3 1.5 1.5 0 0 1 0-3zM15.5 7a1.5 1.5 0 0 1 0 3 1.5 1.5 0 0 1 0-3z" +
    "M12 10.5a1.5 1.5 0 0 1 0 3 1.5 1.5 0 0 1 0-3zM8.5 14a1.5 1.5 0 0 1 0 3 1.5 1.5 0 0 1 0-3zM15.5 14a1.5 1.5 0 0 1 0 3 1.5 1.5 0 0 1 0-3z",
  words: "M4 4h16a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1h-8l-5 4v-4H4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM7 8v2h10V8zM7 12v2h7v-2z",
  restart: "M12 5V1.5L6.5 6.5 12 11.5V7.5a5.5 5.5 0 1 1-5.5 5.5H4a8 8 0 1 0 8-8z",
};

export class Transport {
  /**
   * @param {HTMLElement} element
   * @param {Player} player
   * @param {Recording} recording
   */
  constructor(element, player, recording) {
    this.player = player;
    this.recording = recording;
    this.play = this.#button("play", "Play", "Space", () => player.toggle());
    this.back = this.#button("back", "One moment back", "←", () => player.back());
    this.forward = this.#button("forward", "One moment on", "→", () => player.forward());
    this.restart = this.#button("restart", "Start over", "", () => player.restart());
    this.reseed = this.#button("seed", "The same with another seed", "", () => player.reseed());
    this.narration = this.#button("words", "Narration on the pictures", "", () => {
      setNarration(!narrates());
      player.painter.refresh();
      this.update();
    });
    for (const button of [this.restart, this.reseed]) button.classList.add("svae-live");
    this.speed = this.#speeds();
    const range = { type: "range", min: 0, max: 0, value: 0, "aria-label": "Moment shown" };
    this.scrubber = make("input", range);
    this.scrubber.addEventListener("input", () => {
      player.seek(this.#momentAt(Number(this.scrubber.value)));
    });
    this.text = make("span", { className: "svae-clock" });
    const buttons = [this.play, this.back, this.forward, this.restart, this.reseed, this.narration];
    element.append(...buttons, this.speed, this.scrubber, this.text);
    this.update();
  }

  /**
   * Whether a key press meant this stage, and was done.
   * @param {KeyboardEvent} event
   */
  key(event) {
    /** @type {Record<string, () => void>} */
    const acts = {
      " ": () => this.player.toggle(),
      ArrowLeft: () => this.player.back(),
      ArrowRight: () => this.player.forward(),
      Home: () => this.player.seek(0),
      End: () => this.player.seek(this.recording.count - 1),
      "+": () => this.player.shift(1),
      "=": () => this.player.shift(1), // plus, without shift
      "-": () => this.player.shift(-1),
      "−": () => this.player.shift(-1),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return false;
    act();
    return true;
  }

  update() {
    const { player, recording } = this;
    const ready = recording.count > 0;
    const replayable = player.over && recording.count > 1 && player.index >= recording.count - 1;
    setIcon(this.play, player.moving ? "pause" : "play");
    setLabel(this.play, player.moving ? "Pause" : replayable ? "Play again" : "Play", "Space");
    const newest = player.index >= recording.count - 1;
    const waits = player.reader && newest && !player.over && !player.moving; // for whom it belongs to
    this.play.disabled = recording.status === "failed" || !ready || waits;
    this.back.disabled = player.index <= 0;
    this.forward.disabled = !ready || ((player.over || player.reader) && newest);
    this.narration.setAttribute("aria-pressed", String(narrates()));
    this.reseed.disabled = !ready;
    this.speed.value = String(player.speed);
    this.scrubber.disabled = !ready;
    // The whole track is the run; what is not trained yet is drawn as still empty.
    const shown = recording.rows[player.index];
    this.scrubber.max = String(recording.steps);
    this.scrubber.value = String(shown?.step ?? 0);
    /** @param {Row} [row] */
    const share = (row) => `${(100 * (row?.step ?? 0)) / Math.max(1, recording.steps)}%`;
    this.scrubber.style.setProperty("--shown", share(shown));
    this.scrubber.style.setProperty("--trained", share(recording.rows.at(-1)));
    this.scrubber.setAttribute("aria-valuetext", shown ? `step ${shown.step}` : "");
    setText(this.text, this.#clock(shown));
  }

  /**
   * The last moment no later than a step.
   * @param {number} step
   */
  #momentAt(step) {
    const later = this.recording.rows.findIndex((row) => row.step > step);
    return (later < 0 ? this.recording.count : later) - 1;
  }

  /** @param {Row} [shown] */
  #clock(shown) {
    const { status, steps, left, count } = this.recording;
    if (!shown) return status === "failed" ? "" : "preparing data, shell and clusters …";
    const where = `step ${shown.step} of ${steps}`;
    if (status === "certifying") return `${where}, measuring …`;
    if (this.player.mode !== "follow" && this.player.index < count - 1) return `${where}, recorded`;
    if (status === "finished") return `${where}, finished`;
    if (status === "paused") return `${where}, paused`;
    if (left === null) return where;
    const pace = this.recording.lesson ? "" : `${this.#pace()}, `; // a lesson keeps its own time
    return `${where}, ${pace}${duration(left)} left`;
  }

  /** Steps per second and, where runs take turns, how many. */
  #pace() {
    const { speed, standing } = this.recording;
    const rate = `${speed < 10 ? speed.toFixed(1) : Math.round(speed)} steps/s`;
    const { place, lines } = standing ?? { place: 0, lines: 1 };
    if (lines < 2) return rate;
    return place > lines ? `${rate}, ${place} turns to wait` : `${rate}, in turn with ${lines - 1}`;
  }

  #speeds() {
    /** @type {Record<number, string>} */
    const names = { 0.5: "½×" };
    const options = SPEEDS.map((speed) => make("option", { value: speed }, names[speed] ?? `${speed}×`));
    const label = { "aria-label": "Replay speed", title: "Replay speed (+ and −)" };
    const select = make("select", { className: "svae-speed", ...label }, ...options);
    select.addEventListener("change", () => this.player.setSpeed(Number(select.value)));
    return select;
  }

  /**
   * @param {string} icon
   * @param {string} label
   * @param {string} key
   * @param {() => void} act
   */
  #button(icon, label, key, act) {
    const button = make("button", { type: "button", className: "svae-button" });
    button.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path/></svg>';
    setIcon(button, icon);
    setLabel(button, label, key);
    button.addEventListener("click", act);
    return button;
  }
}

/**
 * @param {HTMLElement} button
 * @param {string} icon
 */
function setIcon(button, icon) {
  const path = button.querySelector("path");
  if (path && path.getAttribute("d") !== ICONS[icon]) path.setAttribute("d", ICONS[icon]);
}

/**
 * @param {HTMLElement} button
 * @param {string} label
 * @param {string} key
 */
function setLabel(button, label, key) {
  if (button.getAttribute("aria-label") === label) return;
  button.setAttribute("aria-label", label);
  button.title = key ? `${label} (${key})` : label;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
