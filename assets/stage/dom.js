/** Elements in one line each. */

/** <tag class="…" attributes>children</tag>; a child is an element or a text. */
export function make(tag, { className, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Set a text only where it differs: screen readers and layout notice every change. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A number with so many digits after the point, or a dash. */
export function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}
