/**
 * Colours and fonts: the page's from Streamlit's CSS variables, the data's from the scene.
 *
 * @import { Scene, Theme } from "./types"
 */

import { isDark } from "./colour.js";
import { penOf } from "./dom.js";

const FONT_SIZE = 14;

/**
 * Light or dark, with the colours that figures need.
 * @param {HTMLElement} element
 * @param {Scene} scene
 * @returns {Theme}
 */
export function themeOf(element, scene) {
  const style = getComputedStyle(element);
  /** @type {(name: string, fallback: string) => string} */
  const page = (name, fallback) => style.getPropertyValue(`--st-${name}`).trim() || fallback;
  const background = asHex(page("background-color", "#ffffff"), element);
  const name = isDark(background) ? "dark" : "light";
  return {
    name,
    background,
    text: asHex(page("text-color", "#1f2328"), element),
    font: page("font", "sans-serif"),
    size: Math.round(FONT_SIZE * (element.classList.contains("svae-projector") ? 1.35 : 1)),
    faint: scene.faint[name],
    colourOf: (thing) => thing[name],
  };
}

/**
 * What all figures have in common.
 * @param {Theme} theme
 * @param {object} rest
 */
export function layoutOf(theme, rest) {
  return {
    font: { family: theme.font, size: theme.size, color: theme.text },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 8, r: 8, t: 8, b: 8 },
    showlegend: false,
    hoverlabel: { font: { size: theme.size } },
    ...rest,
  };
}

/**
 * An axis in the house style, with its title.
 * @param {Theme} theme
 * @param {string} title
 * @param {object} rest
 */
export function axisOf(theme, title, rest) {
  return {
    title: { text: title, standoff: 4, font: { size: theme.size } },
    gridcolor: theme.faint,
    linecolor: theme.faint,
    zeroline: false,
    ticks: "",
    fixedrange: true,
    automargin: true,
    tickfont: { size: theme.size - 1 },
    ...rest,
  };
}

/** How all figures behave. */
export const PLOT_CONFIG = {
  displayModeBar: false,
  doubleClick: "reset",
  // Plotly draws WebGL at twice the screen's resolution by itself; software drivers pay dearly.
  plotGlPixelRatio: Math.min(2, Math.max(1, globalThis.devicePixelRatio ?? 1)),
};

/**
 * Any CSS colour as #rrggbb: as the element's style takes it, and as a canvas paints it.
 * @param {string} colour
 * @param {HTMLElement} element
 */
function asHex(colour, element) {
  if (/^#[0-9a-f]{6}$/i.test(colour)) return colour;
  const probe = document.createElement("span");
  probe.style.color = colour;
  element.append(probe);
  const pen = penOf(document.createElement("canvas"));
  pen.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  pen.fillRect(0, 0, 1, 1);
  const pixel = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  return `#${pixel.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}
