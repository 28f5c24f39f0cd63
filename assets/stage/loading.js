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
 * Run a script that was compressed into the page, if it has not run yet.
 * @param {string | Uint8Array} packed  in base 64, or its bytes
 * @returns {Promise<void>}
 */
export function runScript(packed) {
  running ??= run(packed);
  return running;
}

/** @type {Promise<void> | undefined} */
let running;

/** @param {string | Uint8Array} packed */
async function run(packed) {
  const bytes = typeof packed === "string" ? await bytesOf(packed) : packed;
  const text = await new Response(unzipped(bytes)).text();
  document.head.append(Object.assign(document.createElement("script"), { text }));
}

/**
 * What a file holds in base 64, in bytes.
 * @param {string} text
 */
export async function bytesOf(text) {
  return Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0)).buffer;
}

/**
 * @param {ArrayBuffer | Uint8Array} packed
 */
export function unzipped(packed) {
  return new Blob([/** @type {BlobPart} */ (packed)]).stream().pipeThrough(new DecompressionStream("gzip"));
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
