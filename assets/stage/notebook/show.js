/**
 * The stage in an element of a notebook.
 *
 * @import { Receiver } from "../types"
 * @import { WidgetModel } from "./kernel.js"
 */

import { mount, unmount } from "../index.js";
import { runScript } from "../loading.js";
import { bytes, Kernel } from "./kernel.js";

/**
 * Show the stage in an element of a notebook; how to take it away again.
 * @param {WidgetModel} model
 * @param {HTMLElement} element
 */
export function show(model, element) {
  element.classList.add("svae-notebook");
  // JupyterLab's own keys, such as D for deleting a cell, stay silent here.
  element.setAttribute("data-lm-suppress-shortcuts", "true");
  const connect = (/** @type {Receiver} */ on) => new Kernel(model, on);
  const ready = "Plotly" in globalThis ? Promise.resolve() : runScript(bytes(model.get("_plotly")));
  const data = { run: model.get("_id"), connect, ready, colour: "", pictures: "" };
  const draw = () => mount(element, data, () => {});
  draw();
  const theme = new MutationObserver(draw);
  for (const page of [document.documentElement, document.body]) {
    theme.observe(page, { attributes: true });
  }
  return () => {
    theme.disconnect();
    unmount(element);
  };
}
