/**
 * A view as a figure for a paper: the button in its corner. The server draws it, from the same
 * frames, as SVG; the browser makes a PNG of that.
 *
 * In pixels the figure is as on the screen, larger or smaller; in millimetres it is laid out for
 * that width, with type of 9 points.
 *
 * @import { Figure, Moment } from "./types"
 * @typedef {{ width: number, height: number, unit: "px" | "mm" }} Size
 */

import { make, setText } from "./dom.js";
import { DOWNLOAD, save } from "./download.js";
import { popover } from "./popover.js";

const PER_MILLIMETRE = 96 / 25.4; // pixels, by definition
const FLATTEST = 0.62; // height of a figure in millimetres for its width
const PRINTED = 300 / 96; // pixels of a PNG for each pixel of a figure in millimetres: 300 dpi

/**
 * A button with a panel that downloads a view, in light colours, at the moment shown.
 * @param {string} name  of the view
 * @param {() => { folder?: string, moment: Moment | null }} shown  where figures are, and what is shown
 * @param {() => Figure} look  what else decides how the view looks
 */
export function paperMenu(name, shown, look) {
  const sides = { width: side("Width"), height: side("Height") };
  const unit = make("select", { "aria-label": "Unit" }, make("option", {}, "px"), make("option", {}, "mm"));
  const trouble = make("p", { role: "alert" });
  /** @returns {Size} */
  const size = () => ({
    width: Number(sides.width.value),
    height: Number(sides.height.value),
    unit: unit.value === "mm" ? "mm" : "px",
  });
  const fill = () => {
    const pixel = unit.value === "mm" ? 1 / PER_MILLIMETRE : 1;
    sides.width.value = String(Math.round(look().width * pixel));
    fit();
  };
  const fit = () => {
    const width = Number(sides.width.value);
    sides.height.value = String(Math.round(width * proportion(look(), size().unit)));
  };
  unit.addEventListener("change", fill);
  sides.width.addEventListener("input", fit);
  /** @param {"svg" | "png"} kind */
  const draw = async (kind) => {
    setText(trouble, "");
    try {
      const { folder = "", moment } = shown();
      const step = String(moment?.step ?? -1);
      const file = await fetchFigure(`${folder}/${name}.svg`, { ...look(), step }, size());
      save(kind === "svg" ? file.svg : await rasterised(file.svg, size()), `${file.name}.${kind}`);
    } catch (error) {
      setText(trouble, error instanceof Error ? error.message : String(error));
    }
  };
  const buttons = /** @type {const} */ (["svg", "png"]).map((kind) => {
    const button = make("button", { type: "button", className: "svae-option" }, kind.toUpperCase());
    button.addEventListener("click", () => draw(kind));
    return button;
  });
  const face = make("span");
  face.innerHTML = DOWNLOAD;
  const about = { className: "svae-paper", label: "Download this figure, in light colours, as it is shown now" };
  const root = popover(about, face, make("div", {}, sides.width, "×", sides.height, unit), make("div", {}, ...buttons), trouble);
  root.addEventListener("toggle", () => root.open && fill());
  return root;
}

/**
 * How high a figure is for its width: as on the screen, but in millimetres, where names and legend
 * keep their size, not flatter than leaves room for what they are of.
 * @param {{ width: number, height: number }} seen
 * @param {Size["unit"]} unit
 */
export function proportion({ width, height }, unit) {
  return unit === "mm" ? Math.max(FLATTEST, height / width) : height / width;
}

/** @param {string} label */
function side(label) {
  return make("input", { type: "number", min: 1, max: 4000, "aria-label": label });
}

/**
 * The size at which the server lays a figure out, in pixels.
 * @param {Size} size  chosen
 * @param {{ width: number, height: number }} seen  on the screen
 */
export function layoutSize({ width, height, unit }, seen) {
  if (unit === "mm") return { width: width * PER_MILLIMETRE, height: height * PER_MILLIMETRE };
  return { width: seen.width, height: (seen.width * height) / width };
}

/**
 * @param {string} path
 * @param {Figure & { step: string }} look
 * @param {Size} size
 */
async function fetchFigure(path, { width, height, ...rest }, size) {
  if (!(size.width > 0 && size.height > 0)) throw new Error("Width and height must be numbers above 0.");
  const told = { ...rest, ...layoutSize(size, { width, height }), unit: size.unit };
  const query = new URLSearchParams(Object.entries(told).map(([key, value]) => [key, String(value)]));
  const answer = await fetch(`${path}?${query}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  const name = /filename="(.*)\.svg"/.exec(answer.headers.get("content-disposition") ?? "")?.[1];
  return { svg: new Blob([resized(text, size)], { type: "image/svg+xml" }), name: name ?? "figure" };
}

/**
 * The drawing as it is, in the size chosen: the viewBox stays.
 * @param {string} svg
 * @param {Size} size
 */
export function resized(svg, { width, height, unit }) {
  if (unit === "mm") return svg;
  return svg.replace(/ width="[^"]*" height="[^"]*"/, ` width="${width}" height="${height}"`);
}

/**
 * @param {Blob} svg
 * @param {Size} size
 */
async function rasterised(svg, { width, height, unit }) {
  const image = new Image();
  const address = URL.createObjectURL(svg);
  image.src = address;
  await image.decode();
  const canvas = make("canvas");
  const scale = unit === "mm" ? PER_MILLIMETRE * PRINTED : 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  /** @type {Promise<Blob | null>} */
  const made = new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const png = await made;
  if (!png) throw new Error("This browser cannot make a picture of that size.");
  return png;
}
