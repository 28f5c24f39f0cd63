/** Laws of what points are coloured by, and of how figures are sized. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { coloured, small } from "../../assets/stage/archive.js";
import { brief, byCluster, colouringOf, looksOf, wordsOf } from "../../assets/stage/colouring.js";
import { Colours } from "../../assets/stage/colours.js";
import { layoutSize, proportion, resized } from "../../assets/stage/paper.js";
import { Selection } from "../../assets/stage/selection.js";

const clusters = ["1", "2", "3"].map((name) => ({ name, symbol: "circle", light: "#000000", dark: "#ffffff" }));
const SCENE = {
  clusters,
  image: [2, 2],
  colours: ["cluster", "label", "age"],
  scale: { light: ["#000000", "#555555", "#aaaaaa"], dark: ["#555555", "#aaaaaa", "#ffffff"] },
  arrays: { labels: { shape: [4], data: Float32Array.of(0, 1, 2, 0) } },
};
const of = (...data) => ({ of: { shape: [4], data: Float32Array.from(data) } });
const AGE = { header: { kind: "coloured", name: "age", groups: null, low: 20, high: 60 }, arrays: of(0, 0.4, 1, 0.6) };
const LABEL = {
  header: { kind: "coloured", name: "label", groups: clusters.slice(0, 2), low: 0, high: 0 },
  arrays: of(1, 1, 0, 0),
};
const SMALL = { header: { kind: "small", step: 2 }, arrays: { images: { shape: [2, 4], data: new Float32Array(8) } } };

/** A viewer's choices, and what they asked a server and told a page. */
function chosen() {
  const selection = new Selection(SCENE);
  const [asked, told, changes] = [[], [], []];
  selection.listen((change) => changes.push(change));
  const colours = new Colours(SCENE, selection, { ask: (one) => asked.push(one), tell: (one) => told.push(one) });
  return { selection, colours, asked, told, changes };
}

test("a scale is read in its colours, its ends and its words", () => {
  const age = colouringOf(AGE, 3);
  assert.deepEqual([...age.slots], [0, 1, 2, 1]);
  assert.equal(wordsOf(age, 1), "age 36");
  assert.equal(looksOf(age, SCENE)[2].dark, "#ffffff");
  assert.equal(wordsOf(byCluster(SCENE), 2), "cluster 3");
  assert.deepEqual([0.00012345, -1234.5, 7].map(brief), ["0.000123", "−1230", "7"]);
});

test("what is not known is asked for once, and shown when it comes", () => {
  const { selection, colours, asked, told, changes } = chosen();
  colours.choose("age");
  assert.deepEqual([asked, told], [[{ colour: 2 }], [{ colour: "age", pictures: "" }]]);
  assert.equal(selection.colouring.name, "cluster");
  colours.accept(AGE);
  assert.equal(selection.colouring.name, "age");
  colours.choose("cluster");
  colours.choose("age");
  assert.equal(asked.length, 1);
  assert.deepEqual(changes, ["colours", "colours", "colours"]);
});

test("an answer that is no longer wanted changes nothing; a lost one is asked for again", () => {
  const { selection, colours, asked } = chosen();
  colours.choose("label");
  colours.choose("cluster");
  colours.accept(LABEL);
  assert.equal(selection.colouring.name, "cluster");
  colours.choose("age");
  colours.ask();
  assert.deepEqual(asked, [{ colour: 1 }, { colour: 2 }, { colour: 2 }]);
});

test("a URL that names no column of these data means the clusters", () => {
  const { selection, colours, asked } = chosen();
  colours.begin({ colour: "weight", pictures: "1" });
  colours.accept(SMALL);
  assert.deepEqual(asked, [{ small: 1 }]);
  assert.deepEqual([0, 1, 2, 3].filter((row) => selection.shows(row)), [0, 2]);
});

test("groups that were switched off are forgotten with their colouring", () => {
  const { selection, colours } = chosen();
  selection.toggle(0);
  colours.choose("label");
  colours.accept(LABEL);
  assert.ok([0, 1, 2, 3].every((row) => selection.shows(row)));
  selection.toggle(1);
  assert.deepEqual([0, 1, 2, 3].filter((row) => selection.shows(row)), [2, 3]);
});

test("a file tells each colouring as a server would", () => {
  const stack = (rows, ...data) => ({ shape: [rows, 2], data: Float32Array.from(data) });
  const group = { name: "label", groups: clusters };
  const column = (name) => ({ name, groups: null });
  const content = {
    header: { coloured: [{ name: "cluster", groups: clusters }, group, column("a"), column("b")], small: SMALL.header },
    arrays: { "coloured.groups": stack(2, 0, 1, 2, 3), "coloured.scales": stack(2, 4, 5, 6, 7),
      "small.images": SMALL.arrays.images },
  };
  const found = [1, 2, 3].map((n) => coloured(content, n));
  assert.deepEqual(found.map(({ header }) => header.name), ["label", "a", "b"]);
  assert.deepEqual(found.map(({ arrays }) => [...arrays.of.data]), [[2, 3], [4, 5], [6, 7]]);
  assert.equal(small(content).header.step, 2);
  assert.deepEqual([coloured({ header: {} }, 0), small({ header: {} })], [null, null]);
});

test("a figure in pixels is scaled from the screen, in millimetres laid out for the paper", () => {
  const seen = { width: 800, height: 300 };
  assert.deepEqual(layoutSize({ width: 1600, height: 600, unit: "px" }, seen), { width: 800, height: 300 });
  const { width, height } = layoutSize({ width: 127, height: 25.4, unit: "mm" }, seen);
  assert.ok(Math.abs(width - 480) < 1e-9 && Math.abs(height - 96) < 1e-9);
  const svg = '<svg xmlns="x" width="800" height="300" viewBox="0 0 800 300"><rect width="1" height="1"/></svg>';
  const large = resized(svg, { width: 1600, height: 600, unit: "px" });
  assert.ok(large.startsWith('<svg xmlns="x" width="1600" height="600" viewBox="0 0 800 300"><rect width="1"'));
  assert.equal(resized(svg, { width: 85, height: 30, unit: "mm" }), svg);
  assert.equal(proportion(seen, "px"), 300 / 800);
  assert.ok(proportion(seen, "mm") > 0.6, "names and a legend of usual size leave room for the figure");
  assert.equal(proportion({ width: 100, height: 200 }, "mm"), 2);
});
