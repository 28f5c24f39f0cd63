/** Files for the viewer to keep. */

import { make } from "./dom.js";

/** An arrow down onto a line. */
export const DOWNLOAD =
  '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M11 3h2v9.2l3.3-3.3 1.4 1.4L12 16l-5.7-5.7 ' +
  '1.4-1.4 3.3 3.3zM4 19h16v2H4z"/></svg>';
const FETCHED = 60_000; // how long a browser may take to fetch what it saves, in milliseconds

/**
 * Downloads the run so far as one file.
 * @param {string} path
 */
export function exportLink(path) {
  const label = "Export replay: this run as one file that plays without a server";
  const link = make("a", { className: "svae-button svae-export", href: path, download: "" });
  link.innerHTML = DOWNLOAD;
  link.setAttribute("aria-label", label);
  link.title = label;
  return link;
}

/**
 * Save something that was made here.
 * @param {Blob} content
 * @param {string} name
 */
export function save(content, name) {
  const address = URL.createObjectURL(content);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), FETCHED);
}
