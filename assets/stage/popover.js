/** A button that opens a small panel beside it. */

import { make } from "./dom.js";

/**
 * It closes by a press or a focus elsewhere, and by Escape.
 * @param {{ className: string, label: string }} about  label: for pointers and screen readers
 * @param {Node | string} face  what the button shows
 * @param {(Node | string)[]} content
 */
export function popover({ className, label }, face, ...content) {
  const panel = make("div", { className: "svae-panel", tabindex: -1 }, ...content);
  const button = make("summary", { title: label, "aria-label": label }, face);
  const root = make("details", { className: `svae-popover ${className}` }, button, panel);
  /** @param {EventTarget | null} target */
  const leave = (target) => {
    if (target instanceof Node && !root.contains(target)) root.open = false;
  };
  // No target: what had the focus is gone, or the window has lost it.
  root.addEventListener("focusout", ({ relatedTarget }) => leave(relatedTarget));
  const press = (/** @type {PointerEvent} */ event) => leave(event.target);
  root.addEventListener("toggle", () => {
    if (root.open) document.addEventListener("pointerdown", press);
    else document.removeEventListener("pointerdown", press);
  });
  root.addEventListener("keydown", (event) => {
    if (!root.open) return;
    if (event.key === "Escape") {
      root.open = false;
      button.focus();
    }
    event.stopPropagation(); // arrows would otherwise scrub
  });
  return root;
}
