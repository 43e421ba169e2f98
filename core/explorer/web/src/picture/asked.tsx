/* The unit whose page led to the picture ("#/picture/17?layer=84&unit=3"): where in the picture it stands out. */
import type { LayerId, PicturePage } from "../data";
import { address, go, href, optionsOf } from "../routes";
import { layerName, useSite } from "../site";
import { valuesOf } from "./positions";
import type { Heat } from "./stage";

export interface Asked {
  layer: LayerId;
  unit: number;
  heat: Heat | null; // null: it stands out at no position
  place: [number, number] | null; // where it is strongest
}

function numberOf(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

/* Null where the address names no unit. */
export function askedUnit(page: PicturePage): Asked | null {
  const options = optionsOf(address());
  const [layer, unit] = [numberOf(options.get("layer")), numberOf(options.get("unit"))];
  if (layer === null || unit === null) return null;
  const dictionary = page.dictionary.find((row) => row.layer === layer);
  const values = dictionary ? valuesOf(dictionary, unit) : [];
  const there = dictionary && values.some((value) => value !== null);
  const strong = page.strongest.find((row) => row.layer === layer)?.units.find((row) => row.unit === unit);
  const heat = there ? { rows: dictionary.rows, columns: dictionary.columns, values } : null;
  return { layer, unit, heat, place: strong?.place ?? null };
}

export function AskedUnit({ asked, index }: { asked: Asked; index: number }) {
  const site = useSite();
  const found = asked.heat
    ? "stands out where the picture is yellow"
    : asked.place
      ? "is strongest at the ring"
      : "does not stand out here";
  return (
    <p class="asked" role="status">
      <a href={href.unit(asked.layer, asked.unit)}>
        {layerName(site, asked.layer)}, unit {asked.unit}
      </a>{" "}
      {found}
      <button type="button" onClick={() => go(href.picture(index), { replace: true })} aria-label="Do not show it">
        ×
      </button>
    </p>
  );
}
