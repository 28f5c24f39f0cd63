/** Colours are #rrggbb, as the scene and the page give them. */

/** Red, green and blue, from 0 to 255. */
export function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/** A colour between two; `share` 1 is the second. */
export function mix(one, other, share) {
  const ends = channels(other);
  const parts = channels(one).map((from, n) => {
    return Math.round(from + (ends[n] - from) * share).toString(16).padStart(2, "0");
  });
  return `#${parts.join("")}`;
}

/** A colour made translucent. */
export function veil(colour, opacity) {
  return `rgba(${channels(colour).join(",")},${opacity})`;
}
