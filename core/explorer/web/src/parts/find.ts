/* What a reader may look for: layers, units, classes, concepts, pictures; found by words in any order. */
import type { ConceptIndex, ImageChunk, LayerLine, Site } from "../data";
import { shape } from "../figure";
import { load } from "../load";
import { href } from "../routes";
import { className, hasPage, layerName } from "../site";

export interface Hit {
  kind: "Layer" | "Unit" | "Class" | "Concept" | "Picture";
  text: string;
  note: string;
  to: string;
}

const MOST = 7; // hits of a kind
const MOST_PICTURES = 100_000; // of which names are read

/* How well a text in small letters fits: 0 not at all; the whole text, its beginning, a word's beginning, anywhere. */
function fit(low: string, wanted: string[]): number {
  let worst = 4;
  for (const word of wanted) {
    const at = low.indexOf(word);
    if (at < 0) return 0;
    const found = low === word ? 4 : at === 0 ? 3 : /[\s._/:-]/.test(low[at - 1]) ? 2 : 1;
    worst = Math.min(worst, found);
  }
  return worst;
}

function best<T>(items: Iterable<T>, text: (item: T) => string, wanted: string[]): T[] {
  const found: [number, T][] = [];
  for (const item of items) {
    const how = fit(text(item).toLowerCase(), wanted);
    if (how) found.push([how, item]);
    if (how === 4 && found.length > 500) break;
  }
  return found
    .sort((a, b) => b[0] - a[0])
    .slice(0, MOST)
    .map(([, item]) => item);
}

/* All that fits a query, kind by kind. */
export function find(site: Site, query: string, names: Names): Hit[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return [];
  return [
    ...unitHits(site, wanted),
    ...best(site.layers, (line) => `${line.name} ${line.kind} ${line.id}`, wanted).map(layerHit),
    ...best(names.concepts?.concepts ?? [], ({ concept }) => concept, wanted).map(({ concept, category, units }) => ({
      kind: "Concept" as const,
      text: concept,
      note: `${category}, unit ${units[0]?.[1]} of ${layerName(site, units[0]?.[0])} first`,
      to: units.length ? href.unit(units[0][0], units[0][1]) : href.start(),
    })),
    ...classHits(site, wanted),
    ...pictureHits(site, wanted, names),
  ];
}

function layerHit(line: LayerLine): Hit {
  const to = line.page ? href.layer(line.id) : href.start({ layer: line.id });
  return { kind: "Layer", text: line.name, note: `${line.kind}, ${shape(line.shape)}`, to };
}

/* "blocks.3 12": unit 12 of layers whose names fit the rest. */
function unitHits(site: Site, wanted: string[]): Hit[] {
  const words = wanted.filter((word) => word !== "unit" && word !== "layer");
  const number = words.length > 1 ? words[words.length - 1] : "";
  if (!/^\d+$/.test(number)) return [];
  const unit = Number(number);
  const rest = words.slice(0, -1);
  const lines = site.layers.filter((line) => line.page && unit < line.units);
  return best(lines, (line) => `${line.name} ${line.kind} ${line.id}`, rest)
    .slice(0, 4)
    .map(({ id, name }) => ({ kind: "Unit", text: `unit ${unit}`, note: name, to: href.unit(id, unit) }));
}

/* A class is a unit of the layer that ends the network, where that has a page. */
function classHits(site: Site, wanted: string[]): Hit[] {
  const output = outputLayer(site);
  return best(site.classes.keys(), (index) => site.classes[index], wanted).map((index) => ({
    kind: "Class",
    text: className(site, index),
    note: `class ${index}`,
    to: output ? href.unit(output.id, index) : href.pictures({ class: index }),
  }));
}

export function outputLayer(site: Site): LayerLine | undefined {
  const count = site.classes.length;
  return [...site.layers].reverse().find((line) => line.page && line.units === count && count > 0);
}

/* Names of pictures and concepts, read when the first search begins. */
export interface Names {
  ids: string[]; // by index, as far as they are read
  notes: string[]; // the label, else the predicted class
  texts: string[]; // all that is searched, in small letters
  concepts: ConceptIndex | null;
}
export const noNames: Names = { ids: [], notes: [], texts: [], concepts: null };
let reading: Promise<void> | null = null;
const names: Names = { ids: [], notes: [], texts: [], concepts: null };

/* Reads them all, once; calls back after each part. */
export function readNames(site: Site, onMore: (names: Names) => void): Promise<void> {
  reading ??= readAll(site, onMore);
  onMore(names);
  return reading;
}

async function readAll(site: Site, onMore: (names: Names) => void): Promise<void> {
  if (site.concepts) names.concepts = await load<ConceptIndex>("concepts").catch(() => null);
  onMore(names);
  if (!site.images) return;
  const { count, chunk, labels } = site.images;
  for (let start = 0; start < Math.min(count, MOST_PICTURES); start += chunk) {
    const part = await load<ImageChunk>(`images/${start / chunk}`).catch(() => null);
    if (!part) return;
    part.ids.forEach((id, place) => {
      const [label, predicted] = [labels[part.label[place]] ?? "", site.classes[part.predicted[place]] ?? ""];
      names.ids.push(id);
      names.notes.push(label || predicted);
      names.texts.push(`${id} ${label} ${predicted}`.toLowerCase());
    });
    onMore(names);
  }
}

/* Pictures with a page come first among equals. */
function pictureHits(site: Site, wanted: string[], { ids, notes, texts }: Names): Hit[] {
  const fits: number[][] = [[], [], [], [], []];
  for (let index = 0; index < texts.length; index++) {
    const how = fit(texts[index], wanted);
    if (how) fits[how].push(index);
  }
  const found = fits.reverse().flatMap((some) => [...some.filter((index) => hasPage(site, index)), ...some.slice(0, MOST)]);
  return [...new Set(found)].slice(0, MOST).map((index) => ({
    kind: "Picture",
    text: ids[index],
    note: notes[index] || `picture ${index}`,
    to: href.picture(index),
  }));
}
