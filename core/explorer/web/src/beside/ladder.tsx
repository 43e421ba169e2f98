/* The layers of two models as two columns, and a line between each two that answer most alike. */
import type { Beside } from "../data";
import { figure } from "../figure";

const ROW = 22; // pixels

interface Props {
  beside: Beside;
  chosen: number; // place in `beside.layers`
  choose: (place: number) => void;
}

/* Names in the order in which they first appear, and by name the place. */
export function column(names: string[]): { names: string[]; place: Map<string, number> } {
  const each = [...new Set(names)];
  return { names: each, place: new Map(each.map((name, place) => [name, place])) };
}

export function Ladder({ beside, chosen, choose }: Props) {
  const { layers, models } = beside;
  const left = column(layers.map(({ a }) => a));
  const right = column(layers.map(({ b }) => b));
  const height = Math.max(left.names.length, right.names.length) * ROW;
  const middle = (place: number | undefined) => ((place ?? 0) + 0.5) * ROW;
  const side = (names: string[], which: "a" | "b") => (
    <ol class={`ladder-side ${which}`}>
      {names.map((name) => {
        const pair = layers.findIndex((row) => row[which] === name);
        return (
          <li key={name} style={{ height: `${ROW}px` }}>
            <button
              type="button"
              aria-pressed={layers[chosen]?.[which] === name}
              onClick={() => choose(pair)}
              title={name}
            >
              {name}
            </button>
          </li>
        );
      })}
    </ol>
  );
  return (
    <div class="ladder">
      <p class="ladder-head a">{models[0]}</p>
      <p class="ladder-head b">{models[1]}</p>
      {side(left.names, "a")}
      <svg
        viewBox={`0 0 100 ${height}`}
        preserveAspectRatio="none"
        style={{ height: `${height}px` }}
        role="img"
        aria-label={`Lines between layers of ${models[0]} and the most similar layers of ${models[1]}; the table below lists them`}
      >
        {layers.map((row, place) => (
          <line
            key={place}
            class={place === chosen ? "rung chosen" : "rung"}
            x1={0}
            x2={100}
            y1={middle(left.place.get(row.a))}
            y2={middle(right.place.get(row.b))}
            style={{ opacity: 0.15 + 0.85 * Math.min(Math.max(row.similarity, 0), 1) }}
            onClick={() => choose(place)}
          >
            <title>{`${row.a} and ${row.b}: ${figure(row.similarity)}`}</title>
          </line>
        ))}
      </svg>
      {side(right.names, "b")}
    </div>
  );
}
