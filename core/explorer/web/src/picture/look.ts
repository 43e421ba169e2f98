/* What lies over a picture, and which position of it is looked at. */
import { useState } from "preact/hooks";
import type { Dictionary, PicturePage } from "../data";
import { cellOf, firstGrid, type Position } from "./positions";
import type { Heat } from "./stage";

const MIDDLE: Position = { x: 0.5, y: 0.5 };

/* Whether two positions lie in the same cells of all layers, so that nothing changes between them. */
function sameCells(dictionaries: Dictionary[], first: Position, second: Position): boolean {
  return dictionaries.every((dictionary) => {
    const [a, b] = [cellOf(dictionary, first), cellOf(dictionary, second)];
    return a.row === b.row && a.column === b.column;
  });
}

export function useLook(page: PicturePage) {
  const [map, setMap] = useState<number | null>(null);
  const [shown, setShown] = useState<ReadonlySet<number>>(new Set());
  const [at, setAt] = useState<Position>(MIDDLE);
  const [pinned, setPinned] = useState(false);
  const [fresh, setFresh] = useState(true); // nobody has pointed at the picture yet
  const [grid, setGrid] = useState(() => firstGrid(page.dictionary));
  const [heat, setHeat] = useState<Heat | null>(null);
  const [place, setPlace] = useState<[number, number] | null>(null);
  const look = (position: Position) => {
    if (!sameCells(page.dictionary, at, position)) setAt(position);
    setFresh(false);
  };
  const pin = (position: Position) => {
    look(position);
    setPinned(true);
  };
  const toggle = (which: number) => {
    const next = new Set(shown);
    if (!next.delete(which)) next.add(which);
    setShown(next);
  };
  const looked = { at, fresh, pinned, look, pin, unpin: () => setPinned(false) };
  return { ...looked, map, setMap, shown, toggle, grid, setGrid, heat, setHeat, place, setPlace };
}
