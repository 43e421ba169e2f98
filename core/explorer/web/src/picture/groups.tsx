/* Groups of units that are active together on this picture: a mask each, its units, its effect on the prediction. */

import type { ConceptGroups } from "../data";
import { figure, percent } from "../figure";
import { useSite } from "../site";
import { UnitTile } from "../unit/unit_tile";
import { COLOURS } from "./stage";

interface Props {
  groups: ConceptGroups;
  shown: ReadonlySet<number>;
  toggle: (which: number) => void;
}

export function Groups({ groups, shown, toggle }: Props) {
  const name = useSite().layers[groups.layer]?.name;
  return (
    <section class="panel" id="groups">
      <h2>Concept groups</h2>
      <p class="fine">
        Units of {name} that are active at the same positions. Switch a group on to see where; its effect is what the
        predicted class loses without the group.
      </p>
      <div class="group-rows">
        {groups.groups.map((group, which) => (
          <div class="group" key={which}>
            <label>
              <input type="checkbox" checked={shown.has(which)} onChange={() => toggle(which)} />
              <i class="swatch" style={{ backgroundColor: COLOURS[which % COLOURS.length] }} />
              group {which + 1}
              {group.effect !== null && <span class="muted"> effect {figure(group.effect)}</span>}
            </label>
            <div class="tiles">
              {group.units.map(([unit, share]) => (
                <UnitTile key={unit} layer={groups.layer} unit={unit} size={48} note={percent(share)} />
              ))}
            </div>
          </div>
        ))}
      </div>
    </section>
  );
}
