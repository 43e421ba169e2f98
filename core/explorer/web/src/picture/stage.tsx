/* The picture, large, with what lies over it: a map, masks of concepts, where a unit stands out, the marked cell. */

import type { ConceptGroups, Dictionary, PicturePage } from "../data";
import { cellOf, moved, type Position } from "./positions";

export interface Heat {
  rows: number;
  columns: number;
  values: (number | null)[];
}

interface Props {
  page: PicturePage;
  alt: string;
  map: { image: string; alt: string } | null; // drawn instead of the picture
  masks: { image: string; colour: string }[];
  grid: Dictionary | null; // whose cells are marked
  at: Position | null;
  pinned: boolean;
  fresh: boolean; // nobody has pointed at the picture yet
  heat: Heat | null;
  place: [number, number] | null; // row, column in shares, of a unit that is looked at
  look: (at: Position) => void;
  pin: (at: Position) => void;
  unpin: () => void;
}

function positionOf(event: MouseEvent): Position {
  const box = (event.currentTarget as Element).getBoundingClientRect();
  const share = (value: number) => Math.min(Math.max(value, 0), 0.999999);
  return { x: share((event.clientX - box.left) / box.width), y: share((event.clientY - box.top) / box.height) };
}

function HeatCells({ heat }: { heat: Heat }) {
  const there = heat.values.filter((value) => value !== null);
  const [lowest, highest] = [Math.min(...there), Math.max(...there)];
  const strength = (value: number) => (highest > lowest ? (value - lowest) / (highest - lowest) : 1);
  return (
    <svg class="heat" viewBox={`0 0 ${heat.columns} ${heat.rows}`} preserveAspectRatio="none" aria-hidden="true">
      {heat.values.map((value, place) =>
        value !== null ? (
          <rect
            key={place}
            x={place % heat.columns}
            y={Math.floor(place / heat.columns)}
            width={1}
            height={1}
            opacity={0.2 + 0.55 * strength(value)}
          />
        ) : null,
      )}
    </svg>
  );
}

function MarkedCell({ grid, at, pinned }: { grid: Dictionary; at: Position; pinned: boolean }) {
  const { row, column } = cellOf(grid, at);
  const style = {
    left: `${(100 * column) / grid.columns}%`,
    top: `${(100 * row) / grid.rows}%`,
    width: `${100 / grid.columns}%`,
    height: `${100 / grid.rows}%`,
  };
  return <i class={pinned ? "cell pinned" : "cell"} style={style} />;
}

export function Stage(props: Props) {
  const { page, alt, map, masks, grid, at, pinned, fresh, heat, place, look, pin, unpin } = props;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") return unpin();
    if (!grid || !at) return;
    const next = event.key === "Enter" || event.key === " " ? at : moved(grid, at, event.key);
    if (!next) return;
    event.preventDefault();
    pin(next);
  };
  const live = grid !== null;
  return (
    <div
      class={live ? "stage live" : "stage"}
      style={{ aspectRatio: `${page.width} / ${page.height}` }}
      tabIndex={live ? 0 : undefined}
      data-keys
      role={live ? "application" : undefined}
      aria-label={live ? "The picture; arrow keys move the marked position, Escape releases it" : undefined}
      onPointerMove={(event) => live && !pinned && event.pointerType !== "touch" && look(positionOf(event))}
      onClick={(event) => live && pin(positionOf(event))}
      onKeyDown={onKeyDown}
    >
      <img class="picture" src={page.image} alt={alt} />
      {map && <img class="map" src={map.image} alt={map.alt} />}
      {masks.map(({ image, colour }, which) => (
        <i class="mask" key={which} style={{ maskImage: `url("${image}")`, backgroundColor: colour }} />
      ))}
      {heat && <HeatCells heat={heat} />}
      {grid && at && <MarkedCell grid={grid} at={at} pinned={pinned} />}
      {live && fresh && (
        <span class="hint" aria-hidden="true">
          <span class="with-mouse">move over the picture</span>
          <span class="with-finger">tap the picture</span>
        </span>
      )}
      {place && <i class="place" style={{ top: `${100 * place[0]}%`, left: `${100 * place[1]}%` }} />}
    </div>
  );
}

/* One colour a group, told apart on light and on dark pictures and by readers who mix up red and green. */
export const COLOURS = ["#e69f00", "#56b4e9", "#d55e00", "#009e73", "#f0e442", "#cc79a7", "#0072b2", "#ffffff"];

export function masksOf(groups: ConceptGroups | null, shown: ReadonlySet<number>): Props["masks"] {
  const made = groups?.groups ?? [];
  return [...shown]
    .filter((which) => which < made.length)
    .map((which) => ({
      image: made[which].map,
      colour: COLOURS[which % COLOURS.length],
    }));
}
