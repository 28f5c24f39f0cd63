/** The contract of each stage view in assets/stage/views; and that nothing else knows one by name. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { ordered, stylesOf } from "../../assets/stage/board.js";
import { PARTS } from "../../assets/stage/painter.js";
import { deaths } from "../../assets/stage/views/lifelines.js";
import { Lasso, within } from "../../assets/stage/lasso.js";

const STAGE = new URL("../../assets/stage/", import.meta.url);
const names = readdirSync(new URL("views/", STAGE))
  .filter((file) => file.endsWith(".js"))
  .map((file) => file.replace(/\.js$/, ""));
const views = Object.fromEntries(
  await Promise.all(names.map(async (name) => [name, await import(`${STAGE}views/${name}.js`)])),
);
const DECLARED = {
  order: "number", title: "string", span: "number", height: "string", needs: "object",
  place: "string", lively: "boolean", handout: "boolean", early: "boolean", plotly: "boolean",
  styles: "string", columns: "boolean", paper: "boolean",
};

test("there are views", () => assert.ok(names.length > 5));

for (const [name, { declaration, default: View }] of Object.entries(views)) {
  test(`${name} declares its place and what it needs, and can be drawn`, () => {
    for (const [key, value] of Object.entries(declaration)) {
      assert.equal(typeof value, DECLARED[key], key);
    }
    assert.ok(Number.isInteger(declaration.span) && declaration.span >= 1 && declaration.span <= 12);
    assert.ok(Number.isFinite(declaration.order));
    assert.ok(["models", "levers", undefined].includes(declaration.place));
    for (const need of declaration.needs) assert.ok(Object.hasOwn(PARTS, need), need);
    for (const method of ["draw", "resize", "recolour", "dispose"]) {
      assert.equal(typeof View.prototype[method], "function", method);
    }
  });

  test(`${name} says whether it draws with Plotly.js, which comes later than the rest`, () => {
    const code = readFileSync(new URL(`views/${name}.js`, STAGE), "utf-8");
    assert.equal(declaration.plotly ?? false, /\bPlotly\.\w+\(/.test(code));
  });

  test(`the rules of ${name} reach nothing outside it`, () => {
    const rules = stylesOf(name, declaration).replace(/\/\*.*?\*\//gs, "");
    const selectors = [...rules.matchAll(/([^{}]+)\{/g)].map(([, selector]) => selector.trim());
    for (const selector of selectors.filter((one) => !one.startsWith("@"))) {
      for (const one of selector.split(/,(?![^(]*\))/)) {
        assert.match(one, new RegExp(`\\.svae-${name}(?![\\w-])`), selector);
      }
    }
  });
}

test("no view has another's place", () => {
  const orders = names.map((name) => views[name].declaration.order);
  assert.equal(new Set(orders).size, orders.length);
});

test("views stand in rising order, however they are listed; equal orders go by name", () => {
  const module = (order) => ({ declaration: { order } });
  const some = { b: module(2), c: module(1), a: module(2) };
  assert.deepEqual(ordered(some).map(([name]) => name), ["c", "a", "b"]);
  const backwards = Object.fromEntries(Object.entries(views).reverse());
  assert.deepEqual(ordered(backwards), ordered(views));
});

test("no style sheet and no module outside its file knows a view by name", () => {
  const files = ["", "styles/", "views/"].flatMap((folder) =>
    readdirSync(new URL(folder, STAGE)).map((file) => folder + file),
  );
  for (const file of files.filter((one) => /\.(js|css)$/.test(one))) {
    const text = readFileSync(new URL(file, STAGE), "utf8");
    for (const name of names.filter((one) => file !== `views/${one}.js`)) {
      const known = new RegExp(`\\.svae-${name}(?![\\w-])|views/${name}\\.js|"\\./${name}\\.js"`);
      assert.doesNotMatch(text, known, `${file}, ${name}`);
    }
  }
});

test("a dimension died at the step of the remark that says so, unless it woke again", () => {
  const remark = (step, kind, model, dimension) => {
    return { step, kind, model, dimension, sentence: `${kind} at step ${step}` };
  };
  const remarks = [
    remark(0, "start", -1, -1),
    remark(5, "died", 0, 3), remark(5, "died", 0, 1), remark(5, "died", 1, 2),
    remark(7, "woke", 0, 3), remark(8, "entered", 0, -1),
    remark(9, "died", 0, 2), remark(9, "collapsed", 0, -1),
  ];
  assert.deepEqual(deaths(remarks, 0), [
    { dimension: 0, step: 5, sentence: "died at step 5" },
    { dimension: 1, step: 9, sentence: "died at step 9" },
  ]);
  assert.deepEqual(deaths(remarks.slice(0, 4), 0).map(({ dimension }) => dimension), [0, 2]);
  assert.deepEqual(deaths([], 0), []);
});

test("a point is within a polygon by the winding of its corners, convex or not", () => {
  const corner = (x, y) => ({ x, y });
  const arrow = [corner(0, 0), corner(4, 2), corner(0, 4), corner(1.5, 2)];
  for (const corners of [arrow, [...arrow].reverse(), [...arrow.slice(2), ...arrow.slice(0, 2)]]) {
    for (const [x, y] of [[2, 2], [3.5, 2], [0.6, 0.5], [0.6, 3.5]]) assert.ok(within(corners, x, y));
    for (const [x, y] of [[1, 2], [-1, 2], [4.1, 2], [2, 4], [2, 0.5]]) assert.ok(!within(corners, x, y));
  }
  assert.ok(!within([], 0, 0));
});

test("a lasso takes what lies within it in any figure and is shown, a box what lies between its ends", () => {
  const clouds = [{ x: [1, 5, 9], y: [1, 5, 9] }, { x: [20, 20, 5], y: [20, 20, 5] }];
  const draw = (box, ...places) => {
    const lasso = new Lasso();
    lasso.box = box;
    places.forEach(([x, y], n) => (n ? lasso.go({ x, y }) : lasso.begin({ x, y })));
    const found = lasso.end(clouds, (row) => row !== 0);
    assert.deepEqual(lasso.trace, [], "the next drag begins anew");
    return found;
  };
  assert.deepEqual(draw(false, [0, 0], [6, 0], [6, 6], [0, 6]), [1, 2], "the first is not shown");
  assert.deepEqual(draw(true, [4, 4], [30, 2], [6, 6]), [1, 2]);
  assert.deepEqual(draw(true, [4, 4], [4.5, 4.5]), []);
});
