/**
 * What was tried so far: the tree of runs that branched off one another and the changes within this
 * one. It is the undo history: each entry leads back to its run or its moment.
 *
 * @import { TreeNode } from "./types"
 * @import { Recording } from "./frames.js"
 * @import { Player } from "./player.js"
 */

import { make } from "./dom.js";

export class Tree {
  /**
   * @param {HTMLElement} element
   * @param {Player} player
   * @param {Recording} recording
   * @param {(run: string, query: TreeNode["query"]) => void} onMove  goes to another run of the tree
   */
  constructor(element, player, recording, onMove) {
    this.player = player;
    this.recording = recording;
    this.onMove = onMove;
    this.drawn = ""; // the tree in the list, in JSON
    this.list = make("ol", { className: "svae-tree" });
    element.append(make("nav", { "aria-label": "What was tried so far" }, this.list));
  }

  update() {
    const { tree } = this.recording;
    const key = JSON.stringify(tree);
    if (key === this.drawn) return;
    this.drawn = key;
    const depths = new Map();
    const entries = tree.flatMap((node) => {
      const depth = node.parent === null ? 0 : (depths.get(node.parent) ?? 0) + 1;
      depths.set(node.run, depth);
      return [this.#run(node, depth), ...node.changes.map((change) => this.#change(node, change))];
    });
    this.list.replaceChildren(...entries);
    // Where nothing was tried there is nothing to go back to; its room is kept.
    this.list.style.visibility = entries.length > 1 ? "" : "hidden";
    this.list.scrollLeft = this.list.scrollWidth; // the newest is in sight
  }

  /**
   * @param {TreeNode} node
   * @param {number} depth  how many branchings lead to it
   */
  #run(node, depth) {
    const button = make("button", { type: "button", title: "Go to this run" }, node.what);
    if (node.here) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => !node.here && this.onMove(node.run, node.query));
    return make("li", {}, depth ? "↳ ".repeat(Math.min(depth, 3)) : "", button);
  }

  /**
   * @param {TreeNode} node
   * @param {TreeNode["changes"][number]} change
   */
  #change(node, { step, what }) {
    const button = make("button", { type: "button", title: "Go to that moment" }, what);
    button.disabled = !node.here;
    button.addEventListener("click", () => {
      const after = this.recording.rows.findIndex((row) => row.step > step);
      this.player.seek(Math.max(0, (after < 0 ? this.recording.count : after) - 1));
    });
    return make("li", {}, "· ", button);
  }
}
