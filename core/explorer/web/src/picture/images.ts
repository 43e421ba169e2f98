/* What is known of each image of the data: id, label, prediction, why it could not be read. */

import { useMemo } from "preact/hooks";
import type { ImageChunk, Site } from "../data";
import { useData } from "../load";
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

/* One image of a chunk. Names of labels and classes are compared; a label that is no class is never wrong. */
export function lineOf(site: Site, chunk: ImageChunk, index: number): ImageLine {
  const place = index - chunk.start;
  const label = site.images?.labels[chunk.label[place]] ?? "";
  const guess = chunk.predicted[place] ?? -1;
  const predicted = guess < 0 ? "" : (site.classes[guess] ?? `class ${guess}`);
  const named = site.classes.includes(label);
  return {
    index,
    id: chunk.ids[place] ?? String(index),
    label,
    predicted,
    score: chunk.score[place] ?? null,
    wrong: named && predicted !== "" && predicted !== label,
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
