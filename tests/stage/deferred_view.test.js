/** A view that waits for Plotly.js shows, once that is there, what the others show already. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { DeferredView } from "../../assets/stage/deferred_view.js";

class View {
  calls = [];
  draw = ({ index }) => void this.calls.push(`draw ${index}`);
  resize = () => this.calls.push("resize");
  recolour = ({ name }) => this.calls.push(`recolour ${name}`);
  dispose = () => this.calls.push("dispose");
}

test("it is made when the script is there, with the newest moment and theme", async () => {
  let arrive = () => {};
  const script = new Promise((done) => (arrive = done));
  const view = new View();
  const later = new DeferredView(script, () => view);
  later.draw({ index: 1 });
  later.recolour({ name: "dark" });
  later.resize({});
  later.draw({ index: 2 });
  assert.deepEqual(view.calls, []);
  arrive();
  await script;
  assert.deepEqual(view.calls, ["recolour dark", "draw 2"]);
  later.draw({ index: 3 });
  later.dispose();
  assert.deepEqual(view.calls.slice(2), ["draw 3", "dispose"]);
});

test("it is not made for a page that has gone, nor without the script", async () => {
  const never = () => assert.fail("it was made");
  const gone = new DeferredView(Promise.resolve(), never);
  gone.dispose();
  new DeferredView(Promise.reject(new Error("no script")), never).draw({ index: 1 });
  await new Promise((done) => setTimeout(done));
});
