/** Laws of a notebook's source: whatever comes when, every moment is told once and in order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { Kernel } from "../../assets/stage/notebook/kernel.js";

/** The widget's state after so many moments, as svae_core/stage/replay_file.py packs it. */
function packed(count, { status = "playing", generation = 0 } = {}) {
  const moments = Array.from({ length: count }, (_, index) => ({
    kind: "moment",
    generation,
    index,
    status,
    count,
    version: status === "playing" ? 0 : 1,
    certificates: status === "playing" ? [] : ["certified"],
    remarks: { from: index ? 1 : 0, lines: index ? [] : ["a remark"] },
    from: index ? count : 0,
  }));
  const arrays = [["history", [count, 2], 0], ["shells", [count, 1], 0]];
  const text = Buffer.from(JSON.stringify({ scene: { kind: "scene" }, moments, arrays }));
  const head = Buffer.concat([text, Buffer.alloc(-text.length & 3, " ")]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(head.length);
  const history = Float32Array.from({ length: 2 * count }, (_, n) => n);
  const shells = Float32Array.from({ length: count }, (_, n) => n);
  const bytes = gzipSync(Buffer.concat([size, head, Buffer.from(history.buffer), Buffer.from(shells.buffer)]));
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One message as the kernel pushes it. */
function pushed(header) {
  const text = Buffer.from(JSON.stringify({ generation: 0, kind: "moment", ...header, arrays: [] }));
  const head = Buffer.concat([text, Buffer.alloc(-text.length & 3, " ")]);
  const whole = Buffer.alloc(4 + head.length);
  whole.writeUInt32LE(head.length);
  head.copy(whole, 4);
  return new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
}

function widget(state) {
  const heard = {};
  return {
    state,
    sent: [],
    get(name) {
      return name === "_run" ? this.state : undefined;
    },
    on: (event, act) => (heard[event] = act),
    off: (event) => delete heard[event],
    send(content) {
      this.sent.push(content);
    },
    push: (...headers) => heard["msg:custom"]?.({}, headers.map(pushed)),
    keep(next) {
      this.state = next;
      return heard["change:_run"]?.();
    },
  };
}

/** A page that asks as the player does. */
function pageOf(model) {
  const told = [];
  const troubles = [];
  const source = new Kernel(model, {
    open: () => source.ask({ want: "scene" }),
    message: (message) => {
      told.push(message);
      if (message.header.kind === "scene") source.ask({ want: "newest" });
    },
    trouble: (sentence) => troubles.push(sentence),
  });
  const indices = () => told.filter(({ header }) => header.kind === "moment").map(({ header }) => header.index);
  return { source, told, troubles, indices };
}

/** Until so many moments were told, or a trouble. */
async function settled({ indices, troubles }, count = 1) {
  while (indices().length < count && !troubles.some(Boolean)) await new Promise((done) => setTimeout(done, 1));
}

test("a page that listens late has all moments of the state, each with its own row", async () => {
  const page = pageOf(widget(packed(3)));
  await settled(page, 3);
  const { told, indices } = page;
  assert.deepEqual(indices(), [0, 1, 2]);
  const rows = told.slice(1).map(({ header, arrays }) => [header.from, ...arrays.history.data]);
  assert.deepEqual(rows, [[0, 0, 1], [1, 2, 3], [2, 4, 5]]);
  assert.deepEqual(told[1].header.remarks.lines, ["a remark"]);
});

test("before the first moment a sentence says so", async () => {
  const model = widget(new DataView(new ArrayBuffer(0)));
  const page = pageOf(model);
  await settled(page, 1);
  const { troubles, indices } = page;
  assert.match(troubles[0], /Nothing has been measured/);
  await model.keep(packed(1));
  assert.equal(troubles.at(-1), null);
  assert.deepEqual(indices(), [0]);
});

test("what is pushed while the state is unpacked is told after it", async () => {
  const model = widget(packed(2));
  const page = pageOf(model);
  await settled(page, 2);
  const { indices } = page;
  const unpacking = model.keep(packed(4));
  model.push({ index: 4 }, { index: 5 });
  await unpacking;
  assert.deepEqual([...new Set(indices())], [0, 1, 2, 3, 4, 5]);
});

test("a moment that is missing is waited for, and found in the next state", async () => {
  const model = widget(packed(1));
  const page = pageOf(model);
  await settled(page, 1);
  const { indices } = page;
  model.push({ index: 2 });
  assert.deepEqual(indices(), [0]);
  await model.keep(packed(2));
  assert.deepEqual([...new Set(indices())], [0, 1, 2]);
});

test("the end is told with the last moment, though the state has lost some", async () => {
  const model = widget(packed(2));
  const page = pageOf(model);
  await settled(page, 2);
  const { told } = page;
  model.push({ index: 2 }, { index: 3 });
  await model.keep(packed(2, { status: "finished" }));
  const { header } = told.at(-1);
  assert.deepEqual([header.index, header.status, header.certificates], [3, "finished", ["certified"]]);
});

test("another fit begins anew", async () => {
  const model = widget(packed(3));
  const page = pageOf(model);
  await settled(page, 3);
  const { indices } = page;
  await model.keep(packed(2, { generation: 1 }));
  assert.deepEqual(indices().slice(0, 5), [0, 1, 2, 0, 1]);
});

test("a question goes to the kernel; without one it is not asked", async () => {
  const model = widget(packed(1));
  const page = pageOf(model);
  await settled(page, 1);
  const { source, told } = page;
  assert.equal(source.follow({ follow: 3 }), true);
  assert.deepEqual(model.sent, [{ follow: 3 }]);
  model.push({ kind: "followed", asked: 1 });
  assert.equal(told.at(-1).header.kind, "followed");
  model.send = () => {
    throw new Error("no kernel");
  };
  assert.equal(source.follow({ follow: 3 }), false);
});
