/** Laws of the player: what is shown and asked for, whoever trains, holds, replays or follows. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Recording } from "../../assets/stage/frames.js";
import { Painter } from "../../assets/stage/painter.js";
import { Player, SPEEDS } from "../../assets/stage/player.js";
import { momentMessage } from "./messages.js";

const real = { setTimeout, clearTimeout, performance: globalThis.performance };
/** The clock, and what is to happen when it gets there. */
let now = 0;
let waiting = [];

beforeEach(() => {
  now = 0;
  waiting = [];
  globalThis.document = { hidden: false };
  globalThis.performance = { now: () => now };
  globalThis.setTimeout = (act, wait) => {
    waiting.push({ act, at: now + wait });
    return waiting.length;
  };
  globalThis.clearTimeout = (timer) => timer && (waiting[timer - 1].act = () => {});
});

afterEach(() => {
  Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
  globalThis.performance = real.performance;
  delete globalThis.document;
});

/** A player of a run with this many recorded moments, and all that it asked and showed. */
function playerOf(count, status = "playing") {
  const recording = new Recording();
  const asked = [];
  const commands = [];
  const shown = [];
  const source = {
    ask: (request) => asked.push(request),
    command: (verb, rest) => commands.push([verb, ...(rest ? [rest] : [])]),
  };
  const painter = { show: (m) => shown.push(m.index), refresh() {} };
  const player = new Player(source, recording, painter, () => {});
  /** As the server would: this moment, of so many. */
  const arrive = (index, rest = {}) => {
    const from = Math.min(index, recording.rows.length);
    const steps = Array.from({ length: index + 1 - from }, (_, n) => 10 * (from + n));
    player.receive(recording.accept(momentMessage({ index, from, steps, status, ...rest })));
  };
  for (let index = 0; index < count; index += 1) arrive(index);
  return { player, recording, asked, commands, shown, arrive };
}

/** Let the clock run to the timer that was set last, and draw what it shows. */
function tick(player) {
  const next = waiting[waiting.length - 1];
  now = Math.max(now, next.at);
  next.act();
  player.drawn();
}

test("while training is followed, each moment is shown as it comes, and the next is asked for", () => {
  const { player, shown, asked } = playerOf(3);
  assert.deepEqual(shown, [0, 1, 2]);
  assert.ok(player.moving && !player.behind);
  player.drawn();
  assert.equal(asked.at(-1).want, "newest");
  assert.deepEqual([asked.at(-1).have, asked.at(-1).rows], [2, 3]);
});

test("a moment that was sought is held while training goes on", () => {
  const { player, shown, arrive } = playerOf(3);
  player.seek(1);
  arrive(3);
  assert.deepEqual(shown, [0, 1, 2, 1]);
  assert.ok(player.behind && !player.moving);
  player.seek(99);
  assert.equal(player.mode, "follow");
  assert.equal(shown.at(-1), 3);
});

test("a moment that is not here is asked for by its index and shown when it comes", () => {
  const { player, shown, asked, arrive } = playerOf(0);
  arrive(9);
  player.seek(4);
  assert.equal(asked.at(-1).want, 4);
  assert.deepEqual(shown, [9]);
  arrive(4, { count: 10 });
  assert.deepEqual(shown, [9, 4]);
});

test("with nothing due, missing moments are asked for, the nearest first, until all are here", () => {
  const { player, asked, arrive } = playerOf(0, "finished");
  arrive(5, { count: 6 });
  const order = [];
  for (let n = 0; n < 5; n += 1) {
    player.drawn();
    order.push(asked.at(-1).want);
    arrive(asked.at(-1).want, { count: 6 });
  }
  assert.deepEqual(order, [4, 3, 2, 1, 0]);
  player.drawn();
  assert.equal(asked.at(-1).want, "newest");
});

test("a hidden page asks for no moments that are only missing", () => {
  const { player, asked, arrive } = playerOf(0, "finished");
  arrive(5, { count: 6 });
  globalThis.document.hidden = true;
  player.drawn();
  assert.equal(asked.at(-1).want, "newest");
});

test("play and pause: a run in training is paused, a paused one goes on", () => {
  const training = playerOf(2);
  training.player.toggle();
  assert.deepEqual(training.commands, [["pause"]]);
  const paused = playerOf(2, "paused");
  paused.player.toggle();
  assert.deepEqual(paused.commands, [["play"]]);
});

test("a finished run is replayed from its first moment to its last, at its speed", () => {
  for (const speed of SPEEDS) {
    const { player, shown, commands } = playerOf(5, "finished");
    player.setSpeed(speed);
    const started = now;
    player.toggle();
    player.drawn();
    while (player.mode === "replay") tick(player);
    assert.deepEqual(shown.slice(5), [0, 1, 2, 3, 4]);
    assert.deepEqual(commands, [], "a replay trains nothing");
    // Ten moments a second at speed 1: four steps on from the first.
    assert.ok(Math.abs(now - started - 4 * (100 / speed)) < 1e-6, `${speed}`);
  }
});

test("where drawing is too slow, a replay leaves moments out and still ends in time", () => {
  const { player, shown } = playerOf(11, "finished");
  player.toggle();
  player.drawn();
  while (player.mode === "replay") {
    now += 250; // that long to draw
    tick(player);
  }
  const replayed = shown.slice(11);
  assert.deepEqual(replayed, [...new Set(replayed)].sort((a, b) => a - b), "always onwards");
  assert.equal(replayed.at(-1), 10);
  assert.ok(replayed.length < 11);
});

test("one moment on is a recorded one, or one more of training, or nothing at the end", () => {
  const { player, shown, commands } = playerOf(3, "paused");
  player.back();
  player.forward();
  assert.deepEqual(shown.slice(-2), [1, 2]);
  assert.deepEqual(commands, []);
  player.forward();
  assert.deepEqual(commands, [["step"]]);
  const over = playerOf(3, "finished");
  over.player.forward();
  assert.deepEqual(over.commands, []);
});

test("every press counts, also before the moment that it goes to has come", () => {
  const { player, asked, shown, arrive } = playerOf(0, "paused");
  arrive(9); // of all others only the rows are here
  player.seek(0);
  for (let press = 0; press < 4; press += 1) player.forward();
  player.back();
  assert.equal(asked.at(-1).want, 3);
  arrive(3);
  assert.equal(shown.at(-1), 3);
});

test("other settings change the run at its newest moment, and branch off anywhere else", () => {
  const changes = { beta: 4 };
  const newest = playerOf(3);
  newest.player.alter(changes);
  assert.deepEqual(newest.commands, [["change", { changes }]]);
  const earlier = playerOf(3);
  earlier.player.seek(1);
  earlier.player.alter(changes);
  assert.deepEqual(earlier.commands, [["branch", { step: 10, changes }]]);
  const over = playerOf(4, "finished");
  over.recording.steps = 30;
  over.player.seek(2);
  over.player.alter(changes);
  assert.deepEqual(over.commands.pop(), ["branch", { step: 20, changes }]);
  over.player.seek(3); // at the end nothing is left to train: from half-way, which is shown
  over.player.alter(changes);
  assert.deepEqual(over.commands.pop(), ["branch", { step: 20, changes }]);
  assert.equal(over.shown.at(-1), 2);
});

test("a recording that opens the page is played from its first moment, never shown from its end", () => {
  for (const still of [false, true]) {
    const { player, shown, arrive } = playerOf(0, "finished");
    player.begin(still);
    for (let index = 0; index < 3; index += 1) arrive(index);
    assert.deepEqual(shown, [0]);
    player.drawn();
    if (!still) tick(player);
    assert.deepEqual(shown, still ? [0] : [0, 1]);
  }
});

test("whoever is led sees the teacher's moment, changes nothing, and may let go", () => {
  const { player, shown, commands, arrive } = playerOf(4);
  player.follow(true);
  arrive(4, { lead: 2 });
  assert.equal(shown.at(-1), 2);
  player.seek(0);
  player.toggle();
  assert.equal(shown.at(-1), 2);
  arrive(5, { lead: -1 });
  assert.equal(shown.at(-1), 5, "the teacher shows the newest");
  player.follow(false);
  player.seek(0);
  assert.equal(shown.at(-1), 0);
  player.forward();
  assert.deepEqual(commands, [], "a reader never changes the run");
});

test("a run that started over is followed from its beginning", () => {
  const { player, shown, arrive } = playerOf(4);
  player.seek(1);
  arrive(0, { generation: 1 });
  assert.equal(player.mode, "follow");
  assert.equal(shown.at(-1), 0);
});

test("speed goes up and down its list and stays within it", () => {
  const { player } = playerOf(1);
  for (const _ of SPEEDS) player.shift(1);
  assert.equal(player.speed, SPEEDS.at(-1));
  for (const _ of SPEEDS) player.shift(-1);
  assert.equal(player.speed, SPEEDS[0]);
});

test("certificates are drawn when they come, though with a moment that was only missing", () => {
  const frames = [];
  globalThis.requestAnimationFrame = (act) => frames.push(act);
  const recording = new Recording();
  const seen = [];
  const view = { draw: (moment) => void seen.push([moment.index, recording.certificates.length]) };
  const asked = [];
  const source = { ask: (request) => asked.push(request.want), command: () => {} };
  const drawable = { view, needs: ["moment", "certificates"], lively: true };
  const painter = new Painter([drawable], recording, () => player.drawn());
  const player = new Player(source, recording, painter, () => {});
  const answer = (index, rest) => {
    player.receive(recording.accept(momentMessage({ index, count: 3, steps: [0, 10, 20], ...rest })));
    while (frames.length) frames.shift()();
  };
  // A short run ends before all of its moments are here: they are asked for while it is certified.
  answer(2, { status: "certifying" });
  assert.equal(asked.at(-1), 1);
  answer(1, { status: "finished", version: 2, certificates: [{}, {}] });
  answer(0, { status: "finished", version: 2, certificates: [{}, {}] });
  assert.equal(asked.at(-1), "newest"); // which is not answered: nothing else will change
  assert.deepEqual(seen.at(-1), [2, 2]);
  delete globalThis.requestAnimationFrame;
});
