/**
 * How many nats a loss guarantees, read off the floors that the server has computed.
 *
 * @import { NumberArray } from "./types"
 */

/**
 * The proved floor on the KL at this loss, in nats; 0 at δ and above.
 * @param {NumberArray | null} floors  [models, 3, losses]: losses, rising, proved and tight floor
 * @param {number} model
 * @param {number} loss  summed squared error
 * @returns {number | null} null while the floors are unknown
 */
export function nats(floors, model, loss) {
  if (!floors) return null;
  const size = floors.shape[2];
  /** @param {number} row */
  const line = (row) => floors.data.subarray((3 * model + row) * size, (3 * model + row + 1) * size);
  const [losses, proved] = [line(0), line(1)];
  const after = losses.findIndex((one) => one >= loss);
  if (after < 0) return 0;
  const later = proved[after];
  if (after === size - 1 || losses[after] === loss) return later;
  // A floor is a maximum of falling lines, hence convex: the next chord, drawn on to the left, lies
  // below it, so that the number is never too high.
  const slope = (proved[after + 1] - later) / (losses[after + 1] - losses[after]);
  return Math.max(later, later + slope * (loss - losses[after]));
}
