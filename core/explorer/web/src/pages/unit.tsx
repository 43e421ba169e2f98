/* The page of a unit: what drives it, when it answers, what it detects, which units it reads and which read it. */

import type { LayerId, LayerPage, UnitPage } from "../data";
import { plural } from "../figure";
import { useData } from "../load";
import { useKeys } from "../keys";
import { NotMade } from "../parts/command";
import { NotThere } from "../parts/missing";
import { go, href } from "../routes";
import { commandFor, layerName, unitClass, useSite } from "../site";
import { Concepts, Statistics } from "../unit/statistics";
import { ExamplesView } from "../unit/examples";
import { HistogramView } from "../unit/histogram";
import { Links, Nearest } from "../unit/relatives";
import { Visuals } from "../unit/visuals";
import "../style/leaf.css";
import "../unit/unit.css";

interface Props {
  layer: LayerId;
  unit: number;
}

function Heading({ layer, unit }: Props) {
  const site = useSite();
  const line = site.layers[layer];
  const stands = unitClass(site, layer, unit);
  const last = line.units - 1;
  return (
    <header class="page-heading">
      <h1>
        <a href={href.layer(layer)}>{line.name}</a> <span class="muted">unit</span> {unit}
        {stands && <span class="muted"> · {stands}</span>}
      </h1>
      <p class="muted">
        {line.kind}, {plural(line.units, "unit")}
      </p>
      <nav class="steps" aria-label="Units of this layer">
        {unit > 0 ? (
          <a href={href.unit(layer, unit - 1)} title="left arrow">
            ← {unit - 1}
          </a>
        ) : (
          <span class="muted">←</span>
        )}
        <a href={href.layer(layer)} title="u">
          all units
        </a>
        {unit < last ? (
          <a href={href.unit(layer, unit + 1)} title="right arrow">
            {unit + 1} →
          </a>
        ) : (
          <span class="muted">→</span>
        )}
      </nav>
    </header>
  );
}

/* The layer before the rectifier, whose values the examples are of; "" where they are the layer's own, null while it is not known. */
function useLookedAt(layer: LayerId): string | null {
  const line = useSite().layers[layer];
  const about = useData<LayerPage>(line.page ? `layers/${layer}` : null);
  if (about === undefined && line.page) return null;
  return about?.looked_at && about.looked_at !== line.name ? about.looked_at : "";
}

function Values({ page }: { page: UnitPage }) {
  const { layer } = page;
  const site = useSite();
  const before = useLookedAt(layer);
  if (before === null || (!page.histogram && !page.before)) return null;
  const marks = (page.examples?.kinds ?? []).flatMap(({ kind, items }) => items.map(({ value }) => ({ kind, value })));
  const { name } = site.layers[layer];
  const onBefore = before !== "" && page.before !== null; // the examples are values of the layer before
  return (
    <section class="panel" id="histogram">
      <h2>Values over the data</h2>
      {page.histogram && <HistogramView histogram={page.histogram} title={`values of ${name}`} marks={before ? [] : marks} />}
      {page.before && (
        <HistogramView
          histogram={page.before}
          title={before ? `values of ${before}, before the rectifier` : "before the rectifier"}
          marks={onBefore ? marks : []}
        />
      )}
      {marks.length > 0 && (!before || onBefore) && <p class="fine">Marks below the axis: the values of the examples.</p>}
    </section>
  );
}

function Parts({ page, name }: { page: UnitPage; name: string }) {
  const site = useSite();
  const { layer, unit } = page;
  const before = useLookedAt(layer);
  const attributed = site.layers[layer].attributed.includes(unit);
  return (
    <>
      {page.examples && (
        <ExamplesView
          examples={page.examples}
          of={before ?? ""}
          attributions={attributed ? `attributions/${layer}/${unit}` : null}
          layer={layer}
          unit={unit}
          name={name}
          key={`${layer}/${unit}`}
        />
      )}
      <div class="columns">
        <Values page={page} />
        {page.concepts.length > 0 ? (
          <Concepts concepts={page.concepts} />
        ) : (
          site.commands.concepts && (
            <section class="panel" id="concepts">
              <h2>Concepts</h2>
              <NotMade command={site.commands.concepts} />
            </section>
          )
        )}
        <Nearest layer={layer} nearest={page.nearest} by={page.nearest_by} />
        <Links id="reads" title="What it reads" what="units that this one reads" links={page.reads} />
        <Links id="read-by" title="What reads it" what="units that read this one" links={page.read_by} />
      </div>
    </>
  );
}

export function UnitPageView({ layer, unit }: Props) {
  const site = useSite();
  const line = site.layers[layer];
  const there = line !== undefined && unit >= 0 && unit < line.units;
  const page = useData<UnitPage>(there && site.layers[layer].page ? `units/${layer}/${unit}` : null);
  useKeys([
    there && unit > 0 && { key: "ArrowLeft", does: "previous unit", run: () => go(href.unit(layer, unit - 1)) },
    there &&
      unit < line.units - 1 && { key: "ArrowRight", does: "next unit", run: () => go(href.unit(layer, unit + 1)) },
    line !== undefined && { key: "u", does: "all units of the layer", run: () => go(href.layer(layer)) },
  ]);
  if (!there) return <NotThere text={`There is no unit ${unit} in ${layerName(site, layer)}.`} />;
  const name = `${line.name}, unit ${unit}`;
  return (
    <article class="leaf unit-page">
      <Heading layer={layer} unit={unit} />
      <div class={line.pictured.includes(unit) ? "unit-top" : "unit-top plain"}>
        <Visuals layer={layer} unit={unit} name={name} />
        {page && <Statistics statistics={page.statistics} />}
      </div>
      {page === null && (
        <NotMade what="Examples and figures of this unit were not made" command={commandFor(site, "units")} />
      )}
      {page && <Parts page={page} name={name} />}
    </article>
  );
}
