/** Fetches what the stage needs beside its modules, each once per page. */

/** @type {Map<string, Promise<void>>} */
const loaded = new Map();

/** The style sheet beside this module. */
export function loadStyles() {
  return once(new URL("stage.css", import.meta.url).href, (href) =>
    Object.assign(document.createElement("link"), { rel: "stylesheet", href }),
  );
}

/** @param {string} path  a script's, on this server */
export function loadScript(path) {
  return once(new URL(path, window.location.origin).href, (src) =>
    Object.assign(document.createElement("script"), { src }),
  );
}

/**
 * @param {string} url
 * @param {(url: string) => HTMLElement} create
 * @returns {Promise<void>}
 */
function once(url, create) {
  const before = loaded.get(url);
  if (before) return before;
  const element = create(url);
  /** @type {Promise<void>} */
  const loading = new Promise((done, failed) => {
    element.onload = () => done();
    element.onerror = () => failed(new Error(`${url} cannot be loaded`));
  });
  loaded.set(url, loading);
  document.head.append(element);
  return loading;
}
