/**
 * The formulas of the claims that can be dragged. Each has its home in Python, which is named, and is
 * compared with it in tests/test_claims.py and tests/stage/claims.test.js.
 *
 * @typedef {object} Numbers  of the data at hand, by svae_core/figures/claims.py; losses are summed
 *   squared errors
 * @property {number} total  T
 * @property {number} mean_norm  ‖x̄‖
 * @property {number} mean_square  E‖x‖²
 * @property {[number, number]} radii  of the shell
 * @property {{ shell: number, free: number }} deltas
 * @property {number} delta  of the floors
 * @property {number} bound  M, above every squared distance
 * @property {number} loss  D to begin with
 * @property {number} log_n  log of the number of points, nats
 * @property {number[]} lambdas
 * @property {number[]} proved  A(λ), an upper bound
 * @property {number[]} tight  A(λ), numerical
 */

/**
 * E‖x − y‖² = T + ‖x̄ − y‖² of a constant y at this radius and angle to the mean of the data, with
 * ‖x̄ − y‖² = ρ² + ‖x̄‖² − 2ρ‖x̄‖ cos α (geometry/region.py, constant_loss).
 * @param {number} total
 * @param {number} meanNorm
 * @param {number} radius
 * @param {number} angle  in radians
 */
export function constantLoss(total, meanNorm, radius, angle) {
  return total + radius ** 2 + meanNorm ** 2 - 2 * radius * meanNorm * Math.cos(angle);
}

/**
 * kl(D/M ‖ δ/M) in nats below δ, else 0 (certificate/information_floors.py, elementary_floor).
 * @param {number} loss
 * @param {number} delta
 * @param {number} bound
 */
export function elementaryFloor(loss, delta, bound) {
  const [p, q] = [Math.min(loss, delta) / bound, delta / bound];
  /** @param {number} a @param {number} b */
  const term = (a, b) => (a > 0 ? a * Math.log(a / b) : 0);
  return term(p, q) + term(1 - p, 1 - q);
}

/**
 * −λD − A(λ) at each λ of the table, in nats: every one is a floor under I(x; x̂).
 * @param {number[]} lambdas
 * @param {number[]} exponents  A(λ)
 * @param {number} loss
 */
export function floorsByLambda(lambdas, exponents, loss) {
  return lambdas.map((lambda, n) => -lambda * loss - exponents[n]);
}

/**
 * The highest of them, 0 where none is above it and from δ on (information_floors.py, floors_along).
 * @param {Numbers} numbers
 * @param {"proved" | "tight"} kind
 * @param {number} loss
 */
export function bestFloor({ lambdas, delta, ...curves }, kind, loss) {
  return loss < delta ? Math.max(0, ...floorsByLambda(lambdas, curves[kind], loss)) : 0;
}

/**
 * The KL of q(z|x) = N(εx, I), in nats: ε² E‖x‖² / 2 (distributions/gaussian.py, kl).
 * @param {number} epsilon
 * @param {number} meanSquare
 */
export function shiftedKl(epsilon, meanSquare) {
  return (epsilon ** 2 * meanSquare) / 2;
}
