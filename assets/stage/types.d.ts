/** The shapes of messages, runs and views. The wire format is written by svae_core/stage/messages.py. */

import type { Recording } from "./frames";
import type { Colours } from "./colours";
import type { Selection } from "./selection";

/** Numbers of any shape in one block, the last axis varying fastest. */
export interface NumberArray {
  shape: number[];
  data: Float32Array;
}

export type Arrays = Record<string, NumberArray>;

/** One message; `header.kind` says which of the kinds below it is. */
export interface Message {
  header: any;
  arrays: Arrays;
}

export interface Point {
  x: number;
  y: number;
}

// ------------------------------------------------------------------ fixed before training

/** A thing's colour on a light and on a dark page, as #rrggbb. */
export interface Themed {
  light: string;
  dark: string;
}

export interface Cluster extends Themed {
  name: string;
  symbol: string;
}

/** What points are coloured by: groups, or a scale whose ends stand for two numbers. */
export interface Colouring {
  name: string;
  groups: Cluster[] | null;
  low: number;
  high: number;
  /** The number of each point's group, or its place on the scale from 0 to 1. */
  of: Float32Array;
  /** The number of each point's group, or of its colour on the scale. */
  slots: Uint16Array;
}

/** Images [few, height · width] of every `step`-th point, from 0 to 1. */
export interface SmallPictures {
  step: number;
  images: NumberArray;
}

/** One of the models that are trained side by side. */
export interface Member extends Themed {
  method: string;
  name: string;
  dash: string;
  symbol: string;
  /** βσ²/λ_max at the start. */
  gauge: number;
}

export interface LessonQuestion {
  title: string;
  question: string;
  options: string[];
  /** What the viewer is to do once the run waits for it; "" where there is nothing. */
  act: string;
  /** What to try after the reveal. */
  drag: string;
  /** Whether results are hidden before the prediction; else levers are locked. */
  hides: boolean;
  next: { title: string; query: Record<string, string> } | null;
}

export interface Scene {
  data: string;
  /** Inner and outer radius of the shell. */
  radii: [number, number];
  /** Height and width where the data are images. */
  image: [number, number] | null;
  /** What the numbers of a picture stand for, where the data are sequences. */
  symbols?: string[];
  features: string[];
  band: string;
  /** The largest variances λ of the data, as many as there are latent dimensions; falling. */
  variances: number[];
  /** The losses W and δ, between which the band's edges are fractions; null: it holds no model. */
  handles: { within: number; delta: number } | null;
  lesson: LessonQuestion | null;
  members: Member[];
  clusters: Cluster[];
  /** What points can be coloured by, the clusters first; absent in recordings of before. */
  colours?: string[];
  /** The colours of a number, from its lowest value to its highest. */
  scale: { light: string[]; dark: string[] };
  /** The same for all runs that show the same points. */
  key?: string;
  look: Record<"delta" | "band" | "W", Themed>;
  ink: Themed;
  faint: Themed;
  /** points [n, 3], labels [n], originals [few, d]. */
  arrays: Arrays;
}

// ------------------------------------------------------------------ one moment of training

/** What may be changed while a run is trained. */
export interface RunSettings {
  sigma2: number;
  beta: number;
  /** Edges of the band as fractions of the way from W to δ. */
  band: [number, number];
  lower_edge: boolean;
}

/** A model's numbers at one moment; losses are summed squared errors, KL is in nats. */
export interface ModelNumbers {
  loss: number;
  delta: number;
  lo: number;
  hi: number | null;
  kl: number;
  kl_per_dim: number[];
  active: boolean[];
  structure: number | null;
  sentence: string;
  gauge?: number;
}

export interface Moment {
  index: number;
  step: number;
  epoch: number;
  /** The settings in force then. */
  then: RunSettings;
  models: ModelNumbers[];
  /** [models, n, 3]; absent until the moment was asked for by its index. */
  shells?: NumberArray;
  /** [models, few, d]. */
  pictures?: NumberArray;
}

/** The numbers that are kept of every moment. */
export interface Row {
  step: number;
  models: { loss: number; kl: number; klPerDim: Float32Array }[];
}

/** The latent means in two dimensions; arrays are named layout0, layout1, … [n, 2]. */
export interface Layout {
  number: number;
  step: number;
  models: { kind: string; sentence: string }[];
  arrays: Arrays;
}

export interface Remark {
  step: number;
  sentence: string;
  /** start | change | unborn | died | woke | entered | left | collapsed | recovered | diverged */
  kind: string;
  /** Index of the model, −1 for all. */
  model: number;
  /** Counted from 1; −1 where the remark is on no dimension. */
  dimension: number;
}

/** One run in the tree of runs that branched off one another. */
export interface TreeNode {
  run: string;
  parent: string | null;
  step: number;
  what: string;
  changes: { step: number; what: string }[];
  query: Record<string, string | null>;
  here: boolean;
}

export interface LessonState {
  /** This viewer's own; null before there is one. */
  prediction: number | null;
  /** Whether it is too late to predict. */
  closed: boolean;
  reveal: string | null;
  /** In a class: whether this viewer leads it … */
  leads?: boolean;
  /** … could reveal what came true … */
  known?: boolean;
  /** … and how many chose each option, where that is to be seen. */
  tally?: number[] | null;
  followers?: number;
}

/** What was measured on a trained model; see svae_core/records.py. */
export interface CertificateNumbers {
  seed: number;
  epochs: number;
  loss: number;
  loss_margin: number;
  draws: number;
  delta: number;
  delta_definition: string;
  lo: number;
  hi: number;
  in_band: boolean;
  kl: number;
  kl_per_dim: number[];
  active_units: number;
  mutual_information: number;
  /** Missing of runs kept before it was measured. */
  mutual_information_error?: number | null;
  mi_ceiling: number;
  floors: { elementary: number; proved: number; tight: number };
  gauge: number;
  /** Λ* of an autoregressive decoder; null or missing of others. */
  prefix_edge?: number | null;
  /** Where points are one-hot sequences: squared errors in the data's own units. */
  sequences?: { brier: number; brier_constant: number; wrong: number; hard: number; length: number } | null;
  verdict: string;
  sentence: string;
  n_points: number;
}

/** A model's forecast; see svae_core/certificate/residual_spectrum.py. */
export interface ForecastNumbers {
  sentence: string;
  latents: string;
  birth_below: number | null;
  birth_resolved: boolean;
}

/** What copies of a run did; see svae_core/clinic/moved_copies.py. */
export interface TriedNumbers {
  sentence: string;
  birth_below: number | null;
  birth_resolved: boolean;
}

/** What is next, by model; null where a model has no forecast. */
export interface OutlookNumbers {
  step: number;
  models: (ForecastNumbers | null)[];
  /** Whether copies are being trained, and from which step. */
  trying: boolean;
  triedStep: number;
  tried: (TriedNumbers | null)[];
}

// ---------------------------------------------------------------------- a point followed

/** A viewed point, with some coordinates set by the viewer, or a drawing or a text instead of it. */
export interface Followed {
  follow: number;
  /** Value by coordinate, before the map onto the shell. */
  changes?: Record<number, number>;
  /** Lines through x, y, x, y, … on a pad from 0 to 1. */
  strokes?: number[][];
  /** Of sequences. */
  text?: string;
}

/** Of the models at this step, or the newest; `asked` numbers the question, `seed` the draws. */
export interface FollowQuestion extends Followed {
  step?: number;
  seed: number;
  asked: number;
}

/** What one model makes of it; see svae_core/latent/results.py. */
export interface FollowedModel {
  near: number[];
  near_labels: string[];
  kl: number | null;
  loss: number | null;
  spread: number | null;
  shift: number | null;
  sentence: string;
}

// ----------------------------------------------------------------- where moments come from

export interface Receiver {
  /** Called at the first connection and at every one after it. */
  open(): void;
  message(message: Message): void;
  /** A sentence to show, or null where all is well again; `ended`: nothing comes any more. */
  trouble(sentence: string | null, ended?: boolean): void;
}

/** A server (socket.js) or a file (archive.js). */
export interface MomentSource {
  ask(request: { want: string | number; [known: string]: unknown }): void;
  command(verb: string, rest?: object): void;
  /** Ask for a point's way through the models; false where there is no server to ask. */
  follow(question: FollowQuestion): boolean;
  /** Ask how points look: `{ colour: 3 }` or `{ small: 1 }`. */
  look(request: object): void;
  close(): void;
}

// --------------------------------------------------------------------------------- views

/** Colours and fonts of the page at present. */
export interface Theme {
  name: "light" | "dark";
  background: string;
  text: string;
  font: string;
  size: number;
  faint: string;
  colourOf(thing: Themed): string;
}

/** What a view is given to work with. */
export interface ViewContext {
  scene: Scene;
  theme: Theme;
  recording: Recording;
  selection: Selection;
  colours: Colours;
  /** Ask for a point's way through the models; false where there is no server to ask. */
  follow(question: FollowQuestion): boolean;
  /** Other settings from the moment shown on. */
  alter(changes: Partial<RunSettings>): void;
  /** Have copies of the run find what is born and what dies next. */
  tryNearby(): void;
}

/** A part of the run that a view may need; painter.js says how each is looked up. */
export type Need =
  | "moment"
  | "models"
  | "shells"
  | "pictures"
  | "rows"
  | "remarks"
  | "layout"
  | "floors"
  | "band"
  | "settings"
  | "outlook"
  | "certificates";

/** What a view's file declares of it. */
export interface Declaration {
  /** Views stand on the board by rising order. */
  order: number;
  /** A title makes the view a figure. */
  title?: string;
  /** How many of the board's twelve columns it takes. */
  span: number;
  /** A CSS length; without it the view is as high as its content. */
  height?: string;
  /** Where in the story, which fits on one screen: with the models, or beside them; else below it. */
  place?: "models" | "levers";
  /** Its elements, one of each model, stand side by side. */
  columns?: boolean;
  /** It is drawn when one of these has changed, and not before all are there. */
  needs: Need[];
  /** Drawn at once and together with all lively views; others take turns. */
  lively?: boolean;
  /** Made once Plotly.js is there; the others are drawn before. */
  plotly?: boolean;
  /** The server draws it as a figure for papers, too: svae_core/figures/papers. */
  paper?: boolean;
  /** Left out in big type, where a class follows together. */
  handout?: boolean;
  /** Shows the data while a prediction is waited for. */
  early?: boolean;
  /** Its own rules; & stands for the view's class. */
  styles?: string;
}

/** How a figure for a paper is to look, and its size on the screen in pixels. */
export interface Figure {
  width: number;
  height: number;
  [name: string]: number | string;
}

export interface View {
  /** What else decides how it looks as a figure for a paper. */
  figure?(): Record<string, number | string>;
  /** Draw this moment; true where that was enough work for one animation frame. */
  draw(moment: Moment): boolean | void;
  /** Its place has another size. */
  resize(theme: Theme): void;
  /** The page has other colours. */
  recolour(theme: Theme): void;
  dispose(): void;
  /** What the models make of the point followed has arrived. */
  showFollowed?(message: Message): void;
}

export interface ViewModule {
  declaration: Declaration;
  default: new (element: HTMLElement, context: ViewContext) => View;
}

// -------------------------------------------------------------------------------- Plotly

/** An element that holds a Plotly figure, as far as views use it. */
export interface PlotlyElement extends HTMLElement {
  data?: any;
  _fullLayout?: any;
}

declare global {
  const Plotly: {
    newPlot(element: HTMLElement, data: object[], layout: object, config?: object): unknown;
    react(element: HTMLElement, data: object[], layout: object, config?: object): unknown;
    update(element: HTMLElement, data: object, layout: object): unknown;
    purge(element: HTMLElement): void;
  };
}
