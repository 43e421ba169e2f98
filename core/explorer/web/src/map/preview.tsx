/* The first units of the layer that was last pointed at, in the map's free corner. */
import { useEffect, useState } from "preact/hooks";
import type { LayerLine, LayerPage } from "../data";
import { plural } from "../figure";
import { useData } from "../load";
import { href } from "../routes";
import { Tile } from "../sheet";

const MOST = 24;
const PAUSE = 180; // milliseconds that the pointer rests before a layer's file is read

export function Preview({ line }: { line: LayerLine | null }) {
  const [rested, setRested] = useState<LayerLine | null>(null);
  useEffect(() => {
    if (!line?.page) return undefined;
    const timer = setTimeout(() => setRested(line), PAUSE);
    return () => clearTimeout(timer);
  }, [line]);
  const page = useData<LayerPage>(rested ? `layers/${rested.id}` : null);
  const sheet = page?.units;
  if (!rested || !page || !sheet) return null;
  const units = page.shown.flatMap((what, unit) => (what ? [unit] : [])).slice(0, MOST);
  if (!units.length) return null;
  return (
    <aside class="preview" aria-label={`Units of ${rested.name}`}>
      <a href={href.layer(rested.id)}>{rested.name}</a>
      <span class="muted small">{plural(rested.units, "unit")}</span>
      <ul class="plain">
        {units.map((unit) => (
          <li key={unit}>
            <a href={href.unit(rested.id, unit)}>
              <Tile sheet={sheet} slot={unit} size={40} alt={`Unit ${unit}`} />
            </a>
          </li>
        ))}
      </ul>
    </aside>
  );
}
