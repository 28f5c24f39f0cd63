/**
 * A class: what the teacher shows is shown here, until the viewer lets go.
 *
 * @import { Player } from "./player.js"
 */

import { make, setText } from "./dom.js";

export class TeacherBanner {
  /**
   * @param {HTMLElement} element
   * @param {Player} player
   * @param {() => void} onCopy  asks for a run of one's own
   */
  constructor(element, player, onCopy) {
    this.player = player;
    this.text = make("span");
    this.loose = this.#button(() => player.follow(!player.led));
    this.copy = this.#button(onCopy);
    setText(this.copy, "Take a copy to change");
    this.root = make(
      "div",
      { className: "svae-following", role: "status" },
      this.text,
      this.loose,
      this.copy,
    );
    element.append(this.root);
    this.update();
  }

  update() {
    const { led } = this.player;
    setText(this.text, led ? "You see what the teacher shows." : "You have let go: look where you like.");
    setText(this.loose, led ? "Let go" : "Follow again");
    this.copy.hidden = led;
  }

  /** @param {() => void} act */
  #button(act) {
    const button = make("button", { type: "button", className: "svae-option" });
    button.addEventListener("click", act);
    return button;
  }
}
