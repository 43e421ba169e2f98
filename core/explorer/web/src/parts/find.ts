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

const OF_WORD = /[\p{L}\p{N}]/u;

/* How well a text in small letters fits: 0 not at all; the whole text, a whole word, a word's beginning, anywhere. */
function fit(low: string, wanted: string[]): number {
  return Math.min(...wanted.map((word) => (low === word ? 4 : fitOf(low, word))));
}

function fitOf(low: string, word: string): number {
  let most = 0;
  for (let at = low.indexOf(word); at >= 0 && most < 3; at = low.indexOf(word, at + 1)) {
    const begins = at === 0 || !OF_WORD.test(low[at - 1]);
    const end = at + word.length;
    const ends = end === low.length || !OF_WORD.test(low[end]);
    most = Math.max(most, begins && ends ? 3 : begins ? 2 : 1);
  }
  return most;
}

/* The items that fit best, each with how well; of those that fit as well the shorter texts first. */
function best<T>(items: Iterable<T>, text: (item: T) => string, wanted: string[], most = MOST): [number, T][] {
  const fits: { how: number; length: number; item: T }[] = [];
  for (const item of items) {
    const low = text(item).toLowerCase();
    const how = fit(low, wanted);
    if (how) fits.push({ how, length: low.length, item });
  }
  fits.sort((a, b) => b.how - a.how || a.length - b.length);
  return fits.slice(0, most).map(({ how, item }) => [how, item]);
}

/* All that fits a query: kinds by what fits best in them. */
export function find(site: Site, query: string, names: Names): Hit[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return [];
  const kinds = [unitHits(site, wanted), layerHits(site, wanted), conceptHits(site, wanted, names), classHits(site, wanted)];
  return [...kinds, pictureHits(site, wanted, names)]
    .filter((hits) => hits.length)
    .sort((a, b) => b[0][0] - a[0][0])
    .flatMap((hits) => hits.map(([, hit]) => hit));
}

type Hits = [number, Hit][];

function layerHits(site: Site, wanted: string[]): Hits {
  return best(site.layers, (line) => `${line.name} ${line.kind} ${line.id}`, wanted).map(([how, line]) => {
    return [how, { kind: "Layer", text: line.name, note: `${line.kind}, ${shape(line.shape)}`, to: href.layer(line.id) }];
  });
}

function conceptHits(site: Site, wanted: string[], names: Names): Hits {
  return best(names.concepts?.concepts ?? [], ({ concept }) => concept, wanted).flatMap(([how, { concept, category, units }]) =>
    units.slice(0, 1).map(([layer, unit]): [number, Hit] => {
      const note = `${category}: unit ${unit} of ${layerName(site, layer)}`;
      return [how, { kind: "Concept", text: concept, note, to: href.unit(layer, unit) }];
    }),
  );
}

/* "blocks.3 12": unit 12 of layers whose names fit the rest. */
function unitHits(site: Site, wanted: string[]): Hits {
  const words = wanted.filter((word) => word !== "unit" && word !== "layer");
  const number = words.length > 1 ? words[words.length - 1] : "";
  if (!/^\d+$/.test(number)) return [];
  const unit = Number(number);
  const lines = site.layers.filter((line) => line.page && unit < line.units);
  return best(lines, (line) => `${line.name} ${line.kind} ${line.id}`, words.slice(0, -1), 4).map(([how, { id, name }]) => [
    how + 1,
    { kind: "Unit", text: `unit ${unit}`, note: name, to: href.unit(id, unit) },
  ]);
}

/* A class is a unit of the layer that ends the network, where that has a page. */
function classHits(site: Site, wanted: string[]): Hits {
  const output = outputLayer(site);
  return best(site.classes.keys(), (index) => site.classes[index], wanted).map(([how, index]) => {
    const to = output ? href.unit(output.id, index) : href.pictures({ class: index });
    return [how, { kind: "Class", text: className(site, index), note: `class ${index}`, to }];
  });
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

/* Pictures with a page come first among those that fit as well. */
function pictureHits(site: Site, wanted: string[], { ids, notes, texts }: Names): Hits {
  const fits: number[][] = [[], [], [], [], []];
  for (let index = 0; index < texts.length; index++) {
    const how = fit(texts[index], wanted);
    if (how) fits[how].push(index);
  }
  const found: Hits = [];
  for (const how of [4, 3, 2, 1]) {
    fits[how].sort((a, b) => texts[a].length - texts[b].length);
    const some = new Set([...fits[how].filter((index) => hasPage(site, index)), ...fits[how].slice(0, MOST)]);
    for (const index of some) {
      found.push([how, { kind: "Picture", text: ids[index], note: notes[index] || `picture ${index}`, to: href.picture(index) }]);
      if (found.length === MOST) return found;
    }
  }
  return found;
}
