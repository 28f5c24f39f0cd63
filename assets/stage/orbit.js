/**
 * A camera on an orbit around the centre of the shell, and what it sees.
 *
 * @typedef {{ x: Float32Array, y: Float32Array, depth: Float32Array }} Projection
 * @typedef {{ x: number, y: number, reach: number, radius: number }} Viewport
 *   the middle and half the size, in pixels, and the outer radius in data units
 */

const DISTANCE = 3.4; // in outer radii: near enough for depth, far enough to keep circles round
const STEEPEST = 1.45;

export class Orbit {
  constructor() {
    this.turn = Math.PI / 4;
    this.tilt = 0.36;
    this.zoom = 1;
  }

  /**
   * By angles in radians; the camera stays short of the poles.
   * @param {number} turn
   * @param {number} tilt
   */
  move(turn, tilt) {
    this.turn += turn;
    this.tilt = Math.max(-STEEPEST, Math.min(STEEPEST, this.tilt + tilt));
  }

  /** @param {number} factor */
  magnify(factor) {
    this.zoom = Math.max(0.5, Math.min(8, this.zoom * factor));
  }

  /**
   * Where points [3 n] are on the screen: x, y in pixels and depth from 0 (far) to 1 (near).
   * @param {Float32Array} points
   * @param {Viewport} viewport
   * @param {Projection} into  is filled and given back
   */
  project(points, { x, y, reach, radius }, into) {
    const [cosTurn, sinTurn] = [Math.cos(this.turn), Math.sin(this.turn)];
    const [cosTilt, sinTilt] = [Math.cos(this.tilt), Math.sin(this.tilt)];
    // Seen from DISTANCE d, a sphere of radius 1 has the outline of a disk of radius 1/√(d² − 1).
    const scale = (reach * this.zoom * Math.sqrt(DISTANCE ** 2 - 1)) / radius;
    const count = points.length / 3;
    for (let n = 0; n < count; n += 1) {
      const [a, b, c] = [points[3 * n], points[3 * n + 1], points[3 * n + 2]];
      // Turned about the vertical axis, then tilted about the horizontal one.
      const ahead = a * cosTurn + b * sinTurn;
      const near = (ahead * cosTilt + c * sinTilt) / radius;
      // Perspective: what is nearer to the camera is larger.
      const size = scale / (DISTANCE - near);
      into.x[n] = x + size * (b * cosTurn - a * sinTurn);
      into.y[n] = y - size * (c * cosTilt - ahead * sinTilt);
      into.depth[n] = Math.max(0, Math.min(1, 0.5 + near / 2));
    }
    return into;
  }
}

/**
 * Memory for the projection of this many points.
 * @param {number} count
 * @returns {Projection}
 */
export function emptyProjection(count) {
  return {
    x: new Float32Array(count),
    y: new Float32Array(count),
    depth: new Float32Array(count),
  };
}

/**
 * Indices from far to near, by counting sort into a few hundred depths: enough for what hides what.
 * @param {Pick<Projection, "depth">} projection
 * @param {Uint32Array} order  is filled and given back
 */
export function backToFront({ depth }, order, depths = 256) {
  const counts = new Uint32Array(depths + 1);
  const top = depths - 1;
  for (const value of depth) counts[Math.floor(value * top) + 1] += 1;
  // Sums of all counts before are where each depth's indices begin.
  for (let c = 1; c <= depths; c += 1) counts[c] += counts[c - 1];
  for (let n = 0; n < depth.length; n += 1) {
    const c = Math.floor(depth[n] * top);
    order[counts[c]] = n;
    counts[c] += 1;
  }
  return order;
}
