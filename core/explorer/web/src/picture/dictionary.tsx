/* The semantic dictionary: the units that stand out at the marked position of the picture, layer by layer. */

import type { Dictionary } from "../data";
import { figure } from "../figure";
import { href } from "../routes";
import { useSite } from "../site";
import { UnitTile } from "../unit/unit_tile";
import { cellOf, unitsAt, valuesOf, type Position } from "./positions";
import type { Heat } from "./stage";

const TILE = 72;

interface Props {
  dictionaries: Dictionary[];
  at: Position;
  pinned: boolean;
  grid: number; // the place of the layer whose cell is marked
  choose: (grid: number) => void;
  show: (heat: Heat | null) => void;
  unpin: () => void;
}

function LayerRow(props: {
  dictionary: Dictionary;
  at: Position;
  chosen: boolean;
  choose: () => void;
  show: Props["show"];
}) {
  const { dictionary, at, chosen, choose, show } = props;
  const { layer, rows, columns } = dictionary;
  const { row, column } = cellOf(dictionary, at);
  const units = unitsAt(dictionary, at);
  const name = useSite().layers[layer]?.name ?? String(layer);
  return (
    <section class={chosen ? "dictionary-row chosen" : "dictionary-row"} data-layer={layer}>
      <header class="row spread">
        <h3>
          <a href={href.layer(layer)}>{name}</a>
        </h3>
        <button
          type="button"
          aria-pressed={chosen}
          onClick={choose}
          title="mark the cells of this layer in the picture"
        >
          row {row + 1}, column {column + 1} of {rows} × {columns}
        </button>
      </header>
      <div class="tiles">
        {units.map(({ unit, value, score }) => (
          <UnitTile
            layer={layer}
            unit={unit}
            key={unit}
            size={TILE}
            note={score === null ? figure(value) : `${figure(score)} σ`}
            title={`value ${figure(value)} here; the picture shows where else it stands out`}
            onLook={(looked) => {
              if (looked) choose();
              show(looked ? { rows, columns, values: valuesOf(dictionary, unit) } : null);
            }}
          />
        ))}
        {units.length === 0 && <p class="fine">no unit stands out here</p>}
      </div>
    </section>
  );
}

/* What a screen reader says of a held position. */
function spoken(dictionary: Dictionary, at: Position): string {
  const { row, column } = cellOf(dictionary, at);
  const units = unitsAt(dictionary, at).map(({ unit }) => unit);
  return `Row ${row + 1}, column ${column + 1}: ${units.length ? `units ${units.join(", ")}` : "no unit"}`;
}

export function DictionaryView({ dictionaries, at, pinned, grid, choose, show, unpin }: Props) {
  return (
    <section class="panel dictionary" id="dictionary">
      <header class="row spread">
        <h2>What stands out here</h2>
        {pinned && (
          <button type="button" onClick={unpin} title="Escape">
            release the position
          </button>
        )}
      </header>
      <p class="fine">
        {pinned
          ? "The position is held. Point at a unit to see where else in the picture it stands out; click to open its page."
          : "Move over the picture, or tap it: the units furthest above their mean at that position, the deepest layer first. Click to hold a position."}
        {dictionaries.some(({ scores }) => scores) && " In standard deviations above the unit's mean over the data (σ)."}
      </p>
      <p class="unseen" role="status">
        {pinned && spoken(dictionaries[grid], at)}
      </p>
      <div class="dictionary-rows">
        {dictionaries
          .map((dictionary, place) => (
            <LayerRow
              key={dictionary.layer}
              dictionary={dictionary}
              at={at}
              chosen={place === grid}
              choose={() => choose(place)}
              show={show}
            />
          ))
          .reverse()}
      </div>
    </section>
  );
}
