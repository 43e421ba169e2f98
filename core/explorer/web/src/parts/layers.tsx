/* All layers as a table that sorts. */
import { useMemo, useState } from "preact/hooks";
import type { LayerLine, Site } from "../data";
import { count, percent, shape, short } from "../figure";
import { href } from "../routes";
import { SortHead, sorted, type Order } from "./sorting";

const MOST = 150; // rows before "show all"

type Column = [name: string, title: string, value: (line: LayerLine) => number | string | null, number: boolean];
const COLUMNS: Column[] = [
  ["id", "#", (line) => line.id, true],
  ["name", "Layer", (line) => line.name, false],
  ["kind", "Kind", (line) => line.kind, false],
  ["shape", "Shape", (line) => line.shape.reduce<number>((size, side) => size * (side ?? 1), 1), false],
  ["units", "Units", (line) => line.units, true],
  ["parameters", "Parameters", (line) => line.parameters, true],
  ["flops", "FLOPs", (line) => line.flops, true],
  ["dead", "Dead", (line) => (line.dead === null || !line.units ? null : line.dead / line.units), true],
];

export function LayerTable({ site }: { site: Site }) {
  const [order, setOrder] = useState<Order>({ by: "id", down: false });
  const [wanted, setWanted] = useState("");
  const [all, setAll] = useState(false);
  const lines = useMemo(() => {
    const low = wanted.trim().toLowerCase();
    const value = COLUMNS.find(([name]) => name === order.by)![2];
    return sorted(
      site.layers.filter((line) => `${line.name} ${line.kind}`.toLowerCase().includes(low)),
      value,
      order.down,
    );
  }, [site, order, wanted]);
  const shown = all ? lines : lines.slice(0, MOST);
  return (
    <section class="panel layers" aria-labelledby="layers-title">
      <div class="row">
        <h2 id="layers-title">{`${count(site.layers.length)} layers`}</h2>
        <input
          type="search"
          aria-label="Filter the layers"
          placeholder="Filter by name or kind"
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
      </div>
      <div class="scroll-x">
        <table>
          <thead>
            <tr>
              {COLUMNS.map(([name, title, , number]) => (
                <SortHead key={name} name={name} title={title} number={number} order={order} onOrder={setOrder} />
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((line) => (
              <Row key={line.id} line={line} />
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < lines.length && (
        <button type="button" onClick={() => setAll(true)}>
          {`Show all ${count(lines.length)}`}
        </button>
      )}
    </section>
  );
}

function Row({ line }: { line: LayerLine }) {
  const dead = line.dead === null || !line.units ? null : line.dead / line.units;
  return (
    <tr>
      <td class="number muted">{line.id}</td>
      <td>
        <a class={line.page ? "" : "muted"} href={href.layer(line.id)}>
          {line.name}
        </a>
      </td>
      <td>{line.kind}</td>
      <td class="nowrap">{shape(line.shape)}</td>
      <td class="number">{line.units ? count(line.units) : ""}</td>
      <td class="number">{line.parameters ? short(line.parameters) : ""}</td>
      <td class="number">{line.flops ? short(line.flops) : ""}</td>
      <td class="number">{dead === null ? "" : dead === 0 ? "0" : `${line.dead} (${percent(dead)})`}</td>
    </tr>
  );
}
