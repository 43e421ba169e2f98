/* What is known of each image of the data: id, label, prediction, why it could not be read. */

import { useMemo } from "preact/hooks";
import type { ImageChunk, Site } from "../data";
import { useData } from "../load";
import { names } from "../points/images";
import { useSite } from "../site";

export interface ImageLine {
  index: number;
  id: string;
  label: string; // "" where there is none
  predicted: string;
  score: number | null;
  wrong: boolean; // predicted another class than the label names
  failure: string | null;
}

/* By label, the classes that it names; empty where it is no class's name. */
const named = new WeakMap<Site, Set<number>[]>();
export function classesOfLabels(site: Site): Set<number>[] {
  let found = named.get(site);
  if (!found) {
    const labels = site.images?.labels ?? [];
    found = labels.map((label) => new Set(site.classes.flatMap((name, number) => (names(label, name, number) ? [number] : []))));
    named.set(site, found);
  }
  return found;
}

/* One image of a chunk. A label that names no class is never wrong. */
export function lineOf(site: Site, chunk: ImageChunk, index: number): ImageLine {
  const place = index - chunk.start;
  const label = site.images?.labels[chunk.label[place]] ?? "";
  const guess = chunk.predicted[place] ?? -1;
  const predicted = guess < 0 ? "" : (site.classes[guess] ?? `class ${guess}`);
  const right = classesOfLabels(site)[chunk.label[place]];
  return {
    index,
    id: chunk.ids[place] ?? String(index),
    label,
    predicted,
    score: chunk.score[place] ?? null,
    wrong: right !== undefined && right.size > 0 && guess >= 0 && !right.has(guess),
    failure: chunk.failure[String(index)] ?? null,
  };
}

/* Null until it is loaded, and where there is no such image. */
export function useImage(index: number): ImageLine | null {
  const site = useSite();
  const within = site.images !== null && index >= 0 && index < site.images.count;
  const key = within ? `images/${Math.floor(index / site.images!.chunk)}` : null;
  const chunk = useData<ImageChunk>(key);
  return useMemo(() => (chunk ? lineOf(site, chunk, index) : null), [site, chunk, index]);
}
