/** Laws of what the stage is told: bytes are decoded as they were written, and kept by moment. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, part, Recording, sizeOf } from "../../assets/stage/frames.js";
import { encoded, momentMessage } from "./messages.js";

test("a message is decoded as it was written, whatever the shapes", () => {
  const arrays = {
    one: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) },
    none: { shape: [0, 3], data: new Float32Array(0) },
    deep: { shape: [1, 2, 2], data: Float32Array.of(-1, 0, NaN, Infinity) },
  };
  const message = decode(encoded({ kind: "moment", sentence: "σ² = ½" }, arrays));
  assert.equal(message.header.sentence, "σ² = ½");
  assert.deepEqual(message.arrays, arrays);
});

test("the parts of an array are its rows, in its own memory", () => {
  const data = Float32Array.from({ length: 12 }, (_, n) => n);
  const rows = [0, 1, 2].map((index) => part({ shape: [3, 2, 2], data }, index));
  assert.deepEqual(rows.map((row) => row.shape), [[2, 2], [2, 2], [2, 2]]);
  assert.deepEqual(rows.flatMap((row) => [...row.data]), [...data]);
  assert.equal(rows[1].data.buffer, data.buffer);
  assert.equal(sizeOf([]), 1);
});

test("a row holds the numbers of its step, model by model", () => {
  const recording = new Recording();
  recording.accept(momentMessage({ index: 2, from: 0, steps: [0, 10, 20] }));
  assert.deepEqual(recording.rows.map((row) => row.step), [0, 10, 20]);
  const [first, second] = recording.rows[1].models;
  // momentMessage writes 100 m + 10 for the loss, + 1 for KL, and so on, at step 10.
  assert.deepEqual([first.loss, first.kl, ...first.klPerDim], [10, 11, 12, 13]);
  assert.deepEqual([second.loss, second.kl, ...second.klPerDim], [110, 111, 112, 113]);
});

test("rows that leave a gap are refused, and rows known already are replaced", () => {
  const recording = new Recording();
  recording.accept(momentMessage({ index: 0, from: 0, steps: [0, 10] }));
  recording.accept(momentMessage({ index: 5, from: 5, steps: [50] }));
  assert.deepEqual(recording.rows.map((row) => row.step), [0, 10]);
  recording.accept(momentMessage({ index: 2, from: 1, steps: [11, 22] }));
  assert.deepEqual(recording.rows.map((row) => row.step), [0, 11, 22]);
});

test("a moment keeps its points when it is spoken of again without them", () => {
  const recording = new Recording();
  const whole = recording.accept(momentMessage({ index: 1, shells: true }));
  assert.ok(whole?.shells);
  const again = recording.accept(momentMessage({ index: 1, from: 2, shells: false }));
  assert.equal(again, whole);
  assert.ok(again?.shells);
});

test("another generation forgets all but the scene and what led to it", () => {
  const recording = new Recording();
  const scene = { header: { kind: "scene", error: null, members: [] }, arrays: {} };
  recording.accept(scene);
  recording.accept(momentMessage({ index: 1, generation: 0, steps: [0, 10], tree: ["a run"] }));
  recording.accept(momentMessage({ index: -1, generation: 1 }));
  assert.equal(recording.generation, 1);
  assert.deepEqual([recording.rows, recording.moments.size, recording.floors], [[], 0, null]);
  assert.ok(recording.scene);
  assert.deepEqual(recording.tree, ["a run"]);
});

test("a scene with an error is none", () => {
  const recording = new Recording();
  recording.accept({ header: { kind: "scene", error: "The band is empty." }, arrays: {} });
  assert.equal(recording.scene, null);
  assert.equal(recording.error, "The band is empty.");
});

test("the layout of a step is the newest that was computed by then", () => {
  const recording = new Recording();
  for (const [number, step] of [[1, 10], [0, 0], [2, 30]]) {
    recording.layouts.set(number, { number, step, models: [], arrays: {} });
  }
  const shown = [0, 9, 10, 29, 30, 99].map((step) => recording.layoutAt(step)?.number);
  assert.deepEqual(shown, [0, 0, 1, 1, 2, 2]);
  assert.equal(new Recording().layoutAt(5), null);
});

test("remarks are added where they go on from those known, and the latest counts", () => {
  const recording = new Recording();
  const remarks = (from, ...lines) => momentMessage({ index: 0, remarks: { from, lines } });
  recording.accept(remarks(0, { step: 3, sentence: "a" }, { step: 7, sentence: "b" }));
  recording.accept(remarks(2, { step: 7, sentence: "c" }));
  recording.accept(remarks(9, { step: 8, sentence: "left out" }));
  assert.equal(recording.remarkAt(2), null);
  assert.equal(recording.remarkAt(6)?.sentence, "a");
  assert.equal(recording.remarkAt(99)?.sentence, "c");
});

test("what a lesson has come to is kept while messages say nothing of it", () => {
  const recording = new Recording();
  recording.accept(momentMessage({ index: 0, steps: [0], tree: [], lesson: { prediction: 1 } }));
  recording.accept(momentMessage({ index: 1, from: 1, steps: [10] }));
  recording.accept(momentMessage({ index: 2, from: 2, steps: [20], tree: [] }));
  assert.deepEqual(recording.lesson, { prediction: 1 });
});
