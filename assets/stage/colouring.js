/**
 * What points are coloured by: groups, each with a mark of its own, or a scale of colours.
 * svae_core/figures/colouring.py does the same for figures.
 *
 * @import { Cluster, Colouring, Message, Scene, Theme } from "./types"
 */

import { sprites } from "./sprites.js";

/**
 * Every point by its cluster.
 * @param {Pick<Scene, "clusters" | "arrays">} scene
 * @returns {Colouring}
 */
export function byCluster({ clusters, arrays }) {
  const of = arrays.labels.data;
  return { name: "cluster", groups: clusters, low: 0, high: 0, of, slots: Uint16Array.from(of) };
}

/**
 * What the server, or a file, says of another colouring.
 * @param {Message} message
 * @param {number} colours  of a scale
 * @returns {Colouring}
 */
export function colouringOf({ header: { name, groups, low, high }, arrays }, colours) {
  const of = arrays.of.data;
  const slots = Uint16Array.from(of, (value) => (groups ? value : Math.round(value * (colours - 1))));
  return { name, groups, low, high, of, slots };
}

/**
 * The things that differ in looks, each as a cluster: groups, or colours of the scale.
 * @param {Colouring} colouring
 * @param {Scene} scene
 * @returns {Cluster[]}
 */
export function looksOf({ groups }, { scale }) {
  if (groups) return groups;
  return scale.light.map((light, n) => ({ name: "", symbol: "circle", light, dark: scale.dark[n] }));
}

/**
 * For each look a marker per depth.
 * @param {Colouring} colouring
 * @param {Scene} scene
 * @param {Theme} theme
 * @param {{ size: number, levels: number }} how
 */
export function markersOf(colouring, scene, theme, { size, levels }) {
  return looksOf(colouring, scene).map((look) => sprites(look, theme, size, levels));
}

/**
 * What a point is by this colouring, in words: cluster 3, alcohol 12.4.
 * @param {Colouring} colouring
 * @param {number} row
 */
export function wordsOf({ name, groups, low, high, of, slots }, row) {
  return `${name} ${groups ? groups[slots[row]].name : brief(low + of[row] * (high - low))}`;
}

/**
 * A number in three digits or so.
 * @param {number} value
 */
export function brief(value) {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}
