/* The units of a layer as pictures or as a table. */
import type { LayerLine, LayerPage } from "../data";
import { words } from "../figure";
import { go, href } from "../routes";
import { Tile } from "../sheet";
import { asText, columnsOf, valueOf } from "./columns";
import { SortHead, type Order } from "./sorting";

interface Props {
  page: LayerPage;
  line: LayerLine;
  units: number[];
  order: Order;
  onOrder: (order: Order) => void;
}

export function UnitGrid({ page, line, units, order }: Props) {
  const concept = columnsOf(page, "text")[0];
  const yes = columnsOf(page, "yes");
  return (
    <ul class="unit-grid" onKeyDown={(event) => moveInGrid(event)}>
      {units.map((unit) => {
        const marks = yes.filter((name) => page.columns[name][unit]).map(words);
        const what = page.shown[unit];
        const text = concept ? page.columns[concept][unit] : null;
        const shown = order.by === "unit" || order.by === concept ? "" : asText(valueOf(page, order.by, unit));
        return (
          <li key={unit}>
            <a href={href.unit(line.id, unit)} class={marks.includes("dead") ? "is-dead" : ""}>
              {page.units && what ? (
                <Tile sheet={page.units} slot={unit} size={92} alt={`Unit ${unit}, ${what}`} />
              ) : (
                <span class="tile tile-none" aria-hidden="true" title="no picture">
                  {unit}
                </span>
              )}
              <span class="unit-line">
                <b>{unit}</b>
                <span class="muted number">{shown}</span>
              </span>
              {(text || marks.length > 0) && <span class="unit-note muted">{[text, ...marks].filter(Boolean).join(", ")}</span>}
            </a>
          </li>
        );
      })}
    </ul>
  );
}

/* Up and down go a row of pictures up or down, left and right one picture. */
function moveInGrid(event: KeyboardEvent): void {
  const links = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("a")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  if (at < 0) return;
  const across = links.filter((link) => link.offsetTop === links[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
  if (!step || !links[at + step]) return;
  event.preventDefault();
  links[at + step].focus();
}

export function UnitTable({ page, line, units, order, onOrder }: Props) {
  const names = ["unit", ...Object.keys(page.columns)];
  const numeric = new Set(["unit", ...columnsOf(page, "number")]);
  return (
    <div class="scroll-x">
      <table class="unit-table">
        <thead>
          <tr>
            {names.map((name) => (
              <SortHead key={name} name={name} title={words(name)} number={numeric.has(name)} order={order} onOrder={onOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {units.map((unit) => (
            <tr key={unit} onClick={() => go(href.unit(line.id, unit))}>
              {names.map((name) => (
                <td key={name} class={numeric.has(name) ? "number" : ""}>
                  {name === "unit" ? <a href={href.unit(line.id, unit)}>{unit}</a> : asText(valueOf(page, name, unit))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
