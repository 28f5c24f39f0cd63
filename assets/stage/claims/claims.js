/**
 * The claims of the Theory page: what may be moved, what is drawn, and what then holds.
 *
 * @import { Numbers } from "./formulas.js"
 * @typedef {object} Knob  what may be moved
 * @property {string} symbol
 * @property {string} name
 * @property {number} low
 * @property {number} high
 * @property {number} start
 * @property {boolean} [logarithmic]
 * @typedef {object} Line
 * @property {string} label
 * @property {(x: number) => number} at
 * @property {"solid" | "dashed" | "dotted"} stroke
 * @typedef {object} Shown  a claim at some values
 * @property {Line[]} lines  curves over the first knob
 * @property {number} y  the point that is dragged, at the first knob's value
 * @property {[number, number]} range  of y
 * @property {string} sentence  what holds there
 * @property {boolean} says  whether something follows there
 * @typedef {object} Claim
 * @property {string} title
 * @property {string} words
 * @property {string} axis
 * @property {Knob[]} knobs  dragging the picture moves the first
 * @property {(values: number[]) => Shown} show
 */

import { bestFloor, constantLoss, elementaryFloor, floorsByLambda, shiftedKl } from "./formulas.js";

/** @param {number} value */
const three = (value) => value.toFixed(3).replace("-", "−");

/**
 * @param {Numbers} numbers
 * @returns {Claim[]}
 */
export function claimsOf(numbers) {
  return [noConstant(numbers), elementary(numbers), everyLambda(numbers), decodedMeans(numbers)];
}

/** @param {Numbers} numbers @returns {Claim} */
function noConstant({ total, mean_norm: norm, radii: [inner, outer], deltas }) {
  return {
    title: "No answer that ignores the input has a loss below δ",
    words: "Move a constant answer y: its radius ρ, and its angle to the mean of the data.",
    axis: "radius ρ → loss D",
    knobs: [
      { symbol: "ρ", name: "radius of the answer", low: 0, high: 1.5 * outer, start: outer },
      { symbol: "α", name: "angle to the mean, degrees", low: 0, high: 180, start: 60 },
    ],
    show: ([radius, degrees]) => {
      const angle = (degrees * Math.PI) / 180;
      const loss = constantLoss(total, norm, radius, angle);
      const onShell = radius >= inner && radius <= outer;
      const [delta, name] = onShell ? [deltas.shell, "shell"] : [deltas.free, "free"];
      const where = onShell ? "On the shell" : "Off the shell";
      const holds = loss >= delta - 1e-9;
      return {
        lines: [
          { label: "loss of y", at: (x) => constantLoss(total, norm, x, angle), stroke: "solid" },
          { label: "δ, shell", at: (x) => (x >= inner && x <= outer ? deltas.shell : NaN), stroke: "dashed" },
          { label: "δ, free", at: () => deltas.free, stroke: "dotted" },
        ],
        y: loss,
        range: [0, constantLoss(total, norm, 1.5 * outer, Math.PI)],
        sentence:
          `${where}: D = T + ‖x̄ − y‖² = ${three(loss)} ${holds ? "≥" : "<"} δ (${name}) = ` +
          `${three(delta)}, by ${three(Math.abs(loss - delta))}.`,
        says: holds,
      };
    },
  };
}

/** @param {Numbers} numbers @returns {Claim} */
function elementary({ delta: start, bound, loss }) {
  return {
    title: "A loss below δ costs nats: I(x; z) ≥ kl(D/M ‖ δ/M)",
    words: `Move D and δ. M = ${three(bound)} is above every squared distance.`,
    axis: "loss D → nats",
    knobs: [
      { symbol: "D", name: "measured loss", low: 0, high: 1.3 * start, start: loss },
      { symbol: "δ", name: "collapse loss", low: 0.1 * start, high: Math.min(bound, 1.3 * start), start },
    ],
    show: ([at, delta]) => {
      const nats = elementaryFloor(at, delta, bound);
      const below = at < delta;
      return {
        lines: [
          { label: "floor", at: (x) => elementaryFloor(x, delta, bound), stroke: "solid" },
          { label: "floor for the δ of the data", at: (x) => elementaryFloor(x, start, bound), stroke: "dashed" },
        ],
        y: nats,
        range: [0, elementaryFloor(0, Math.min(bound * 0.999, 1.3 * start), bound)],
        sentence: below
          ? `D = ${three(at)} < δ = ${three(delta)}, so KL ≥ I(x; z) ≥ ${three(nats)} nats > 0: no total collapse.`
          : `D = ${three(at)} ≥ δ = ${three(delta)}: a constant answer does as well, and nothing follows.`,
        says: below,
      };
    },
  };
}

/** @param {Numbers} numbers @returns {Claim} */
function everyLambda(numbers) {
  const { lambdas, delta, loss } = numbers;
  /** @param {number} lambda */
  const index = (lambda) => {
    const above = lambdas.findIndex((one) => one >= lambda * (1 - 1e-9));
    return above < 0 ? lambdas.length - 1 : above;
  };
  return {
    title: "Every λ > 0 gives a floor: I(x; z) ≥ −λD − A(λ)",
    words: "Move λ and D. The best λ gives the proved floor of the certificate.",
    axis: "λ, logarithmic → nats",
    knobs: [
      { symbol: "λ", name: "lambda", low: lambdas[0], high: lambdas[lambdas.length - 1], start: 1, logarithmic: true },
      { symbol: "D", name: "measured loss", low: 0.1 * delta, high: 1.1 * delta, start: loss },
    ],
    show: ([lambda, at]) => {
      const [proved, tight] = [numbers.proved, numbers.tight].map((one) => floorsByLambda(lambdas, one, at));
      const best = bestFloor(numbers, "proved", at);
      const here = proved[index(lambda)];
      const found =
        here > 0
          ? `−λD − A(λ) = ${three(here)} nats: at least so many pass.`
          : `−λD − A(λ) = ${three(here)} nats: true of any model, and it says nothing.`;
      return {
        lines: [
          { label: "proved", at: (x) => proved[index(x)], stroke: "solid" },
          { label: "numerical A(λ)", at: (x) => tight[index(x)], stroke: "dashed" },
        ],
        y: here,
        range: [-1, Math.max(1, 1.15 * bestFloor(numbers, "tight", at))],
        sentence:
          `At λ = ${lambda.toPrecision(3)}, D = ${three(at)}: ${found} ` +
          (at < delta
            ? `The best λ proves ${three(best)} nats.`
            : `D is not below δ = ${three(delta)}, and no λ proves more than 0.`),
        says: here > 0,
      };
    },
  };
}

/** @param {Numbers} numbers @returns {Claim} */
function decodedMeans({ mean_square: square, log_n: most }) {
  return {
    title: "Decoded means prove nothing: only a loss of sampled z counts",
    words: "On a sphere, q(z|x) = N(εx, I) and g(z) = r z/‖z‖ decode each mean without error. Move ε.",
    axis: "ε → nats",
    knobs: [{ symbol: "ε", name: "length of the means", low: 0, high: 2, start: 0.5 }],
    show: ([epsilon]) => {
      const kl = shiftedKl(epsilon, square);
      return {
        lines: [
          { label: "KL", at: (x) => shiftedKl(x, square), stroke: "solid" },
          { label: "error of decoded means", at: (x) => (x > 0 ? 0 : NaN), stroke: "dashed" },
        ],
        y: kl,
        range: [0, shiftedKl(2, square)],
        sentence:
          epsilon > 0
            ? `ε = ${epsilon.toFixed(2)}: the means are decoded with error 0, yet KL = ε² E‖x‖²/2 = ${three(kl)} ` +
              `nats; telling all points apart takes log n = ${three(most)}.`
            : "ε = 0: all posteriors are the prior, KL = 0, and the means have no direction left to decode.",
        says: epsilon > 0,
      };
    },
  };
}
