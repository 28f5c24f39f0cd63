/** Laws of the claims that can be dragged: wherever a knob stands, what is said there is true. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { claimsOf } from "../../assets/stage/claims/claims.js";
import { bestFloor } from "../../assets/stage/claims/formulas.js";
import { fractionOf, valueAt } from "../../assets/stage/claims/plot.js";

const LAMBDAS = Array.from({ length: 120 }, (_, n) => 0.01 * 1.08 ** n);
// Of a Gaussian of variance 1 in one dimension: E exp(−λ(x−y)²) is highest at y = 0.
const EXPONENTS = LAMBDAS.map((lambda) => -0.5 * Math.log(1 + 2 * lambda));
const NUMBERS = {
  total: 1, mean_norm: 0.2, mean_square: 1.04, radii: [0.8, 1.2], deltas: { shell: 1.36, free: 1 },
  delta: 1, bound: 6, loss: 0.5, log_n: 7, lambdas: LAMBDAS, proved: EXPONENTS, tight: EXPONENTS,
};

/** All corners and middles of a claim's knobs. */
function* places({ knobs }) {
  const each = knobs.map((knob) => [0, 0.2, 0.5, 0.8, 1].map((share) => valueAt(knob, share)));
  for (const first of each[0]) {
    for (const second of each[1] ?? [0]) yield [first, second];
  }
}

for (const claim of claimsOf(NUMBERS)) {
  test(`${claim.title}: can be drawn and said wherever its knobs stand`, () => {
    for (const { low, high, start } of claim.knobs) assert.ok(low <= start && start <= high);
    for (const values of places(claim)) {
      const { lines, y, range, sentence } = claim.show(values);
      assert.ok(Number.isFinite(y) && range[0] < range[1], sentence);
      assert.ok(Math.abs(lines[0].at(values[0]) - y) < 1e-9, "the point is on its curve");
      assert.doesNotMatch(sentence, /NaN|undefined|Infinity/);
    }
  });
}

test("no constant is below δ of its kind, on the shell or off it", () => {
  const [claim] = claimsOf(NUMBERS);
  for (const values of places(claim)) assert.ok(claim.show(values).says, claim.show(values).sentence);
  const wrong = claimsOf({ ...NUMBERS, deltas: { shell: 9, free: 9 } })[0];
  assert.ok(!wrong.show([1, 0]).says, "it is looked at, not asserted");
});

test("nats follow exactly below δ", () => {
  const claim = claimsOf(NUMBERS)[1];
  for (const [loss, delta] of places(claim)) {
    const { says, y } = claim.show([loss, delta]);
    assert.equal(says, loss < delta);
    assert.equal(y > 0, loss < delta);
  }
});

test("no λ is better than the best, and the best is that of the Gaussian", () => {
  const claim = claimsOf(NUMBERS)[2];
  for (const [lambda, loss] of places(claim)) {
    assert.ok(claim.show([lambda, loss]).y <= bestFloor(NUMBERS, "proved", loss) + 1e-12 || loss >= 1);
  }
  // −λD + ½ log(1 + 2λ) is highest at λ = (1/D − 1)/2: Shannon's bound, ½ (log(1/D) − 1 + D).
  const shannon = (loss) => 0.5 * (Math.log(1 / loss) - 1 + loss);
  for (const loss of [0.2, 0.5, 0.9]) {
    assert.ok(Math.abs(bestFloor(NUMBERS, "proved", loss) - shannon(loss)) < 2e-3);
  }
  assert.equal(bestFloor(NUMBERS, "proved", 1), 0);
});

test("a slider's place is that of its value, and back", () => {
  for (const knob of [{ low: 2, high: 5 }, { low: 0.01, high: 100, logarithmic: true }]) {
    for (const share of [0, 0.3, 1]) {
      assert.ok(Math.abs(fractionOf(knob, valueAt(knob, share)) - share) < 1e-12);
    }
  }
});
