/** Laws of questions on a point followed: one at a time, and the last one is what counts. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PointQuestions } from "../../assets/stage/point_questions.js";
import { told } from "../../assets/stage/intervals.js";
import { Selection } from "../../assets/stage/selection.js";

/** What was asked of a server about a selection among three points. */
function asking() {
  const selection = new Selection({ arrays: { labels: { shape: [3], data: Float32Array.of(0, 1, 2) } } });
  const questions = [];
  const asked = new PointQuestions(selection, (question) => questions.push(question) > 0);
  return { selection, questions, asked };
}

/** An answer to the question of this number. */
const answer = (asked, kind = "followed") => ({ header: { kind, asked }, arrays: {} });

test("nothing is asked before there is a moment and something to follow", () => {
  const { selection, questions, asked } = asking();
  asked.ask();
  selection.pick(2);
  asked.ask();
  assert.deepEqual(questions, []);
  asked.step = 40;
  asked.ask();
  assert.deepEqual(questions, [{ follow: 2, step: 40, seed: 0, asked: 1 }]);
  asked.dispose();
});

test("what changes while a question is under way is asked when it is answered, once", () => {
  const { selection, questions, asked } = asking();
  asked.step = 40;
  for (const x of [0.1, 0.2, 0.3]) {
    selection.enter({ follow: 0, strokes: [[x, 0.5]] });
    asked.ask();
  }
  assert.deepEqual(questions.map(({ strokes }) => strokes), [[[0.1, 0.5]]]);
  assert.ok(asked.answered(answer(1)));
  assert.deepEqual(questions[1].strokes, [[0.3, 0.5]]);
  assert.ok(!asked.answered(answer(1)), "an answer counts once");
  assert.ok(asked.answered(answer(2)));
  assert.equal(questions.length, 2);
  asked.dispose();
});

test("a refusal ends the wait and shows nothing; refusals of something else are none", () => {
  const { selection, asked } = asking();
  asked.step = 3;
  selection.pick(1);
  asked.ask();
  assert.ok(!asked.answered({ header: { kind: "refused" }, arrays: {} }));
  assert.ok(asked.waits);
  assert.ok(!asked.answered(answer(1, "refused")));
  assert.ok(!asked.waits);
  asked.dispose();
});

test("what was put away meanwhile is not shown, and not asked for again", () => {
  const { selection, questions, asked } = asking();
  asked.step = 3;
  selection.pick(1);
  asked.ask();
  selection.clear();
  asked.ask();
  assert.ok(!asked.answered(answer(1)));
  assert.equal(questions.length, 1);
  asked.dispose();
});

test("other draws have another seed", () => {
  const { selection, questions, asked } = asking();
  asked.step = 3;
  selection.pick(1);
  asked.ask();
  asked.answered(answer(1));
  asked.redraw();
  assert.deepEqual(questions.map(({ seed }) => seed), [0, 1]);
  asked.dispose();
});

test("own input takes the place of a point, and a point that of own input", () => {
  const { selection } = asking();
  selection.pick(1);
  selection.enter({ follow: 1, changes: { 0: 2 } });
  assert.deepEqual([selection.picked, selection.marked], [-1, []]);
  selection.land(answer(1));
  selection.enter({ follow: 1, changes: { 0: 3 } });
  assert.ok(selection.landed, "it stays where it was until the answer comes");
  selection.pick(2);
  assert.deepEqual([selection.landed, selection.followed], [null, { follow: 2 }]);
  assert.ok(selection.clear());
  assert.equal(selection.followed, null);
});

test("a posterior in words gives mean, deviation and the z drawn of each dimension", () => {
  const words = told(Float32Array.of(0.5, -1), Float32Array.of(0.25, 1), Float32Array.of(0.7, 0), 2);
  assert.match(words, /draw 3: 1: 0\.50 ± 0\.25, drawn 0\.70; 2: -1\.00 ± 1\.00, drawn 0\.00$/);
});

test("of the newest moment in training the models at hand are asked for, of any other its own", () => {
  const { selection, questions, asked } = asking();
  asked.step = 10;
  asked.newest = true;
  selection.pick(2);
  asked.ask();
  assert.deepEqual(questions.at(-1), { follow: 2, seed: 0, asked: 1 });
  asked.answered(answer(1));
  asked.newest = false;
  asked.ask();
  assert.deepEqual(questions.at(-1), { follow: 2, step: 10, seed: 0, asked: 2 });
  asked.dispose();
});

test("before anything is entered the models of the moment are made ready, and no answer is shown", () => {
  const { selection, questions, asked } = asking();
  asked.prepare();
  assert.deepEqual(questions, [], "there is no moment yet");
  asked.step = 10;
  asked.prepare();
  assert.deepEqual(questions, [{ follow: 0, step: 10, seed: 0, asked: -1 }]);
  assert.ok(!asked.waits && !asked.answered(answer(-1)));
  selection.pick(2);
  asked.prepare();
  assert.equal(questions.length, 1, "they are ready");
  asked.dispose();
});
