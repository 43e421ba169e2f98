/* Units of two aligned layers, matched by the correlation of their values. */
import { useState } from "preact/hooks";
import type { Beside } from "../data";
import { figure, plural } from "../figure";
import { UnitTile } from "../unit/unit_tile";

const FIRST = 48; // pairs that are shown until all are asked for

interface Props {
  beside: Beside;
  chosen: number; // place in `beside.layers`
  choose: (place: number) => void;
}

function Choice({ beside, chosen, choose }: Props) {
  const listed = [...new Set([...beside.units.map(({ pair }) => pair), chosen])].sort(
    (first, second) => first - second,
  );
  return (
    <select
      aria-label="Two layers"
      value={String(chosen)}
      onChange={(event) => choose(Number(event.currentTarget.value))}
    >
      {listed.map((place) => (
        <option value={String(place)} key={place}>
          {`${beside.layers[place]?.a} – ${beside.layers[place]?.b}`}
        </option>
      ))}
    </select>
  );
}

export function Matched({ beside, chosen, choose }: Props) {
  const { layers, models, units } = beside;
  const [all, setAll] = useState(false);
  const pair = layers[chosen];
  if (!units.length || !pair) return null;
  const matches = units.filter((row) => row.pair === chosen).flatMap((row) => row.matches);
  const sorted = [...matches].sort((first, second) => second[2] - first[2]);
  const shown = all ? sorted : sorted.slice(0, FIRST);
  return (
    <section class="panel" id="matched">
      <h2>Matched units</h2>
      <Choice beside={beside} chosen={chosen} choose={choose} />
      <p class="fine">
        {pair.a} of {models[0]} and {pair.b} of {models[1]}:{" "}
        {matches.length
          ? `${plural(matches.length, "pair")}, by the correlation of their values.`
          : "no units were matched."}
      </p>
      <div class="tiles">
        {shown.map(([a, b, correlation]) => (
          <UnitTile
            key={`${a}/${b}`}
            layer={pair.a_id}
            unit={a}
            title={`matched with unit ${b} of ${models[1]}, correlation ${figure(correlation)}`}
            note={
              <>
                ↔ {b} <small class="muted">{figure(correlation)}</small>
              </>
            }
          />
        ))}
      </div>
      {shown.length < sorted.length && (
        <button type="button" onClick={() => setAll(true)}>
          show all {plural(sorted.length, "pair")}
        </button>
      )}
    </section>
  );
}
