/* The units that answer this picture most, layer by layer. */

import type { PicturePage, StrongUnit } from "../data";
import { figure } from "../figure";
import { href } from "../routes";
import { useSite } from "../site";
import { UnitTile } from "../unit/unit_tile";

interface Props {
  strongest: PicturePage["strongest"];
  show: (place: [number, number] | null) => void;
}

function about({ value, score }: StrongUnit): string {
  const against = score === null ? "" : `, ${figure(score)} standard deviations above its mean`;
  return `value ${figure(value)}${against}`;
}

export function Strongest({ strongest, show }: Props) {
  const { layers } = useSite();
  if (!strongest.length) return null;
  const scored = strongest.some(({ units }) => units.some(({ score }) => score !== null));
  return (
    <section class="panel" id="strongest">
      <h2>Strongest units</h2>
      <p class="fine">
        {scored
          ? "In standard deviations from the unit's mean over the data. "
          : "By value. "}
        Point at one to see where in the picture it is strongest.
      </p>
      <div class="strong-rows">
        {[...strongest].reverse().map(({ layer, units }) => (
        <div class="strong-row" key={layer} data-layer={layer}>
          <h3>
            <a href={href.layer(layer)}>{layers[layer]?.name}</a>
          </h3>
          <div class="tiles">
            {units.map((row) => (
              <UnitTile
                key={row.unit}
                layer={layer}
                unit={row.unit}
                size={52}
                title={`${layers[layer]?.name}, unit ${row.unit}: ${about(row)}`}
                note={row.score === null ? figure(row.value) : `${figure(row.score)} σ`}
                onLook={(looked) => show(looked ? row.place : null)}
              />
            ))}
          </div>
        </div>
      ))}
      </div>
    </section>
  );
}
