/** Laws of what is picked out, and of colours. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { channels, isDark, mix, translucent } from "../../assets/stage/colour.js";
import { number } from "../../assets/stage/dom.js";
import { packed, Selection, unpacked } from "../../assets/stage/selection.js";
import { duration } from "../../assets/stage/transport.js";

/** A selection among six points of three clusters, and the changes it told of. */
function selected() {
  const labels = { shape: [6], data: Float32Array.of(0, 1, 2, 0, 1, 2) };
  const selection = new Selection({ clusters: [], arrays: { labels } });
  const changes = [];
  selection.listen((change) => changes.push(change));
  return { selection, changes };
}

test("a pointer that stays on its point is no news", () => {
  const { selection, changes } = selected();
  for (const row of [-1, 2, 2, 2, -1]) selection.hover(row);
  assert.deepEqual(changes, ["marks", "marks"]);
});

test("exactly the marked points are chosen, and a group is more than one", () => {
  const { selection } = selected();
  selection.mark([1, 4]);
  assert.ok(selection.grouped);
  assert.deepEqual([...selection.chosen], [0, 1, 0, 0, 1, 0]);
  selection.pick(3);
  assert.ok(!selection.grouped);
  assert.deepEqual([...selection.chosen], [0, 0, 0, 1, 0, 0]);
  assert.equal(selection.picked, 3);
});

test("clearing clears all but the clusters, once", () => {
  const { selection, changes } = selected();
  assert.equal(selection.clear(), false);
  assert.deepEqual(changes, []);
  selection.toggle(1);
  selection.pick(3);
  assert.equal(selection.clear(), true);
  assert.deepEqual([selection.picked, selection.marked, [...selection.hidden]], [-1, [], [1]]);
  assert.ok(selection.chosen.every((chosen) => chosen === 0));
  assert.equal(selection.clear(), false);
});

test("walking visits every point and comes round, both ways", () => {
  const { selection } = selected();
  const walk = (by) => Array.from({ length: 7 }, () => {
    selection.walk(by);
    return selection.hovered;
  });
  assert.deepEqual(walk(1), [0, 1, 2, 3, 4, 5, 0]);
  assert.deepEqual(walk(-1), [5, 4, 3, 2, 1, 0, 5]);
});

test("a cluster that is switched off twice is shown, with all its points", () => {
  const { selection } = selected();
  const shown = () => [0, 1, 2, 3, 4, 5].filter((row) => selection.shows(row));
  selection.toggle(2);
  assert.deepEqual(shown(), [0, 1, 3, 4]);
  selection.toggle(2);
  assert.deepEqual(shown(), [0, 1, 2, 3, 4, 5]);
});

test("others fade or vanish while a group is picked out, and come back with Escape", () => {
  const { selection } = selected();
  const shown = () => [0, 1, 2, 3, 4, 5].filter((row) => selection.shows(row));
  selection.mark([1, 4], "these");
  assert.equal(shown().length, 6);
  selection.filter(true);
  assert.deepEqual(shown(), [1, 4]);
  assert.deepEqual(selection.figure(), {
    colour: "cluster", hidden: "", chosen: packed([1, 4], 6), others: "vanish", selection: "these",
  });
  selection.pick(3); // one point is no group
  assert.equal(shown().length, 6);
  selection.clear();
  assert.deepEqual(selection.figure(), { colour: "cluster", hidden: "" });
});

test("a set of points survives its way through an address", () => {
  for (const rows of [[], [0], [7, 8], [0, 1, 62, 63, 64, 1999], Array.from({ length: 2000 }, (_, n) => n)]) {
    const text = packed(rows, 2000);
    assert.match(text, /^[\w-]{334}$/);
    assert.deepEqual(unpacked(text), rows);
  }
});

test("a mixture begins and ends with its colours and stays between them", () => {
  const [one, other] = ["#0a80ff", "#f00802"];
  assert.equal(mix(one, other, 0), one);
  assert.equal(mix(one, other, 1), other);
  assert.equal(mix("#000000", "#ffffff", 0.5), "#808080");
  for (let share = 0; share <= 1; share += 0.05) {
    channels(mix(one, other, share)).forEach((value, n) => {
      const [from, to] = [channels(one)[n], channels(other)[n]];
      assert.ok(value >= Math.min(from, to) && value <= Math.max(from, to));
    });
  }
});

test("a translucent colour keeps its channels", () => {
  assert.equal(translucent("#0a80ff", 0.25), "rgba(10,128,255,0.25)");
});

test("green counts most for whether a page is dark, blue least", () => {
  assert.ok(isDark("#000000") && isDark("#0000ff") && isDark("#11161d"));
  assert.ok(!isDark("#ffffff") && !isDark("#00ff00") && !isDark("#f2f5f8"));
});

test("numbers and durations read as people say them", () => {
  const values = [number(1.23456), number(0, 2), number(null), number(undefined)];
  assert.deepEqual(values, ["1.235", "0.00", "–", "–"]);
  assert.deepEqual([0.2, 59, 60, 150].map(duration), ["1 s", "59 s", "1 min 0 s", "2 min 30 s"]);
});
