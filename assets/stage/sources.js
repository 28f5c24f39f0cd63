/**
 * What a page says of a run, and where the run's moments then come from.
 *
 * @import { MomentSource, Receiver } from "./types"
 * @typedef {object} StageData  what the page, or an exported file, says of the run
 * @property {string} run  its id, or a class's code
 * @property {string} [module]  where this code is
 * @property {string} [plotly]  where Plotly.js is; an exported file holds it
 * @property {string} [socket]  where the moments are
 * @property {string} [archive]  all moments, packed
 * @property {(on: Receiver) => MomentSource} [connect]  moments come from a notebook's kernel
 * @property {Promise<void>} [ready]  settles when Plotly.js is there, where the page brings it along
 * @property {string} [recorded]  where all moments, packed, can be had; they play from the first one
 * @property {string} [replay]  where the run can be had as one file
 * @property {string} [figures]  where its views can be had as figures for papers
 * @property {boolean} [projector]  in big type
 * @property {boolean} [follow]  show what the teacher of a class shows
 * @property {boolean} [reads]  by a read-only link, which changes nothing
 * @property {string} [lead]  the key of the class that sees this page
 * @property {string[]} [views]  names of those to show; none: all
 * @property {string} [colour]  what points are coloured by; "": by clusters
 * @property {string} [pictures]  "1": they are drawn as pictures
 */

import { Archive } from "./archive.js";
import { bytesOf } from "./loading.js";
import { Source } from "./socket.js";

/**
 * What stands behind the moments: a file, a class, a notebook's kernel, a read-only link, or the
 * server; style sheets know by it what is out of reach.
 * @param {StageData} data
 */
export function kindOf({ archive, recorded, connect, follow, reads }) {
  if (archive || recorded) return "archive";
  if (connect) return "kernel";
  if (follow) return "class";
  return reads ? "link" : "server";
}

/**
 * @param {StageData} data
 * @param {Receiver} receiver
 * @returns {MomentSource}
 */
export function sourceOf({ archive, recorded, connect, socket = "" }, receiver) {
  if (connect) return connect(receiver);
  const fetched = recorded ? fetch(recorded).then((found) => found.arrayBuffer()) : null;
  if (fetched) return new Archive(fetched, receiver, "reload the page");
  return archive
    ? new Archive(bytesOf(archive), receiver, "open a whole copy of this file, or export the replay once more")
    : new Source(socket, receiver);
}
