/* A unit's statistics over the data, and the concepts that it detects beside those of chance. */

import type { Concept, UnitPage } from "../data";
import { figure, words } from "../figure";

/* "q0.99" as "99 % quantile". */
function title(name: string): string {
  const level = /^q(0\.\d+|1|0)$/.exec(name);
  return level ? `${Number((100 * Number(level[1])).toPrecision(4))} % quantile` : words(name);
}

function shown(value: number | boolean | null): string {
  return typeof value === "boolean" ? (value ? "yes" : "no") : figure(value);
}

export function Statistics({ statistics }: { statistics: UnitPage["statistics"] }) {
  const rows = Object.entries(statistics);
  if (!rows.length) return null;
  return (
    <section class="panel" id="statistics">
      <h2>Statistics</h2>
      <dl class="figures">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{title(name)}</dt>
            <dd>{shown(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function ConceptRow({ row, widest }: { row: Concept; widest: number }) {
  return (
    <tr class={row.detector ? "detector" : ""}>
      <th scope="row">
        {row.concept} <small>{row.category}</small>
        {row.detector && <span class="chip">detector</span>}
      </th>
      <td class="bar-cell">
        <i class="length" style={{ width: `${(100 * row.iou) / widest}%` }} />
        {row.null_iou !== null && (
          <i
            class="null-mark"
            style={{ left: `${(100 * row.null_iou) / widest}%` }}
            title={`by chance: ${figure(row.null_iou)}`}
          />
        )}
      </td>
      <td class="number">{figure(row.iou)}</td>
      <td class="number">{figure(row.null_iou)}</td>
    </tr>
  );
}

export function Concepts({ concepts }: { concepts: Concept[] }) {
  const widest = Math.max(...concepts.flatMap((row) => [row.iou, row.null_iou ?? 0]), 1e-9);
  return (
    <section class="panel" id="concepts">
      <h2>Concepts</h2>
      <table class="concepts">
        <thead>
          <tr>
            <th scope="col">concept</th>
            <td />
            <th scope="col" class="number">
              IoU
            </th>
            <th scope="col" class="number" title="the same with the labels of other pictures">
              by chance
            </th>
          </tr>
        </thead>
        <tbody>
          {concepts.map((row) => (
            <ConceptRow row={row} widest={widest} key={`${row.category}/${row.concept}`} />
          ))}
        </tbody>
      </table>
    </section>
  );
}
