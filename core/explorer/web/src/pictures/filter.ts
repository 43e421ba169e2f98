/* Which images of the data a reader asks for, and in which order. */
import type { ImageChunk, Site } from "../data";
import { lineOf, type ImageLine } from "../picture/images";

export interface Wanted {
  text: string; // part of the id, the label or the predicted class
  label: string; // "" for any
  predicted: string;
  only: "all" | "pages" | "wrong" | "failed";
  order: "pages" | "data" | "score" | "score_up"; // pages: those with a page of their own first
}

export const ALL: Wanted = { text: "", label: "", predicted: "", only: "all", order: "pages" };

/* Whether the answer is simply every image in the first order, for which no line has to be read. */
export function isAll(wanted: Wanted): boolean {
  return Object.entries(ALL).every(([key, value]) => wanted[key as keyof Wanted].trim() === value);
}

export function fits(line: ImageLine, wanted: Wanted, pages: ReadonlySet<number>): boolean {
  if (wanted.only === "pages" && !pages.has(line.index)) return false;
  if (wanted.only === "wrong" && !line.wrong) return false;
  if (wanted.only === "failed" && line.failure === null) return false;
  if (wanted.label && line.label !== wanted.label) return false;
  if (wanted.predicted && line.predicted !== wanted.predicted) return false;
  const text = wanted.text.trim().toLowerCase();
  return !text || `${line.id}\n${line.label}\n${line.predicted}`.toLowerCase().includes(text);
}

/* Every image, those with a page of their own first. */
export function everyImage(site: Site): number[] {
  const pages = new Set(site.pictures);
  return [...pages, ...Array.from({ length: site.images?.count ?? 0 }, (_, index) => index).filter((index) => !pages.has(index))];
}

/* The indices asked for among the chunks that were read. Images without a score come last in either order. */
export function chosen(site: Site, chunks: ImageChunk[], wanted: Wanted): number[] {
  const pages = new Set(site.pictures);
  const lines: ImageLine[] = [];
  for (const chunk of chunks) {
    for (let place = 0; place < chunk.ids.length; place++) {
      const line = lineOf(site, chunk, chunk.start + place);
      if (fits(line, wanted, pages)) lines.push(line);
    }
  }
  const sign = wanted.order === "score_up" ? 1 : -1;
  const rank = new Map(site.pictures.map((index, place) => [index, place]));
  const rankOf = ({ index }: ImageLine) => rank.get(index) ?? rank.size + index;
  if (wanted.order === "pages") lines.sort((a, b) => rankOf(a) - rankOf(b));
  else if (wanted.order !== "data") {
    lines.sort((a, b) => {
      if (a.score === null || b.score === null) return Number(a.score === null) - Number(b.score === null);
      return sign * (a.score - b.score) || a.index - b.index;
    });
  }
  return lines.map(({ index }) => index);
}
