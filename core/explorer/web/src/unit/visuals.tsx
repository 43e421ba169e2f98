/* Feature visualisation: a picture optimised to maximise the unit, one to minimise it, and several diverse ones. */

import type { Visualisations } from "../data";
import { useData } from "../load";
import { commandFor, useSite } from "../site";
import { figure } from "../figure";
import { NotMade } from "../parts/command";

function Large({ image, title, value, name }: { image: string; title: string; value: number | null; name: string }) {
  return (
    <figure class="visual">
      <img src={image} alt={`${title} of ${name}, an optimised picture`} />
      <figcaption>
        {title}
        {value !== null && <small> {figure(value)}</small>}
      </figcaption>
    </figure>
  );
}

function Made({ layer, unit, name }: { layer: number; unit: number; name: string }) {
  const made = useData<Visualisations>(`visualisations/${layer}/${unit}`);
  if (made === null) return <p class="fine">The file of the visualisations is missing.</p>;
  if (!made) return <div class="visuals waiting" aria-busy="true" />;
  return (
    <>
      <div class="visuals">
        {made.positive && (
          <Large image={made.positive} title="+ maximises the unit" value={made.values.positive} name={name} />
        )}
        {made.negative && (
          <Large image={made.negative} title="− minimises the unit" value={made.values.negative} name={name} />
        )}
        {made.diversity.length > 0 && (
          <figure class="visual diversity">
            <div>
              {made.diversity.map((image, place) => (
                <img src={image} key={place} alt={`diverse picture ${place + 1} that maximises ${name}`} />
              ))}
            </div>
            <figcaption>diverse pictures that maximise it</figcaption>
          </figure>
        )}
      </div>
      <p class="fine">{made.settings}</p>
    </>
  );
}

export function Visuals({ layer, unit, name }: { layer: number; unit: number; name: string }) {
  const site = useSite();
  const pictured = site.layers[layer].pictured.includes(unit);
  return (
    <section class="panel" id="visualisation" aria-label="Feature visualisation">
      <h2>Feature visualisation</h2>
      {pictured ? (
        <Made layer={layer} unit={unit} name={name} />
      ) : (
        <NotMade
          command={commandFor(site, "units")}
          what={site.estimate ? `not made yet (${site.estimate})` : undefined}
        />
      )}
    </section>
  );
}
