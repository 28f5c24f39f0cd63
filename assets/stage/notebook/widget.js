/**
 * The stage below a notebook's cell, by the standard of anywidget. This file stands alone: it finds
 * all others, compressed, in the widget's state, and makes modules of them once per page.
 *
 * @import { WidgetModel } from "./kernel.js"
 * @typedef {typeof import("./show.js")} Notebook
 */

/** @type {Map<string, Promise<Notebook>>} by the code's version */
const loaded = /** @type {any} */ ((/** @type {any} */ (globalThis)).svaeStages ??= new Map());

/**
 * @param {WidgetModel} model
 * @returns {Promise<Notebook>}
 */
function load(model) {
  const version = model.get("_version");
  const before = loaded.get(version);
  if (before) return before;
  const loading = filesOf(model.get("_code")).then((files) => import(urlOf("notebook/show.js", files, new Map())));
  loaded.set(version, loading);
  return loading;
}

/**
 * @param {DataView} packed
 * @returns {Promise<Record<string, string>>}  sources by path
 */
async function filesOf(packed) {
  const bytes = new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength);
  const stream = new Blob([/** @type {BlobPart} */ (bytes)]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).json();
}

/**
 * The address of a module whose imports are addresses of such modules.
 * @param {string} path
 * @param {Record<string, string>} files
 * @param {Map<string, string>} made
 * @returns {string}
 */
function urlOf(path, files, made) {
  const before = made.get(path);
  if (before) return before;
  const source = files[path].replace(/(\bfrom |\bimport )"(\.[^"]+)"/g, (whole, word, relative) => {
    const { pathname } = new URL(relative, `file:///${path}`);
    const found = pathname.slice(1);
    return found in files ? `${word}"${urlOf(found, files, made)}"` : whole;
  });
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  made.set(path, url);
  return url;
}

/**
 * Outputs that hold the whole run as a page: as long as there is a kernel, the stage that it
 * answers stands in the page's place.
 * @param {WidgetModel} model
 */
function adopt(model) {
  const place = `[data-svae="${model.get("_id")}"]`;
  /** @type {Map<HTMLElement, () => void>} */
  const shown = new Map();
  const look = () => {
    for (const [element, unmount] of shown) {
      if (element.isConnected) continue;
      shown.delete(element);
      unmount();
    }
    for (const element of document.querySelectorAll(place)) {
      if (!(element instanceof HTMLElement) || shown.has(element)) continue;
      shown.set(element, () => {});
      load(model).then(({ show }) => {
        if (!shown.has(element)) return;
        const stage = document.createElement("div");
        element.dataset.live = "";
        element.append(stage);
        const unmount = show(model, stage);
        shown.set(element, () => {
          unmount();
          stage.remove();
          delete element.dataset.live;
        });
      });
    }
  };
  const changes = new MutationObserver(look);
  changes.observe(document.body, { childList: true, subtree: true });
  look();
  return () => {
    changes.disconnect();
    for (const unmount of shown.values()) unmount();
    shown.clear();
  };
}

export default {
  /** @param {{ model: WidgetModel }} widget */
  initialize({ model }) {
    return adopt(model);
  },
  /** @param {{ model: WidgetModel, el: HTMLElement }} widget */
  async render({ model, el }) {
    const { show } = await load(model);
    return show(model, el);
  },
};
