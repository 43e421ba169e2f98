/* What a layer's page knows of each unit: columns that sort, filter and are drawn as histograms. */
import type { LayerLine, LayerPage } from "../data";
import { figure } from "../figure";
import { sorted, type Value } from "./sorting";

export type Column = (number | boolean | string | null)[];
export type Kind = "number" | "yes" | "text";

export interface Filters {
  text: string; // unit numbers and words of text columns
  yes: Record<string, boolean>; // columns that must be so
  from: number | null; // of the column that is sorted by
  to: number | null;
}
export const noFilters: Filters = { text: "", yes: {}, from: null, to: null };

export function kindOf(column: Column): Kind {
  const value = column.find((each) => each !== null);
  return typeof value === "number" ? "number" : typeof value === "boolean" ? "yes" : "text";
}

/* Columns by kind, in the order in which they came. */
export function columnsOf(page: LayerPage, kind: Kind): string[] {
  return Object.keys(page.columns).filter((name) => kindOf(page.columns[name]) === kind);
}

export function valueOf(page: LayerPage, name: string, unit: number): Value {
  return name === "unit" ? unit : page.columns[name]?.[unit];
}

/* Units that pass the filters, in order; `by` is "unit" or a column. */
export function chosenUnits(page: LayerPage, line: LayerLine, by: string, down: boolean, filters: Filters): number[] {
  const texts = columnsOf(page, "text");
  const wanted = filters.text.toLowerCase().split(/[\s,]+/).filter(Boolean);
  const numbers = wanted.length > 0 && wanted.every((word) => /^\d+(-\d+)?$/.test(word));
  const passes = (unit: number) => {
    if (numbers) return wanted.some((word) => within(unit, word));
    const text = texts.map((name) => page.columns[name][unit] ?? "").join(" ").toLowerCase();
    return wanted.every((word) => text.includes(word));
  };
  const inRange = (unit: number) => {
    if (filters.from === null && filters.to === null) return true;
    const value = valueOf(page, by, unit);
    return typeof value === "number" && value >= (filters.from ?? -Infinity) && value <= (filters.to ?? Infinity);
  };
  const units = Array.from({ length: line.units }, (_, unit) => unit).filter(
    (unit) =>
      (!wanted.length || passes(unit)) &&
      inRange(unit) &&
      Object.entries(filters.yes).every(([name, yes]) => Boolean(page.columns[name]?.[unit]) === yes),
  );
  return sorted(units, (unit) => valueOf(page, by, unit), down);
}

function within(unit: number, range: string): boolean {
  const [from, to] = range.split("-").map(Number);
  return to === undefined ? unit === from : unit >= from && unit <= to;
}

export function asText(value: Value): string {
  if (typeof value === "number") return figure(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value ?? "\u2013";
}

export interface Bins {
  from: number;
  to: number;
  counts: number[];
}

/* Equal bins over the finite values of a column. */
export function binned(values: Value[], bins = 32): Bins | null {
  const numbers = values.filter((value): value is number => typeof value === "number");
  if (numbers.length < 2) return null;
  const [from, to] = numbers.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  if (from === to) return null;
  const counts = new Array<number>(bins).fill(0);
  for (const value of numbers) counts[Math.min(bins - 1, Math.floor(((value - from) / (to - from)) * bins))]++;
  return { from, to, counts };
}
