/** Laws of the connection to the server: what is sent, and what a lost connection leads to. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Source } from "../../assets/stage/socket.js";
import { encoded } from "./messages.js";

const { setTimeout: realTimeout } = globalThis;
/** Every websocket that was opened, newest last. */
let sockets = [];
let timers = [];

class FakeSocket {
  static OPEN = 1;
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = String(url);
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  lose(code, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
}

beforeEach(() => {
  [sockets, timers] = [[], []];
  globalThis.WebSocket = FakeSocket;
  globalThis.window = { location: { origin: "https://lecture:8501" } };
  globalThis.setTimeout = (act, wait) => timers.push({ act, wait });
});

afterEach(() => {
  globalThis.setTimeout = realTimeout;
  delete globalThis.WebSocket;
  delete globalThis.window;
});

function connected() {
  const events = [];
  const source = new Source("/stage/run/abc", {
    open: () => events.push("open"),
    message: (message) => events.push(message.header.kind),
    trouble: (sentence) => events.push(sentence),
  });
  return { source, events };
}

test("the websocket is the page's own server's, as safe as the page", () => {
  connected();
  assert.equal(sockets[0].url, "wss://lecture:8501/stage/run/abc");
});

test("requests are JSON as pages/wire/routes.py reads them", () => {
  const { source } = connected();
  source.ask({ want: "scene" });
  assert.deepEqual(sockets[0].sent, [], "nothing before the connection stands");
  sockets[0].open();
  source.ask({ want: "scene" });
  source.command("pause");
  source.command("branch", { step: 4, changes: { beta: 2 } });
  assert.equal(source.follow({ follow: 40, step: 3, seed: 0, asked: 1 }), true);
  assert.deepEqual(sockets[0].sent, [
    { want: "scene" },
    { do: "pause" },
    { do: "branch", step: 4, changes: { beta: 2 } },
    { follow: 40, step: 3, seed: 0, asked: 1 },
  ]);
});

test("what was asked of the run while the connection was lost is asked once there is one", () => {
  const { source, events } = connected();
  sockets[0].open();
  sockets[0].lose(1006);
  source.command("change", { changes: { sigma2: 2 } });
  source.command("pause");
  source.command("change", { changes: { beta: 3 } });
  source.command("change", { changes: { sigma2: 4 } });
  source.command("play");
  source.command("lead", { key: "k", shown: 3 });
  timers.at(-1).act();
  source.on = { ...source.on, open: () => source.ask({ want: "scene" }) };
  sockets[1].open();
  assert.deepEqual(sockets[1].sent, [
    { do: "change", changes: { sigma2: 4, beta: 3 } },
    { do: "play" },
    { want: "scene" },
  ]);
  sockets[1].lose(1006);
  timers.at(-1).act();
  sockets[2].open();
  assert.deepEqual(sockets[2].sent, [{ want: "scene" }], "once");
  assert.equal(events.at(-1), null);
});

test("another run is not begun by a connection that is lost, and that is said", () => {
  const { source, events } = connected();
  sockets[0].open();
  sockets[0].lose(1006);
  for (const verb of ["branch", "reseed", "copy"]) {
    events.length = 0;
    source.command(verb, { step: 4 });
    assert.deepEqual(events, ["The connection is lost: do this again when it is back."]);
  }
  timers.at(-1).act();
  sockets[1].open();
  assert.deepEqual(sockets[1].sent, []);
});

test("messages are decoded on their way in", () => {
  const { events } = connected();
  sockets[0].open();
  sockets[0].onmessage({ data: encoded({ kind: "moment" }, {}) });
  assert.deepEqual(events, [null, "open", "moment"]);
});

test("a lost connection is tried again, each time after a longer wait, up to five seconds", () => {
  const { events } = connected();
  for (let n = 0; n < 7; n += 1) {
    sockets.at(-1).lose(1006);
    timers.at(-1).act();
  }
  assert.deepEqual(timers.map(({ wait }) => wait), [250, 500, 1000, 2000, 4000, 5000, 5000]);
  assert.equal(sockets.length, 8);
  assert.ok(events.every((event) => event === "The connection is lost; trying again …"));
  sockets.at(-1).open();
  assert.deepEqual(events.slice(-2), [null, "open"], "all is well again");
  sockets.at(-1).lose(1006);
  assert.equal(timers.at(-1).wait, 250, "patience begins anew");
});

test("where asking again would change nothing, nobody does", () => {
  for (const code of [4404, 4400, 1008, 1009]) {
    const { source, events } = connected();
    let over = false;
    source.on = { ...source.on, trouble: (sentence, ended) => { over = ended; events.push(sentence); } };
    sockets.at(-1).lose(code, "This run is no longer on the server.");
    assert.deepEqual(timers, []);
    assert.equal(over, true);
    const told = events.at(-1);
    if (code === 4404) assert.equal(told, "This run is no longer on the server.");
    else assert.match(told, /reload/);
  }
});

test("whoever closes says so and does not come back", () => {
  const { source, events } = connected();
  sockets[0].open();
  source.close();
  assert.deepEqual(sockets[0].sent, [{ do: "leave" }]);
  sockets[0].lose(1000);
  assert.deepEqual(timers, []);
  assert.deepEqual(events, [null, "open"]);
});
