/* Units that are like this one, those that it reads and those that read it. */

import type { LayerId, Link, Near } from "../data";
import { figure, words } from "../figure";
import { UnitTile } from "./unit_tile";

export function Nearest({ layer, nearest, by }: { layer: LayerId; nearest: Near[]; by: string }) {
  if (!nearest.length) return null;
  return (
    <section class="panel" id="nearest">
      <h2>Nearest units</h2>
      <p class="fine">of the same layer{by ? `, by ${words(by)}` : ""}; 1 is the same, −1 the opposite</p>
      <div class="tiles">
        {nearest.map((near) => (
          <UnitTile layer={layer} unit={near.unit} note={figure(near.likeness)} key={near.unit} />
        ))}
      </div>
    </section>
  );
}

/* A weight as a bar from the middle: to the right where positive, to the left where negative. */
function SignedBar({ weight, widest }: { weight: number; widest: number }) {
  const share = (50 * Math.abs(weight)) / widest;
  const sign = weight < 0 ? "negative" : "positive";
  const left = weight < 0 ? 50 - share : 50;
  return (
    <span class="signed-bar" title={`weight ${figure(weight)}`}>
      <i class={sign} style={{ left: `${left}%`, width: `${share}%` }} />
    </span>
  );
}

interface LinksProps {
  id: string;
  title: string;
  what: string;
  links: Link[];
}

export function Links({ id, title, what, links }: LinksProps) {
  if (!links.length) return null;
  const widest = Math.max(...links.map((link) => Math.abs(link.weight)), 1e-12);
  return (
    <section class="panel" id={id}>
      <h2>{title}</h2>
      <p class="fine">{what}; the number is the weight between the two (of a kernel, its sum), the strongest first</p>
      <div class="tiles">
        {links.map((link) => (
          <UnitTile
            layer={link.layer}
            unit={link.unit}
            key={`${link.layer}/${link.unit}`}
            withLayer
            title={`weight ${figure(link.weight)}, norm of the kernel ${figure(link.norm)}`}
            note={
              <>
                <SignedBar weight={link.weight} widest={widest} />
                {figure(link.weight)}
              </>
            }
          />
        ))}
      </div>
    </section>
  );
}
