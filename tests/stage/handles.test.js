/** Laws of the band's handles: edges keep their order, move in notches, and never reach δ. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { keyTarget, withEdge, yields } from "../../assets/stage/handles.js";

const BANDS = [[0, 0.01], [0, 0.5], [0.2, 0.21], [0.49, 0.51], [0.98, 0.99]];
const WISHES = [-Infinity, -3, 0, 0.004, 0.006, 0.2, 0.207, 0.5, 0.985, 0.99, 1, 7, Infinity];

test("wherever an edge is dragged, the band stays a band in whole notches below δ", () => {
  for (const band of BANDS) {
    for (const index of [0, 1]) {
      for (const wish of WISHES) {
        const [lower, upper] = withEdge(band, index, wish);
        assert.ok(lower >= 0 && upper <= 0.99 && upper - lower > 0.0099, `${band} ${index} ${wish}`);
        for (const edge of [lower, upper]) {
          assert.ok(Math.abs(100 * edge - Math.round(100 * edge)) < 1e-9, String(edge));
        }
        assert.equal(index ? lower : upper, index ? band[0] : band[1], "the other edge stays");
      }
    }
  }
});

test("an edge goes to the nearest notch where it may", () => {
  assert.deepEqual(withEdge([0.1, 0.9], 0, 0.304), [0.3, 0.9]);
  assert.deepEqual(withEdge([0.1, 0.9], 1, 0.306), [0.1, 0.31]);
});

test("the band that was given is not changed", () => {
  const band = Object.freeze([0.1, 0.9]);
  withEdge(/** @type {[number, number]} */ (band), 1, 0.5);
  assert.deepEqual(band, [0.1, 0.9]);
});

test("a key and its opposite cancel; other keys mean nothing", () => {
  const pairs = { ArrowUp: "ArrowDown", ArrowRight: "ArrowLeft", PageUp: "PageDown" };
  for (const [key, opposite] of Object.entries(pairs)) {
    const there = keyTarget(key, 0.4);
    assert.ok(there !== null && there > 0.4);
    assert.ok(Math.abs((keyTarget(opposite, there) ?? NaN) - 0.4) < 1e-12);
  }
  assert.equal(keyTarget("Home", 0.4), 0);
  assert.equal(keyTarget("End", 0.4), 0.99);
  for (const key of ["Enter", " ", "a", "toString"]) assert.equal(keyTarget(key, 0.4), null);
});

test("what the viewer set yields to the server's band only when it came back, or in time", () => {
  assert.ok(!yields([0, 0.5], [0, 0.5], true, Infinity), "not while it is edited");
  assert.ok(!yields([0, 0.5], [0, 0.6], false, 0), "not before the server has answered");
  assert.ok(yields([0, 0.5], [0, 0.5], false, 0), "the server agrees");
  assert.ok(yields([0, 0.5], [0, 0.6], false, 60_000), "the server does not agree");
  assert.ok(yields(null, [0, 0.6], false, 60_000), "nothing was shown yet");
});
