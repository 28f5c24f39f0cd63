/** Laws of a packed run: what svae_core/stage/replay_file.py wrote is read back, up to its rounding. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { Archive, moments, scene, unpack } from "../../assets/stage/archive.js";
import { bytesOf } from "../../assets/stage/loading.js";

/** A run as the file holds it: `arrays` by name as [shape, numbers, scale]. */
function packed(header, arrays) {
  const listed = Object.entries(arrays).map(([name, [shape, , scale]]) => [name, shape, scale]);
  const text = Buffer.from(JSON.stringify({ ...header, arrays: listed }));
  const padded = Buffer.concat([text, Buffer.alloc(-text.length & 3, " ")]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(padded.length);
  const blobs = Object.values(arrays).map(([shape, numbers, scale]) => {
    const typed = scale ? differences(shape, numbers, scale) : Float32Array.from(numbers);
    const blob = Buffer.from(typed.buffer);
    return Buffer.concat([blob, Buffer.alloc(-blob.length & 3)]);
  });
  return gzipSync(Buffer.concat([size, padded, ...blobs]));
}

function differences([rows], numbers, scale) {
  const whole = Int16Array.from(numbers, (value) => Math.round(value / scale));
  const width = whole.length / rows;
  return whole.map((value, n) => (n < width ? value : value - whole[n - width]));
}

const HISTORY = [[3, 3], [0, 1, 2, 10, 11, 12, 20, 21, 22], 0];

test("numbers that are compared come back bit for bit, places to half a step of their scale", async () => {
  const places = [0, 0.5, -1, 1, -1, 1, 0.25, -0.125, 1];
  const scale = 1 / 32000;
  const written = packed({}, { history: HISTORY, shells: [[3, 3], places, scale] });
  const { arrays } = await unpack(written);
  assert.deepEqual([...arrays.history.data], HISTORY[1]);
  arrays.shells.data.forEach((value, n) => {
    assert.ok(Math.abs(value - places[n]) <= scale / 2 + 1e-7, `${n}: ${value}`);
  });
});

test("differences that wrap around 16 bits wrap back", async () => {
  const scale = 1 / 32000;
  const leaps = [-1, 1, -1, 1];
  const { arrays } = await unpack(packed({}, { shells: [[4, 1], leaps, scale] }));
  assert.deepEqual([...arrays.shells.data].map(Math.round), leaps);
});

test("an odd number of 16-bit places leaves what follows where it was", async () => {
  const { arrays } = await unpack(packed({}, { odd: [[3, 1], [1, 2, 3], 1], history: HISTORY }));
  assert.deepEqual([...arrays.odd.data], [1, 2, 3]);
  assert.deepEqual([...arrays.history.data], HISTORY[1]);
});

function content() {
  const layout = (number) => ({ number, models: [{ kind: "pca" }, { kind: "pca" }] });
  const told = [{ index: 0, layout: layout(0) }, { index: 1 }, { index: 2, layout: layout(1) }];
  const row = (shape) => ({ shape, data: Float32Array.from({ length: shape[0] }, (_, n) => n) });
  return {
    header: { scene: { kind: "scene" }, moments: told },
    arrays: {
      history: { shape: [3, 3], data: new Float32Array(9) },
      shells: row([3, 1]),
      layout0: row([2, 1]),
      layout1: row([2, 1]),
      floors: row([1]),
      "scene.labels": row([4]),
    },
  };
}

test("the scene has its own arrays, by their own names", () => {
  const { header, arrays } = scene(content());
  assert.equal(header.kind, "scene");
  assert.deepEqual(Object.keys(arrays), ["labels"]);
});

test("moments come one by one with what is theirs: all rows and floors with the first", () => {
  const found = [...moments(content())];
  assert.deepEqual(found.map(({ header }) => header.index), [0, 1, 2]);
  assert.deepEqual(found.map(({ arrays }) => arrays.history.shape[0]), [3, 0, 0]);
  assert.deepEqual(found.map(({ arrays }) => arrays.shells.data[0]), [0, 1, 2]);
  assert.deepEqual(found.map(({ arrays }) => "floors" in arrays), [true, false, false]);
  assert.deepEqual(found.map(({ arrays }) => arrays.layout1?.data[0]), [0, undefined, 1]);
});

/** An archive of these bytes, and what it says once it has been read. */
function opened(bytes) {
  const events = [];
  return new Promise((done) => {
    const archive = new Archive(bytes, {
      open: () => done({ archive, events }),
      message: ({ header }) => events.push(header.kind ?? header.index),
      trouble: (sentence) => done({ archive, events: [sentence] }),
    }, "open a whole copy");
  });
}

test("an archive gives everything once, and knows nobody to ask about a point", async () => {
  const told = { scene: { kind: "scene" }, moments: [{ index: 0 }, { index: 1 }] };
  const arrays = { history: HISTORY, shells: [[2, 1], [0, 1], 1] };
  const { archive, events } = await opened(Promise.resolve(packed(told, arrays)));
  archive.ask({ want: "scene" });
  archive.ask({ want: 1 });
  archive.ask({ want: "newest" });
  assert.deepEqual(events, ["scene", 0, 1]);
  assert.equal(archive.follow(), false);
});

test("base 64 is read as the bytes that it stands for", async () => {
  const whole = packed({ scene: {}, moments: [] }, { history: HISTORY });
  assert.deepEqual(Buffer.from(await bytesOf(` ${whole.toString("base64")}\n`)), whole);
});

test("a damaged file is said to be damaged", async () => {
  const whole = packed({ scene: {}, moments: [] }, { history: HISTORY });
  const half = whole.subarray(0, whole.length / 2).toString("base64");
  for (const text of ["", "not base 64 at all!", half]) {
    const { events } = await opened(bytesOf(text));
    assert.equal(events[0], "The recorded run is damaged or cut off: open a whole copy.");
  }
});
