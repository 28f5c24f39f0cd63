/** Elements in one line each. */

/**
 * <tag class="…" attributes>children</tag>; a child is an element or a text.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{ className?: string, [attribute: string]: string | number | undefined }} [options]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, { className, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * Set a text only where it differs: screen readers and layout notice every change.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * What Plotly drew, as one picture: screen readers would else read out every number of its axes.
 * @param {HTMLElement} element
 * @param {string} label
 */
export function asPicture(element, label) {
  const drawn = element.querySelector(".plot-container");
  drawn?.setAttribute("role", "img");
  drawn?.setAttribute("aria-label", label);
}

/**
 * A canvas's pen. It is missing only where the browser has run out of canvases.
 * @template {HTMLCanvasElement | OffscreenCanvas} Canvas
 * @param {Canvas} canvas
 */
export function penOf(canvas) {
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("the browser cannot draw on a canvas");
  return /** @type {CanvasRenderingContext2D} */ (pen);
}

/**
 * The sentence with a capital, unless it begins with a symbol: σ² is not Σ².
 * @param {string} sentence
 */
export function capitalised(sentence) {
  if (!/^[a-z]/.test(sentence)) return sentence;
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/**
 * A number with this many digits after the point, or a dash.
 * @param {number | null | undefined} value
 */
export function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}
