/* Positions of a picture in shares of its sides, and the cell of a layer's grid that a position lies in. */

import type { Dictionary } from "../data";

export interface Position {
  x: number; // 0 at the left, 1 at the right
  y: number; // 0 at the top, 1 at the bottom
}

export interface Cell {
  row: number;
  column: number;
}

function within(share: number, count: number): number {
  return Math.min(Math.max(Math.floor(share * count), 0), count - 1);
}

export function cellOf({ rows, columns }: { rows: number; columns: number }, at: Position): Cell {
  return { row: within(at.y, rows), column: within(at.x, columns) };
}

export interface Standing {
  unit: number;
  value: number;
  score: number | null; // value in deviations from the unit's mean over the data
}

/* The units that stand out at a position, the strongest first. */
export function unitsAt(dictionary: Dictionary, at: Position): Standing[] {
  const { row, column } = cellOf(dictionary, at);
  const place = row * dictionary.columns + column;
  return (dictionary.units[place] ?? []).map((unit, rank) => ({
    unit,
    value: dictionary.values[place][rank],
    score: dictionary.scores?.[place]?.[rank] ?? null,
  }));
}

/* By position the unit's value, where it stands out there; null elsewhere. */
export function valuesOf(dictionary: Dictionary, unit: number): (number | null)[] {
  return dictionary.units.map((units, place) => {
    const rank = units.indexOf(unit);
    return rank < 0 ? null : dictionary.values[place][rank];
  });
}

/* The middle of the neighbouring cell in a direction; the same cell at the border. */
export function moved(
  { rows, columns }: { rows: number; columns: number },
  at: Position,
  key: string,
): Position | null {
  const steps: Record<string, [number, number]> = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
  };
  const step = steps[key];
  if (!step) return null;
  const { row, column } = cellOf({ rows, columns }, at);
  const down = Math.min(Math.max(row + step[0], 0), rows - 1);
  const right = Math.min(Math.max(column + step[1], 0), columns - 1);
  return { x: (right + 0.5) / columns, y: (down + 0.5) / rows };
}

/* The layer whose grid is marked first: the deepest with a grid that a reader can point into. */
export function firstGrid(dictionaries: Dictionary[]): number {
  const fine = dictionaries.map(({ rows, columns }) => Math.min(rows, columns) >= 7);
  return fine.includes(true) ? fine.lastIndexOf(true) : dictionaries.length - 1;
}
