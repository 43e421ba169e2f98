/* The data of a site, as core/explorer writes it and the pages read it: one type for each kind of file in data/.

A file `data/KEY.js` is the line `crosslens.put("KEY", VALUE)`. Numbers that are not finite are null. A layer is named
by its `id`, its place in `Site.layers`; a unit by layer id and unit number, both from 0; a picture by its index in the
data. Pixels are data URLs. Text comes from strangers (file names, labels, layer names): it is only ever put into the
page as text. What is null or missing was not made; `Site.commands` says what makes it. */

export type Url = string;
export type LayerId = number;
export type UnitName = [LayerId, number];

/* Small pictures of one size in rows, the first at the upper left. */
export interface Sheet {
  image: Url;
  width: number; // of one picture, in pixels
  height: number;
  across: number; // pictures in a row
  count: number;
}

/* "site": what every page needs. */
export interface Site {
  title: string;
  version: string; // of crosslens
  model: {
    name: string;
    backend: string;
    input: (number | null)[]; // channels, height, width
    output: string;
    preprocess: string;
    parameters: number;
    flops: number | null; // a multiplication and an addition are two
  };
  data: { name: string; images: number; failed: number } | null;
  layers: LayerLine[]; // in execution order, the image first, the output last
  classes: string[]; // names; empty where classes have none
  thumbnails: { side: number; across: number; per_sheet: number } | null; // see "thumbnails/K"
  images: { count: number; chunk: number; labels: string[] } | null; // see "images/K"
  pictures: number[]; // indices of those with a page of their own, see "pictures/INDEX"
  concepts: boolean; // whether there is a "concepts"
  points: PointsLine[]; // see "points/K"; empty where none were made
  atlas: { layer: LayerId; cells: number }[]; // see "atlas/K"
  beside: [string, string] | null; // names of the two models, see "beside"
  estimate: string; // of the visualisations of all units: "about 3 hours for the other 2,900 units"; "" where unknown
  commands: Partial<Record<Missing, string>>; // what a user types to make what is missing
  notes: string[];
}
export type Missing = "units" | "layers" | "pictures" | "data" | "points" | "atlas" | "concepts" | "beside";

export interface LayerLine {
  id: LayerId;
  name: string;
  kind: string; // the framework's word: Conv2d, Relu
  shape: (number | null)[]; // of one image, channels first
  units: number; // 0 where the layer has none
  parameters: number;
  flops: number | null;
  dead: number | null; // units that were never above zero; null of a layer not rectified, or without statistics
  page: boolean; // whether there is a "layers/ID"
  pictured: number[]; // units with a "visualisations/LAYER/UNIT"
  attributed: number[]; // units with an "attributions/LAYER/UNIT"
}

/* "network": the graph of `Site.layers`. Groups fold: a node or group is drawn within its group once that is opened. */
export interface Network {
  reads: LayerId[][]; // by layer, those that it reads directly
  group_of: (number | null)[]; // by layer, the innermost group it lies in
  groups: Group[];
  notes?: string[]; // on layers of which the backend cannot tell what they read
}
export interface Group {
  title: string; // "blocks.3"
  parent: number | null;
  alike: number; // groups with the same number have the same structure: neighbours of one number fold into "x 3"
  parameters: number;
  flops: number | null;
  dead: number | null;
}

/* "layers/ID" */
export interface LayerPage {
  id: LayerId;
  looked_at: string; // the layer whose values examples and histograms are of, where that is another: before a rectifier
  figures: Record<string, number | null>; // mean, zeros, lifetime_sparsity, ...
  columns: Record<string, (number | boolean | string | null)[]>; // by name, one value a unit; numbers sort and filter
  units: Sheet | null; // a small picture of each unit
  shown: ("visualisation" | "example" | "")[]; // what that picture is, by unit
  filters: Filters | null;
  receptive_field: [number, number] | null; // height, width in pixels
  notes: string[];
}
export interface Filters {
  sheet: Sheet; // one a unit, in the order of units, or of `units`
  units: number[] | null;
  title: string; // what is shown: "7 x 7 kernels, in the colours of the image"
}

/* "units/LAYER/UNIT" */
export interface UnitPage {
  layer: LayerId;
  unit: number;
  statistics: Record<string, number | boolean | null>;
  examples: Examples | null;
  histogram: Histogram | null;
  before: Histogram | null; // of what the unit's rectifier reads
  concepts: Concept[]; // the best first
  nearest: Near[]; // units of the same layer whose kernels or answers are alike
  nearest_by: string;
  reads: Link[]; // units that this one reads, the largest weights first
  read_by: Link[]; // units that read this one
}
export interface Examples {
  crops: Sheet | null; // what the unit sees of each image; null where the images could not be read again
  by: string; // "activation" or "relevance"
  kinds: { kind: string; items: Example[] }[]; // "most", "slightly_positive", "slightly_negative", "least"
}
/* "visualisations/LAYER/UNIT" */
export interface Visualisations {
  positive: Url | null; // null where nothing excites the unit, `settings` says so
  negative: Url | null; // null too where no layer shows what the unit is before its rectifier
  diversity: Url[];
  values: { positive: number | null; negative: number | null }; // the unit's largest and least over all positions
  settings: string; // "112 px, 64 steps", and why a picture is missing
}
/* "attributions/LAYER/UNIT": for each of the unit's crops, at the same slot, what of it the unit used. */
export interface Attributions {
  sheet: Sheet | null; // null where the unit has no examples, or the network no gradient: `method` says why then
  method: string;
}
export interface Example {
  slot: number; // its place in `crops`
  image: number;
  value: number;
  place: [number, number] | null; // row, column in shares of the image, the middle of its position; null of vectors
  rectangle: [number, number, number, number]; // top, left, bottom, right in the model's input, in shares of its sides
}
export interface Histogram {
  edges: number[]; // one more than counts
  counts: number[];
}
export interface Concept {
  concept: string;
  category: string;
  iou: number;
  null_iou: number | null; // the same with the labels of other pictures
  detector: boolean;
}
export interface Near {
  unit: number;
  likeness: number; // -1 to 1
}
export interface Link {
  layer: LayerId;
  unit: number;
  weight: number; // signed where the kernel is one value, or its sum; see `norm`
  norm: number; // Euclidean norm of the kernel between the two; kernels that follow each other are multiplied
}

/* "pictures/INDEX" */
export interface PicturePage {
  index: number;
  image: Url;
  width: number;
  height: number;
  prediction: { class: number; name: string; score: number }[]; // the best first
  maps: { method: string; target: string; image: Url | null; note: string }[]; // drawn over the picture, of its size; null: why, in the note
  strongest: { layer: LayerId; units: StrongUnit[] }[];
  dictionary: Dictionary[]; // by layer
  groups: ConceptGroups | null;
  neighbours: { title: string; images: number[]; distances: number[] } | null;
}
export interface StrongUnit {
  unit: number;
  value: number;
  place: [number, number] | null; // row, column in shares of the picture, the middle of its position
  score: number | null; // value in deviations from the unit's mean over the data
}
export interface Dictionary {
  layer: LayerId;
  rows: number;
  columns: number;
  units: number[][]; // by position, row by row: the units that stand out there, the strongest first
  values: number[][];
  scores: number[][] | null; // in deviations from each unit's mean over the data, by which they are ordered; null where unknown
}
export interface ConceptGroups {
  layer: LayerId;
  groups: { map: Url; units: [number, number][]; effect: number | null }[]; // a veil over the picture in the group's
  // colour, transparent where it does not act; [unit, share]; what the predicted class loses without the group
}

/* "concepts": the units that a dissection found for each concept, for the search. */
export interface ConceptIndex {
  concepts: { concept: string; category: string; units: [LayerId, number, number][] }[]; // layer, unit, IoU; the best first
}

/* "images/K": what is known of the images K * chunk .. */
export interface ImageChunk {
  start: number;
  ids: string[];
  label: number[]; // place in Site.images.labels; -1 for none
  predicted: number[]; // class; -1 for none
  score: (number | null)[];
  failure: Record<string, string>; // by index, why an image could not be read
}

/* "thumbnails/K": those of the images K * per_sheet .., row by row. */
export interface Thumbnails {
  image: Url;
}

/* "points/K" */
export interface PointsLine {
  title: string; // the layer, or the checkpoint
  layer: LayerId | null;
  quality: Record<string, number>; // of a layout that was computed for the site, in `Points`
  notes: string[];
}
export interface Points {
  x: string; // base64 of little-endian float32, one an image; NaN where it could not be read
  y: string; // both within -1 .. 1, alike in all layouts, so that switching does not jump
  strongest: string | null; // base64 of little-endian uint16, `count` an image: its units that stand out, 65535 for none
  count: number;
  quality: Record<string, number>; // trustworthiness, neighbourhood_hit
  notes: string[];
}

/* "atlas/K" */
export interface Atlas {
  layer: LayerId;
  rows: number;
  columns: number;
  sheet: Sheet;
  cells: { row: number; column: number; count: number; classes: [string, number][]; images: number[] }[];
}

/* "beside": two models on the same images. */
export interface Beside {
  models: [string, string];
  verdict: string;
  layers: { a: string; b: string; a_id: LayerId; similarity: number }[]; // in execution order of the first model
  units: { pair: number; matches: [number, number, number][] }[]; // place in `layers`; unit of a, of b, correlation
  divergence: { text: string; rows: { a: string; b: string; error: number; added: number | null; fault: boolean }[] };
  methods: { method: string; figures: Record<string, number> }[];
  pictures: { title: string; image: Url; maps: { method: string; a: Url; b: Url; distance: number | null }[] }[];
}
