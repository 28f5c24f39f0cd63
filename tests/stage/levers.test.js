/** Laws of the levers: logarithmic tracks, their marks, and what a band is said to guarantee. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { nats } from "../../assets/stage/guarantee.js";
import { Scale, marksOf, spelt } from "../../assets/stage/logarithmic.js";
import { LASTING, newsAt, words } from "../../assets/stage/narration.js";
import { followed, law } from "../../assets/stage/views/levers.js";

test("a place on the track and its value are each other's inverse, equal ratios equal ways", () => {
  const scale = new Scale(0.01, 100);
  for (const value of [0.01, 0.3, 1, 42, 100]) {
    assert.ok(Math.abs(scale.valueAt(scale.positionOf(value)) / value - 1) < 1e-12);
  }
  assert.ok(Math.abs(scale.positionOf(1) - 0.5) < 1e-12);
  assert.deepEqual([scale.positionOf(1e-9), scale.positionOf(1e9)], [0, 1]);
});

test("all marks and the value lie on the track, which stays while they do", () => {
  const marks = marksOf([0.14, 0.1, 0.05], 1);
  for (const value of [1e-4, 0.01, 1, 500]) {
    const scale = Scale.around(marks, value, new Scale(1, 2));
    for (const one of [...marks, value]) assert.ok(scale.low < one && one < scale.high, `${one}`);
    assert.equal(Scale.around(marks, value, scale), scale);
  }
});

test("marks move against the other lever: past βσ² = λ_max none is to the right", () => {
  assert.deepEqual(marksOf([0.4, 0.2], 4), [0.1, 0.05]);
});

test("keys move by a small ratio, pages by a larger one, and the ends are the track's", () => {
  const scale = new Scale(0.1, 10);
  assert.ok(scale.keyStep("ArrowRight") * scale.keyStep("ArrowLeft") === 1);
  assert.ok(scale.keyStep("PageUp") > scale.keyStep("ArrowUp"));
  assert.deepEqual([scale.clamp(5 * scale.keyStep("Home")), scale.clamp(5 * scale.keyStep("End"))], [0.1, 10]);
  assert.equal(scale.keyStep("a"), null);
  assert.equal(spelt(0.123456), "0.123");
});

test("the guarantee is never above a convex floor, exact where it is tabulated, 0 from δ on", () => {
  const floor = (loss) => Math.max(0, (2 - loss) ** 2);
  const losses = Float32Array.from({ length: 21 }, (_, n) => n / 10);
  const curve = losses.map(floor);
  const floors = { shape: [1, 3, 21], data: Float32Array.from([...losses, ...curve, ...curve]) };
  for (let loss = 0.01; loss < 2; loss += 0.037) {
    const found = nats(floors, 0, loss);
    assert.ok(found <= floor(loss) + 1e-6 && found >= floor(loss) - 0.02, `${loss}: ${found}`);
  }
  assert.equal(nats(floors, 0, losses[7]), curve[7]);
  assert.equal(nats(floors, 0, 2.5), 0);
  assert.equal(nats(null, 0, 1), null);
});

test("a remark is news from its own step on for some moments, and names that step", () => {
  const rows = Array.from({ length: 40 }, (_, n) => ({ step: 10 * n }));
  const remark = (step, kind, dimension = 1) => ({ step, kind, dimension, model: 0, sentence: "" });
  const remarks = [remark(0, "start"), remark(100, "died"), remark(100, "died", 2), remark(150, "change")];
  assert.equal(newsAt(remarks, rows, 9), null);
  assert.equal(newsAt(remarks, rows, 10).dimension, 2, "one at a time, the last");
  assert.equal(newsAt(remarks, rows, 10 + LASTING - 1)?.step, 100);
  assert.equal(newsAt(remarks, rows, 10 + LASTING), null);
  assert.match(words(remarks[1]), /dimension 1 .*step 100/);
});

test("of a conventional VAE that is not shown it is said what it would do, and a moved scale is explained", () => {
  assert.equal(law(2, 8, 0.1, true), "2 of 8 marks lie above βσ² = 0.1. A conventional VAE keeps about that many dimensions alive.");
  assert.match(law(0, 8, 1, true), /: none, it collapses\.$/);
  assert.match(law(0, 8, 1, false), /A conventional VAE would keep .*: none, it would collapse\.$/);
  assert.equal(followed("β", 1, "σ²"), " β is still 1; its scale has moved with its marks, λ/σ².");
});
