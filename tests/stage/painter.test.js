/** Laws of drawing: who is drawn when, and nobody for nothing. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Recording } from "../../assets/stage/frames.js";
import { Painter, PARTS } from "../../assets/stage/painter.js";

/** Animation frames that were asked for. */
let frames = [];

beforeEach(() => {
  frames = [];
  globalThis.requestAnimationFrame = (act) => frames.push(act);
  globalThis.cancelAnimationFrame = (frame) => (frames[frame - 1] = () => {});
});

afterEach(() => {
  delete globalThis.requestAnimationFrame;
  delete globalThis.cancelAnimationFrame;
});

const moment = (index, rest) => ({ index, step: index, models: [], shells: {}, ...rest });

/** Views by name, and in which animation frame each was drawn with which moment. */
function painterOf(views) {
  const drawn = [];
  const recording = new Recording();
  const drawables = Object.entries(views).map(([name, { needs, lively = false, heavy = true }]) => {
    const draw = ({ index }) => {
      drawn.push(`${name} ${index}`);
      return heavy;
    };
    return { view: { draw }, needs, lively };
  });
  const painter = new Painter(drawables, recording, ({ index }) => drawn.push(`all ${index}`));
  const frame = () => {
    drawn.length = 0;
    frames.shift()?.();
    return [...drawn];
  };
  return { painter, recording, frame };
}

test("lively views are drawn together, of the heavy ones one per animation frame", () => {
  const { painter, frame } = painterOf({
    a: { needs: ["moment"] },
    b: { needs: ["moment"], lively: true },
    c: { needs: ["moment"] },
    d: { needs: ["moment"], lively: true },
  });
  painter.show(moment(0));
  assert.deepEqual(frame(), ["b 0", "d 0", "a 0", "all 0"]);
  assert.deepEqual(frame(), ["c 0"]);
  assert.deepEqual(frames, []);
});

test("views that do little share an animation frame", () => {
  const needs = ["moment"];
  const { painter, frame } = painterOf({ a: { needs, heavy: false }, b: { needs }, c: { needs } });
  painter.show(moment(0));
  assert.deepEqual(frame(), ["a 0", "b 0", "all 0"]);
  assert.deepEqual(frame(), ["c 0"]);
});

test("a later moment takes the place of one that is not drawn, and nobody starves", () => {
  const needs = ["moment"];
  const { painter, frame } = painterOf({ a: { needs }, b: { needs }, c: { needs } });
  const drawn = [];
  for (let index = 0; index < 3; index += 1) {
    painter.show(moment(index));
    drawn.push(frame()[0]);
  }
  assert.deepEqual(drawn, ["a 0", "b 1", "c 2"]);
});

test("a view is drawn again only when something that it needs is another", () => {
  const { painter, recording, frame } = painterOf({
    numbers: { needs: ["models"], lively: true },
    curves: { needs: ["rows", "floors"], lively: true },
    verdict: { needs: ["certificates"], lively: true },
  });
  const shown = moment(0);
  painter.show(shown);
  assert.deepEqual(frame(), ["numbers 0", "curves 0", "verdict 0", "all 0"]);
  painter.show(shown);
  assert.deepEqual(frame(), ["all 0"]);
  recording.floors = { shape: [2, 3, 1], data: new Float32Array(6) };
  painter.show(shown);
  assert.deepEqual(frame(), ["curves 0", "all 0"]);
  recording.certificates = [{}, {}];
  painter.show(shown);
  assert.deepEqual(frame(), ["verdict 0", "all 0"]);
  painter.show(moment(1, { models: [] }));
  assert.deepEqual(frame(), ["numbers 1", "all 1"]);
});

test("a view waits for what it needs and is drawn when that has come", () => {
  const { painter, frame } = painterOf({ pictures: { needs: ["pictures"] } });
  const shown = moment(0);
  painter.show(shown);
  assert.deepEqual(frame(), ["all 0"]);
  Object.assign(shown, { pictures: {} });
  painter.show(shown);
  assert.deepEqual(frame(), ["pictures 0", "all 0"]);
});

test("every part that a view may need is found in a run that is complete", () => {
  const recording = new Recording();
  recording.layouts.set(0, { number: 0, step: 0, models: [], arrays: {} });
  recording.outlook = { models: [null] };
  const shown = moment(3, { pictures: {} });
  for (const [need, find] of Object.entries(PARTS)) {
    const found = () => find(shown, recording);
    assert.notEqual(found(), undefined, need);
    assert.equal(found(), found(), `${need} has not changed`);
  }
});

test("after its end nothing is drawn", () => {
  const { painter, frame } = painterOf({ a: { needs: ["moment"] } });
  painter.show(moment(0));
  painter.dispose();
  assert.deepEqual(frame(), []);
});
