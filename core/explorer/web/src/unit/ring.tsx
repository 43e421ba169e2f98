/* Where in a crop, or in the whole image, a unit has the example's value: a small ring. */

import type { Example } from "../data";

type Pair = [number, number]; // row, column

const LEAST = 1 / 3; // of the image: a smaller field is a few pixels, all of which are where the unit is strongest

/* Height and width of a layer's field in shares of the image: the largest of its examples, which no edge cuts. */
export function fieldOf(examples: Example[]): Pair {
  const sides = examples.map(({ rectangle: [top, left, bottom, right] }) => [bottom - top, right - left]);
  return [0, 1].map((axis) => Math.max(...sides.map((side) => side[axis]), 0)) as Pair;
}

/* Whether a crop is too small a part of the image for a ring. */
export function isSmall(field: Pair): boolean {
  return Math.max(...field) < LEAST;
}

/* The window of the image that a crop shows along an axis: of the field's length, beyond an edge that cuts the field. */
function windowOf(start: number, stop: number, field: number): Pair {
  if (field >= 0.999) return [0, 1];
  return start <= 0 && stop < field ? [stop - field, stop] : [start, start + field];
}

/* The place within the crop in shares of its sides; null where it is not known or says nothing.

`field` is null where the whole image stands there instead; `input` has channels, height and width. */
export function ringOf({ place, rectangle }: Example, field: Pair | null, input: (number | null)[]): Pair | null {
  if (!place || !field) return place ?? null;
  if (isSmall(field)) return null;
  const spans = [0, 1].map((axis) => windowOf(rectangle[axis], rectangle[axis + 2], field[axis]));
  const lengths = spans.map(([start, stop], axis) => (stop - start) * (input[axis + 1] ?? 1));
  const longest = Math.max(...lengths);
  const ring = spans.map(([start, stop], axis) => {
    const fills = lengths[axis] / longest; // the crop is a square, grey beside a longer window
    return (1 - fills) / 2 + (fills * (place[axis] - start)) / (stop - start);
  });
  return ring.every((share) => share >= 0 && share <= 1) ? (ring as Pair) : null;
}

export function Ring({ at: [row, column] }: { at: Pair }) {
  return <i class="ring" aria-hidden="true" style={{ top: `${100 * row}%`, left: `${100 * column}%` }} />;
}
