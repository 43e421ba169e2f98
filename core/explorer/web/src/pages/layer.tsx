/* A layer: its facts, filters, and all its units, sorted and filtered. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LayerLine, LayerPage, Network, Site } from "../data";
import { count, figure, percent, plural, shape, short, words } from "../figure";
import { useKeys } from "../keys";
import { useData } from "../load";
import { BinChart } from "../parts/bins";
import { binned, chosenUnits, columnsOf, noFilters, valueOf, type Filters } from "../parts/columns";
import { outputLayer } from "../parts/find";
import { MissingPart, NotThere } from "../parts/missing";
import type { Order } from "../parts/sorting";
import { UnitGrid, UnitTable } from "../parts/units";
import { address, go, href, optionsOf } from "../routes";
import { Tile } from "../sheet";
import { layerOf, useSite } from "../site";

const FILTERS = 128; // shown before "show all"
const UNITS = 240; // drawn at once; more as they come into sight

export function LayerView({ layer }: { layer: number }) {
  const site = useSite();
  const line = layerOf(site, layer);
  const read = useData<LayerPage>(line?.page ? `layers/${layer}` : null);
  const page = useMemo(() => (read && outputLayer(site)?.id === layer ? withClasses(site, read) : read), [site, layer, read]);
  const pages = useMemo(() => site.layers.filter((each) => each.page), [site]);
  const before = [...pages].reverse().find(({ id }) => id < layer);
  const after = pages.find(({ id }) => id > layer);
  useKeys([
    before && { key: "ArrowLeft", does: "previous layer", run: () => go(href.layer(before.id)) },
    after && { key: "ArrowRight", does: "next layer", run: () => go(href.layer(after.id)) },
    { key: "u", does: "up: this layer on the map", run: () => go(href.start({ layer })) },
  ]);
  if (!line) return <NotThere text={`The network has no layer ${layer}.`} />;
  return (
    <div class="layer">
      <div class="title-row">
        <h1>{line.name}</h1>
        <span class="row">
          <a class="button" href={href.start({ layer })}>
            On the map
          </a>
          <Step to={before} text={"\u2190"} what="Previous layer" />
          <Step to={after} text={"\u2192"} what="Next layer" />
        </span>
      </div>
      <Facts line={line} page={page ?? null} />
      <Neighbours site={site} layer={layer} />
      {page === null && line.units > 0 && <MissingPart what="layers" text="No pages of this layer's units were made." />}
      {page && (
        <>
          <FilterSheet page={page} line={line} />
          <Units page={page} line={line} />
        </>
      )}
    </div>
  );
}

/* The units of the output are classes: their names as a column. */
function withClasses(site: Site, page: LayerPage): LayerPage {
  return { ...page, columns: { class: site.classes, ...page.columns } };
}

function Step({ to, text, what }: { to: LayerLine | undefined; text: string; what: string }) {
  if (!to) return null;
  return (
    <a class="button" href={href.layer(to.id)} aria-label={`${what}: ${to.name}`} title={to.name}>
      {text}
    </a>
  );
}

function Facts({ line, page }: { line: LayerLine; page: LayerPage | null }) {
  const facts: [string, string][] = [
    ["kind", line.kind],
    ["shape", shape(line.shape)],
    ["units", line.units ? count(line.units) : ""],
    ["parameters", line.parameters ? short(line.parameters) : ""],
    ["FLOPs", line.flops ? short(line.flops) : ""],
    ["dead units", line.dead === null ? "" : `${line.dead} (${percent(line.units ? line.dead / line.units : 0)})`],
    ["receptive field", page?.receptive_field ? `${shape(page.receptive_field)} px` : ""],
    ...Object.entries(page?.figures ?? {})
      .filter(([name]) => name !== "units" && name !== "dead")
      .map(([name, value]): [string, string] => [words(name), value === null ? "" : figure(value)]),
  ];
  return (
    <>
      <dl class="facts">
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {page?.looked_at && page.looked_at !== line.name && (
        <p class="muted small">examples are values of {page.looked_at}, before the rectifier</p>
      )}
      {page?.notes.map((note) => (
        <p key={note} class="muted small">
          {note}
        </p>
      ))}
    </>
  );
}

/* The layers that this one reads, and those that read it. */
function Neighbours({ site, layer }: { site: Site; layer: number }) {
  const network = useData<Network>("network");
  if (!network) return null;
  const readers = network.reads.flatMap((sources, id) => (sources.includes(layer) ? [id] : []));
  return (
    <p class="small neighbours">
      <LayerLinks site={site} title="reads" ids={network.reads[layer] ?? []} />
      <LayerLinks site={site} title="read by" ids={readers} />
    </p>
  );
}

function LayerLinks({ site, title, ids }: { site: Site; title: string; ids: number[] }) {
  if (!ids.length) return null;
  return (
    <span>
      <span class="muted">{title}</span>
      {ids.slice(0, 12).map((id) => (
        <a key={id} class="chip" href={href.layer(id)}>
          {site.layers[id]?.name}
        </a>
      ))}
      {ids.length > 12 && <span class="muted">{`and ${ids.length - 12} more`}</span>}
    </span>
  );
}

function FilterSheet({ page, line }: { page: LayerPage; line: LayerLine }) {
  const [all, setAll] = useState(false);
  const { filters } = page;
  if (!filters) return null;
  const { sheet, units, title } = filters;
  const slots = Array.from({ length: all ? sheet.count : Math.min(sheet.count, FILTERS) }, (_, slot) => slot);
  return (
    <section>
      <h2>Filters</h2>
      <p class="muted small">{title}</p>
      <ul class="filters">
        {slots.map((slot) => {
          const unit = units ? units[slot] : slot;
          return (
            <li key={slot}>
              <a href={href.unit(line.id, unit)}>
                <Tile sheet={sheet} slot={slot} size={44} alt={`Filter of unit ${unit}`} />
                {unit}
              </a>
            </li>
          );
        })}
      </ul>
      {slots.length < sheet.count && (
        <button type="button" onClick={() => setAll(true)}>
          {`Show all ${count(sheet.count)}`}
        </button>
      )}
    </section>
  );
}

interface Choice {
  order: Order;
  table: boolean;
  filters: Filters;
}

/* The choice as the address has it, so that the way back from a unit finds it again. */
function readChoice(page: LayerPage): Choice {
  const options = optionsOf(address());
  const number = (name: string) => (options.get(name) === null ? null : Number(options.get(name)));
  const yes: Record<string, boolean> = {};
  for (const name of columnsOf(page, "yes")) {
    if (options.has(`is.${name}`)) yes[name] = options.get(`is.${name}`) === "yes";
  }
  const by = options.get("sort") ?? "unit";
  return {
    order: { by: by in page.columns ? by : "unit", down: options.get("down") === "yes" },
    table: options.get("table") === "yes",
    filters: { ...noFilters, text: options.get("find") ?? "", yes, from: number("from"), to: number("to") },
  };
}

function writeChoice(layer: number, { order, table, filters }: Choice): void {
  const options: Record<string, string | number | undefined> = {
    sort: order.by === "unit" ? undefined : order.by,
    down: order.down ? "yes" : undefined,
    table: table ? "yes" : undefined,
    find: filters.text || undefined,
    from: filters.from ?? undefined,
    to: filters.to ?? undefined,
  };
  for (const [name, is] of Object.entries(filters.yes)) options[`is.${name}`] = is ? "yes" : "no";
  const to = href.layer(layer, options);
  if (to !== address()) go(to, { replace: true });
}

function Units({ page, line }: { page: LayerPage; line: LayerLine }) {
  const [choice, setChoice] = useState(() => readChoice(page));
  const [most, setMost] = useState(UNITS);
  const { order, table, filters } = choice;
  useEffect(() => writeChoice(line.id, choice), [choice]);
  const units = useMemo(() => chosenUnits(page, line, order.by, order.down, filters), [page, line, choice]);
  const change = (more: Partial<Choice>) => setChoice({ ...choice, ...more });
  const filter = (more: Partial<Filters>) => change({ filters: { ...filters, ...more } });
  const onOrder = (next: Order) => change({ order: next, filters: { ...filters, ...(next.by === order.by ? {} : { from: null, to: null }) } });
  useKeys([{ key: "t", does: table ? "units as pictures" : "units as a table", run: () => change({ table: !table }) }]);
  const values = useMemo(() => Array.from({ length: line.units }, (_, unit) => valueOf(page, order.by, unit)), [page, line, order.by]);
  const bins = useMemo(() => (order.by === "unit" ? null : binned(values)), [values, order.by]);
  const shown = units.slice(0, most);
  const props = { page, line, units: shown, order, onOrder };
  return (
    <section>
      <h2>{units.length === line.units ? plural(line.units, "unit") : `${count(units.length)} of ${plural(line.units, "unit")}`}</h2>
      <UnitTools page={page} choice={choice} change={change} filter={filter} onOrder={onOrder} />
      {bins && (
        <BinChart bins={bins} title={words(order.by)} from={filters.from} to={filters.to} onRange={(from, to) => filter({ from, to })} />
      )}
      {!units.length && <p class="missing">No unit is so. Clear a filter to see more.</p>}
      {units.length > 0 && (table ? <UnitTable {...props} /> : <UnitGrid {...props} />)}
      {shown.length < units.length && <More key={most} left={units.length - shown.length} onMore={() => setMost(most + UNITS)} />}
    </section>
  );
}

/* Asks for more when it comes near the window, or is pressed. */
function More({ left, onMore }: { left: number; onMore: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const watch = new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && onMore(), { rootMargin: "600px" });
    watch.observe(button.current!);
    return () => watch.disconnect();
  }, []);
  return (
    <button type="button" ref={button} onClick={onMore}>
      {`Show more of ${count(left)}`}
    </button>
  );
}

interface ToolProps {
  page: LayerPage;
  choice: Choice;
  change: (more: Partial<Choice>) => void;
  filter: (more: Partial<Filters>) => void;
  onOrder: (order: Order) => void;
}

function UnitTools({ page, choice: { order, table, filters }, change, filter, onOrder }: ToolProps) {
  const names = ["unit", ...Object.keys(page.columns)];
  const narrowed = filters.text || filters.from !== null || filters.to !== null || Object.keys(filters.yes).length > 0;
  const setYes = (name: string, to: string) => {
    const { [name]: _, ...rest } = filters.yes;
    filter({ yes: to === "any" ? rest : { ...rest, [name]: to === "yes" } });
  };
  return (
    <div class="row unit-tools">
      <input
        type="search"
        aria-label="Filter by unit number or name"
        placeholder={columnsOf(page, "text").length ? "Number, 10-20 or name" : "Number or 10-20"}
        value={filters.text}
        onInput={(event) => filter({ text: event.currentTarget.value })}
      />
      <label class="small">
        <span class="muted">sort by </span>
        <select value={order.by} onChange={(event) => onOrder({ by: event.currentTarget.value, down: event.currentTarget.value !== "unit" })}>
          {names.map((name) => (
            <option key={name} value={name}>
              {words(name)}
            </option>
          ))}
        </select>
      </label>
      <button type="button" aria-label={order.down ? "Largest first" : "Smallest first"} title="Turn the order round" onClick={() => onOrder({ ...order, down: !order.down })}>
        {order.down ? "\u2193" : "\u2191"}
      </button>
      {columnsOf(page, "yes").map((name) => (
        <label key={name} class="small">
          <span class="muted">{words(name)} </span>
          <select value={name in filters.yes ? (filters.yes[name] ? "yes" : "no") : "any"} onChange={(event) => setYes(name, event.currentTarget.value)}>
            <option value="any">any</option>
            <option value="yes">yes</option>
            <option value="no">no</option>
          </select>
        </label>
      ))}
      {narrowed && (
        <button type="button" onClick={() => filter(noFilters)}>
          Clear
        </button>
      )}
      <button type="button" class="to-table" aria-pressed={table} title="Table (t)" onClick={() => change({ table: !table })}>
        Table
      </button>
    </div>
  );
}
