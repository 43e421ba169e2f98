/* Units of two aligned layers, matched by the correlation of their answers. */
import type { Beside } from "../data";
import { figure, plural } from "../figure";
import { UnitTile } from "../unit/unit_tile";

interface Props {
  beside: Beside;
  chosen: number; // place in `beside.layers`
  choose: (place: number) => void;
}

export function Matched({ beside, chosen, choose }: Props) {
  const { layers, models, units } = beside;
  if (!units.length) return null;
  const pair = layers[chosen];
  const matches = units.filter((row) => row.pair === chosen).flatMap((row) => row.matches);
  return (
    <section class="panel" id="matched">
      <header class="row spread">
        <h2>Units that answer alike</h2>
        <select
          aria-label="Two layers"
          value={String(chosen)}
          onChange={(event) => choose(Number(event.currentTarget.value))}
        >
          {layers.map((row, place) => (
            <option value={String(place)} key={place}>{`${row.a} – ${row.b}`}</option>
          ))}
        </select>
      </header>
      <p class="fine">
        {pair && `${pair.a} of ${models[0]} and ${pair.b} of ${models[1]}: `}
        {matches.length ? `${plural(matches.length, "pair")}, by the correlation of their values.` : "no units were matched."}
      </p>
      <div class="tiles">
        {[...matches]
          .sort((first, second) => second[2] - first[2])
          .map(([a, b, correlation]) => (
            <UnitTile
              key={`${a}/${b}`}
              layer={pair.a_id}
              unit={a}
              title={`unit ${a} of ${models[0]}, unit ${b} of ${models[1]}: correlation ${figure(correlation)}`}
              note={
                <>
                  ↔ {b} <small class="muted">{figure(correlation)}</small>
                </>
              }
            />
          ))}
      </div>
    </section>
  );
}
