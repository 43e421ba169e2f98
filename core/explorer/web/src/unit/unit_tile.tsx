/* A unit as a small picture with its number, a figure below it, and a link to its page. */

import type { ComponentChildren } from "preact";
import type { LayerId, LayerPage } from "../data";
import { useData } from "../load";
import { href } from "../routes";
import { Tile } from "../sheet";
import { unitClass, useSite } from "../site";

interface Props {
  layer: LayerId;
  unit: number;
  size?: number;
  note?: ComponentChildren;
  title?: string;
  withLayer?: boolean;
  mark?: string; // a further class
  onLook?: (looked: boolean) => void; // the pointer or the keyboard came to it, or left
}

export function UnitTile({ layer, unit, size = 64, note, title, withLayer = false, mark = "", onLook }: Props) {
  const site = useSite();
  const line = site.layers[layer];
  const stands = unitClass(site, layer, unit);
  const page = useData<LayerPage>(line?.page ? `layers/${layer}` : null);
  const name = `${line?.name ?? layer}, unit ${unit}${stands ? `, ${stands}` : ""}`;
  const sheet = page?.units && unit < page.units.count && page.shown[unit] ? page.units : null;
  return (
    <a
      class={`unit-tile ${mark}`}
      href={href.unit(layer, unit)}
      title={title ? `${name}: ${title}` : name}
      onMouseEnter={onLook && (() => onLook(true))}
      onMouseLeave={onLook && (() => onLook(false))}
      onFocus={onLook && (() => onLook(true))}
      onBlur={onLook && (() => onLook(false))}
    >
      {sheet ? (
        <Tile sheet={sheet} slot={unit} alt={name} size={size} />
      ) : (
        <span class="no-picture" style={{ width: `${size}px`, height: `${size}px` }}>
          {unit}
        </span>
      )}
      <span class="unit-number">
        {withLayer && <small>{line?.name}</small>}
        {sheet && unit}
        {stands && <small class="stands-for">{stands}</small>}
      </span>
      {note !== undefined && <span class="note">{note}</span>}
    </a>
  );
}
