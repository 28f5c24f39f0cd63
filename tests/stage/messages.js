/** Messages as svae_core/stage/messages.py writes them, for tests: numbers count up, so each is known. */

/** A header and arrays as bytes: the inverse of `decode`. */
export function encoded(header, arrays) {
  const listed = Object.entries(arrays).map(([name, { shape }]) => [name, shape]);
  let text = new TextEncoder().encode(JSON.stringify({ ...header, arrays: listed }));
  const padded = new Uint8Array(4 * Math.ceil(text.length / 4)).fill(32);
  padded.set(text);
  const blobs = Object.values(arrays).map(({ data }) => new Uint8Array(data.buffer));
  const size = 4 + padded.length + blobs.reduce((sum, blob) => sum + blob.length, 0);
  const whole = new Uint8Array(size);
  new DataView(whole.buffer).setUint32(0, padded.length, true);
  let at = 4;
  for (const blob of [padded, ...blobs]) {
    whole.set(blob, at);
    at += blob.length;
  }
  return whole.buffer;
}

/** A moment of two models with two latent dimensions; `steps`: of the rows that come with it. */
export function momentMessage({ index, from = 0, steps = [], shells = true, ...rest }) {
  const rows = steps.flatMap((step) => [step, ...[0, 1].flatMap((m) => fourFrom(100 * m + step))]);
  const model = { loss: 1, delta: 2, kl: 0.5, kl_per_dim: [0.25, 0.25] };
  const header = {
    kind: "moment", generation: 0, version: 1, status: "playing", error: null, left: 9, speed: 3,
    standing: null, count: index + 1, certificates: [], index, from, step: 10 * index, steps: 100,
    epoch: index, then: null, models: [model, model], ...rest,
  };
  const arrays = { history: { shape: [steps.length, 9], data: Float32Array.from(rows) } };
  if (shells) arrays.shells = { shape: [2, 1, 3], data: new Float32Array(6) };
  return { header, arrays };
}

function fourFrom(first) {
  return [first, first + 1, first + 2, first + 3];
}
