/** Laws of the camera: what a perspective picture of a turning sphere must obey. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { backToFront, emptyProjection, Orbit } from "../../assets/stage/orbit.js";

const VIEWPORT = { x: 300, y: 200, reach: 90, radius: 1.5 };
const POINTS = Float32Array.from({ length: 300 }, (_, n) => 1.5 * Math.sin(7.3 * n + 0.1 * n * n));

function seen(orbit, points, viewport = VIEWPORT) {
  return orbit.project(points, viewport, emptyProjection(points.length / 3));
}

test("the centre of the shell is the middle of the viewport, wherever the camera is", () => {
  const orbit = new Orbit();
  for (const [turn, tilt] of [[0, 0], [2, 1], [-5, -3]]) {
    orbit.move(turn, tilt);
    const { x, y, depth } = seen(orbit, Float32Array.of(0, 0, 0));
    assert.deepEqual([x[0], y[0], depth[0]], [300, 200, 0.5]);
  }
});

test("the outer sphere touches the circle of `reach` and never leaves it", () => {
  const orbit = new Orbit();
  orbit.move(0.7, 0.4);
  const count = 20000;
  const sphere = new Float32Array(3 * count);
  for (let n = 0; n < count; n += 1) {
    // Evenly spread, by the golden angle.
    const z = 1 - (2 * n + 1) / count;
    const angle = n * Math.PI * (3 - Math.sqrt(5));
    const across = Math.sqrt(1 - z * z);
    sphere.set([across * Math.cos(angle), across * Math.sin(angle), z].map((c) => 1.5 * c), 3 * n);
  }
  const { x, y } = seen(orbit, sphere);
  const away = Array.from(x, (left, n) => Math.hypot(left - 300, y[n] - 200));
  const farthest = Math.max(...away);
  assert.ok(farthest <= 90 * (1 + 1e-5) && farthest > 89.5, String(farthest));
});

test("a full turn changes nothing", () => {
  const orbit = new Orbit();
  const before = seen(orbit, POINTS);
  orbit.move(2 * Math.PI, 0);
  const after = seen(orbit, POINTS);
  for (const axis of ["x", "y", "depth"]) {
    before[axis].forEach((value, n) => assert.ok(Math.abs(value - after[axis][n]) < 1e-3));
  }
});

test("turning the camera is turning the points the other way", () => {
  const orbit = new Orbit();
  const angle = 0.6;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const turned = POINTS.slice();
  for (let n = 0; n < POINTS.length; n += 3) {
    const [a, b] = [POINTS[n], POINTS[n + 1]];
    turned.set([cos * a + sin * b, cos * b - sin * a], n);
  }
  const expected = seen(orbit, turned);
  orbit.move(angle, 0);
  const found = seen(orbit, POINTS);
  found.x.forEach((value, n) => assert.ok(Math.abs(value - expected.x[n]) < 1e-3));
  found.y.forEach((value, n) => assert.ok(Math.abs(value - expected.y[n]) < 1e-3));
});

test("what is nearer is drawn larger", () => {
  const orbit = new Orbit();
  orbit.move(-Math.PI / 4, -0.36); // now along the first axis
  const pair = (near) => seen(orbit, Float32Array.of(near, 0.2, 0, near, -0.2, 0));
  const size = ({ x }) => x[0] - x[1];
  assert.ok(size(pair(1)) > size(pair(0)) && size(pair(0)) > size(pair(-1)));
});

test("the camera stays short of the poles, and zoom within its bounds", () => {
  const orbit = new Orbit();
  for (const tilt of [99, -99]) {
    orbit.move(0, tilt);
    assert.ok(Math.abs(orbit.tilt) < Math.PI / 2);
    assert.equal(Math.sign(orbit.tilt), Math.sign(tilt));
  }
  orbit.magnify(1e9);
  assert.equal(orbit.zoom, 8);
  orbit.magnify(1e-9);
  assert.equal(orbit.zoom, 0.5);
});

test("sorting from back to front is a permutation, exact to one class of depth", () => {
  const depth = Float32Array.from({ length: 1000 }, (_, n) => Math.abs(Math.sin(n * n)));
  depth.set([0, 1, 1, 0]);
  for (const depths of [2, 16, 256]) {
    const order = backToFront({ depth }, new Uint32Array(depth.length), depths);
    assert.deepEqual([...order].sort((a, b) => a - b), [...depth.keys()]);
    const sorted = [...order].map((n) => Math.floor(depth[n] * (depths - 1)));
    assert.deepEqual(sorted, sorted.slice().sort((a, b) => a - b));
  }
});
