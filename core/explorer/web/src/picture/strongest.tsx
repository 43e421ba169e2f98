/* The units that answer this picture most, layer by layer. */
import type { PicturePage, StrongUnit } from "../data";
import { figure } from "../figure";
import { InSight } from "../parts/in_sight";
import { href } from "../routes";
import { layerName, useSite } from "../site";
import { UnitTile } from "../unit/unit_tile";

interface Props {
  strongest: PicturePage["strongest"];
  show: (place: [number, number] | null) => void;
}

function about({ value, score }: StrongUnit): string {
  const against = score === null ? "" : `, ${figure(score)} standard deviations above its mean`;
  return `value ${figure(value)}${against}`;
}

function Row({ row, show }: { row: PicturePage["strongest"][number]; show: Props["show"] }) {
  const name = layerName(useSite(), row.layer);
  return (
    <div class="strong-row" data-layer={row.layer}>
      <h3>
        <a href={href.layer(row.layer)}>{name}</a>
      </h3>
      <InSight height={90}>
        {() => (
          <div class="tiles">
            {row.units.map((each) => (
              <UnitTile
                key={each.unit}
                layer={row.layer}
                unit={each.unit}
                size={52}
                title={about(each)}
                note={each.score === null ? figure(each.value) : `${figure(each.score)} σ`}
                onLook={(looked) => show(looked ? each.place : null)}
              />
            ))}
          </div>
        )}
      </InSight>
    </div>
  );
}

export function Strongest({ strongest, show }: Props) {
  const rows = strongest.filter(({ units }) => units.length > 0);
  if (!rows.length) return null;
  const scored = rows.some(({ units }) => units.some(({ score }) => score !== null));
  return (
    <section class="panel" id="strongest">
      <h2>Strongest units</h2>
      <p class="fine">
        {scored ? "In standard deviations above the unit's mean over the data (σ). " : "By value. "}
        Point at one to see where in the picture it is strongest. The deepest layer comes first.
      </p>
      <div class="strong-rows">
        {[...rows].reverse().map((row) => (
          <Row key={row.layer} row={row} show={show} />
        ))}
      </div>
    </section>
  );
}
