/** A camera on an orbit around the centre of the shell, and what it sees. */

const DISTANCE = 3.4; // in outer radii: near enough for depth, far enough to keep circles round
const STEEPEST = 1.45;

export class Orbit {
  constructor() {
    this.turn = Math.PI / 4;
    this.tilt = 0.36;
    this.zoom = 1;
  }

  move(turn, tilt) {
    this.turn += turn;
    this.tilt = Math.max(-STEEPEST, Math.min(STEEPEST, this.tilt + tilt));
  }

  magnify(factor) {
    this.zoom = Math.max(0.5, Math.min(8, this.zoom * factor));
  }

  /**
   * Where points [3 n] are on a sheet: x, y in its pixels and depth from 0 (far) to 1 (near).
   * `place` has the middle {x, y}, half its size `reach`, and the outer radius in data units.
   */
  project(points, { x, y, reach, radius }, into) {
    const [cosTurn, sinTurn] = [Math.cos(this.turn), Math.sin(this.turn)];
    const [cosTilt, sinTilt] = [Math.cos(this.tilt), Math.sin(this.tilt)];
    const scale = (reach * this.zoom * Math.sqrt(DISTANCE ** 2 - 1)) / radius;
    const count = points.length / 3;
    for (let n = 0; n < count; n += 1) {
      const [a, b, c] = [points[3 * n], points[3 * n + 1], points[3 * n + 2]];
      const ahead = a * cosTurn + b * sinTurn;
      const near = (ahead * cosTilt + c * sinTilt) / radius;
      const size = scale / (DISTANCE - near);
      into.x[n] = x + size * (b * cosTurn - a * sinTurn);
      into.y[n] = y - size * (c * cosTilt - ahead * sinTilt);
      into.depth[n] = Math.max(0, Math.min(1, 0.5 + near / 2));
    }
    return into;
  }
}

/** Room for the places of so many points. */
export function room(count) {
  return {
    x: new Float32Array(count),
    y: new Float32Array(count),
    depth: new Float32Array(count),
  };
}

/** Indices from far to near, in a few hundred classes: enough for what hides what. */
export function backToFront({ depth }, order, classes = 256) {
  const counts = new Uint32Array(classes + 1);
  const top = classes - 1;
  for (const value of depth) counts[Math.floor(value * top) + 1] += 1;
  for (let c = 1; c <= classes; c += 1) counts[c] += counts[c - 1];
  for (let n = 0; n < depth.length; n += 1) {
    const c = Math.floor(depth[n] * top);
    order[counts[c]] = n;
    counts[c] += 1;
  }
  return order;
}
