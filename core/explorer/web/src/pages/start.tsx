/* The first page: what this network is, pictures to begin with, its map, classes, layers. */
import type { ImageChunk, Network, Site } from "../data";
import { count, plural, shape, short } from "../figure";
import { useData } from "../load";
import { NetworkMap } from "../map/map";
import { ClassList } from "../parts/classes";
import { LayerTable } from "../parts/layers";
import { MissingPart } from "../parts/missing";
import { href, optionsOf, useAddress } from "../routes";
import { Thumbnail } from "../sheet";
import { useSite, lastLayout } from "../site";

const ENTRANCE = 24; // pictures shown here

export function StartView() {
  const site = useSite();
  const network = useData<Network>("network");
  const layer = optionsOf(useAddress()).get("layer");
  const at = layer !== null && /^\d+$/.test(layer) ? Number(layer) : null;
  return (
    <div class="start">
      <header class="start-head">
        <h1>{site.title}</h1>
        <p class="muted">{facts(site)}</p>
      </header>
      <Entrance site={site} />
      <div class="start-map">
        {network && <NetworkMap site={site} network={network} at={at} />}
        {network === null && <MissingPart what="data" text="The network's graph is missing." />}
        {!site.layers.some(({ page }) => page) && <MissingPart what="units" text="No layer has a page of its units yet." />}
      </div>
      <aside class="start-aside">
        <Ways site={site} />
        <ClassList site={site} />
        {site.notes.length > 0 && (
          <section class="panel">
            <h2>Notes</h2>
            <ul class="plain small">
              {site.notes.map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          </section>
        )}
      </aside>
      <LayerTable site={site} />
    </div>
  );
}

function facts({ model, data, layers }: Site): string {
  return [
    model.backend,
    `${shape(model.input)} \u2192 ${model.output}`,
    plural(layers.length, "layer"),
    `${short(model.parameters)} parameters`,
    model.flops === null ? "" : `${short(model.flops)} FLOPs an image`,
    data ? `${plural(data.images, "picture")} of ${data.name}${data.failed ? `, ${count(data.failed)} unreadable` : ""}` : "",
  ]
    .filter(Boolean)
    .join(" \u00b7 ");
}

function Entrance({ site }: { site: Site }) {
  if (!site.pictures.length) {
    return <MissingPart what={site.data ? "pictures" : "data"} text="No picture has a page of its own yet." />;
  }
  return (
    <section class="panel entrance">
      <h2>What does the network see in a picture?</h2>
      <p class="muted">
        Open one and point at any spot, an ear, a wheel: the units that stand out there are listed, each with a page of its own.
      </p>
      <ul class="thumbs">
        {site.pictures.slice(0, ENTRANCE).map((index) => (
          <Entry key={index} site={site} index={index} />
        ))}
        {site.images && (
          <li>
            <a class="thumb-more" href={href.pictures()}>
              {`All ${count(site.images.count)} pictures`}
            </a>
          </li>
        )}
      </ul>
    </section>
  );
}

/* A picture with what it is called: its label, else what the network takes it for. */
function Entry({ site, index }: { site: Site; index: number }) {
  const chunk = site.images?.chunk ?? 0;
  const lines = useData<ImageChunk>(chunk ? `images/${Math.floor(index / chunk)}` : null);
  const at = lines ? index - lines.start : -1;
  const name = lines ? (site.images?.labels[lines.label[at]] ?? site.classes[lines.predicted[at]] ?? lines.ids[at]) : "";
  return (
    <li>
      <a href={href.picture(index)} title={lines?.ids[at]}>
        <Thumbnail index={index} alt={`Picture ${index}`} size={88} />
        <span class="thumb-name">{name}</span>
      </a>
    </li>
  );
}

/* Other ways in, each with what it shows. */
function Ways({ site }: { site: Site }) {
  const ways: [boolean, string, string, string][] = [
    [site.points.length > 0, href.points(lastLayout(site)), "Points", "Every picture as a point; those that the network finds alike lie together."],
    [site.atlas.length > 0, href.atlas(), "Atlas", "What a layer can tell apart, as one sheet of visualisations."],
    [Boolean(site.beside), href.beside(), "Beside", `${site.beside?.join(" and ")}: layer by layer, unit by unit.`],
  ];
  const there = ways.filter(([present]) => present);
  if (!there.length) return null;
  return (
    <section class="panel">
      <h2>Other ways in</h2>
      <dl class="ways">
        {there.map(([, to, title, text]) => (
          <div key={title}>
            <dt>
              <a href={to}>{title}</a>
            </dt>
            <dd class="muted small">{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
