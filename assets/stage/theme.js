/** Colours and fonts: the page's from Streamlit's CSS variables, the data's from the scene. */

import { channels } from "./colour.js";

const FONT_SIZE = 14;

/** Light or dark, with the colours that figures need. */
export function themeOf(element, scene) {
  const style = getComputedStyle(element);
  const page = (name, fallback) => style.getPropertyValue(`--st-${name}`).trim() || fallback;
  const background = page("background-color", "#ffffff");
  const name = isDark(background) ? "dark" : "light";
  return {
    name,
    background,
    text: page("text-color", "#1f2328"),
    font: page("font", "sans-serif"),
    size: Math.round(FONT_SIZE * (element.classList.contains("svae-projector") ? 1.35 : 1)),
    faint: scene.faint[name],
    colourOf: (thing) => thing[name],
  };
}

/** What all figures have in common. */
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

/** An axis in the house style, with its title. */
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

// Plotly draws WebGL at twice the screen's resolution by itself; software drivers pay dearly.
const plotGlPixelRatio = Math.min(2, Math.max(1, window.devicePixelRatio));
export const QUIET = { displayModeBar: false, doubleClick: "reset", plotGlPixelRatio };

function isDark(colour) {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.fillStyle = colour;
  const [red, green, blue] = channels(canvas.fillStyle); // whatever it was, now #rrggbb
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}
