/** Colours are #rrggbb, as the scene and the page give them. */

/**
 * Red, green and blue, from 0 to 255.
 * @param {string} colour
 */
export function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/**
 * A colour between two; `share` 1 is the second.
 * @param {string} one
 * @param {string} other
 * @param {number} share
 */
export function mix(one, other, share) {
  const ends = channels(other);
  const parts = channels(one).map((from, n) => {
    return Math.round(from + (ends[n] - from) * share).toString(16).padStart(2, "0");
  });
  return `#${parts.join("")}`;
}

/**
 * The colour made translucent.
 * @param {string} colour
 * @param {number} opacity  from 0 to 1
 */
export function translucent(colour, opacity) {
  return `rgba(${channels(colour).join(",")},${opacity})`;
}

/**
 * Whether a colour is darker than middle grey, by how bright the eye finds each channel.
 * @param {string} colour
 */
export function isDark(colour) {
  const [red, green, blue] = channels(colour);
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}
