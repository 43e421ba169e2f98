/* Stands in for d3-transition, which d3-zoom asks for and the map, which never animates, has no use for (26 kB). */
import { selection } from "d3-selection";

export function interrupt(): void {}

(selection.prototype as unknown as { interrupt: () => unknown }).interrupt = function (this: unknown) {
  return this;
};
