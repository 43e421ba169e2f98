/* All pictures of the data as a grid of thumbnails, filtered and sorted. */
import { useMemo, useState } from "preact/hooks";
import { count as digits, percent, plural } from "../figure";
import { NotMade } from "../parts/command";
import { useChunks } from "../pictures/chunks";
import { ALL, chosen, everyImage, isAll, type Wanted } from "../pictures/filter";
import { Grid } from "../pictures/grid";
import { classesOfLabels, useImage } from "../picture/images";
import { address, go, href, optionsOf } from "../routes";
import { Thumbnail } from "../sheet";
import { commandFor, hasPage, useSite } from "../site";
import "../style/leaf.css";
import "../pictures/pictures.css";

function Cell({ index, width }: { index: number; width: number }) {
  const site = useSite();
  const about = useImage(index);
  const own = hasPage(site, index);
  const says = about
    ? [about.id, about.label, about.predicted && `predicted ${about.predicted}`]
    : [`picture ${index}`];
  const name = says.filter(Boolean).join(", ");
  const state = about?.failure ? "failed" : about?.wrong ? "wrong" : "";
  return (
    <a class={`picture-cell ${own ? "own" : ""} ${state}`} href={href.picture(index)} title={about?.failure ?? name}>
      <Thumbnail index={index} alt={name} size={width - 12} />
      <span class="note">
        {about?.wrong && <span aria-label="wrong: ">✗ </span>}
        {about?.failure ? "not readable" : about?.predicted || about?.label || ""}
        {about && about.score !== null && <small class="muted"> {percent(about.score)}</small>}
      </span>
    </a>
  );
}

interface ChoiceProps {
  title: string;
  value: string;
  options: [string, string][];
  choose: (value: string) => void;
  without?: string; // an option that cannot be chosen
  why?: string; // it cannot
}

function Choice({ title, value, options, choose, without, why }: ChoiceProps) {
  return (
    <label title={why}>
      <span>{title}</span>
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {options.map(([key, text]) => (
          <option value={key} key={key} disabled={key === without} title={key === without ? why : undefined}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

const ONLY: [Wanted["only"], string][] = [
  ["all", "all"],
  ["pages", "with a page of their own"],
  ["wrong", "predicted wrongly"],
  ["failed", "not readable"],
];
const WHY_NOT = {
  none: "right and wrong are not known: the pictures have no labels",
  other: "right and wrong are not known: no label is the name of a class",
};
const ORDER: [Wanted["order"], string][] = [
  ["pages", "with a page first"],
  ["data", "as in the data"],
  ["score", "highest score first"],
  ["score_up", "lowest score first"],
];

function Filters({ wanted, change }: { wanted: Wanted; change: (part: Partial<Wanted>) => void }) {
  const site = useSite();
  const named = (names: string[]): [string, string][] => [
    ["", "any"],
    ...names.map((name): [string, string] => [name, name]),
  ];
  const labels = site.images?.labels ?? [];
  const judged = useMemo(() => classesOfLabels(site).some((classes) => classes.size > 0), [site]);
  return (
    <form class="picture-filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span>search</span>
        <input
          type="search"
          value={wanted.text}
          placeholder="name, label or prediction"
          onInput={(event) => change({ text: event.currentTarget.value })}
        />
      </label>
      {labels.length > 0 && (
        <Choice title="label" value={wanted.label} options={named(labels)} choose={(label) => change({ label })} />
      )}
      {site.classes.length > 0 && (
        <Choice
          title="prediction"
          value={wanted.predicted}
          options={named(site.classes)}
          choose={(predicted) => change({ predicted })}
        />
      )}
      <Choice
        title="only"
        value={wanted.only}
        options={ONLY}
        without={judged ? undefined : "wrong"}
        why={judged ? undefined : WHY_NOT[labels.length ? "other" : "none"]}
        choose={(only) => change({ only: only as Wanted["only"] })}
      />
      <Choice
        title="order"
        value={wanted.order}
        options={ORDER}
        choose={(order) => change({ order: order as Wanted["order"] })}
      />
      {!judged && <p class="fine">{WHY_NOT[labels.length ? "other" : "none"]}</p>}
    </form>
  );
}

/* What the address asks for: "#/pictures?label=cat&only=wrong". */
function fromAddress(): Wanted {
  const options = optionsOf(address());
  const entries = Object.entries(ALL).map(([key, value]) => [key, options.get(key) ?? value]);
  return Object.fromEntries(entries) as unknown as Wanted;
}

export function PicturesView() {
  const site = useSite();
  const [wanted, setWanted] = useState(fromAddress);
  const every = isAll(wanted);
  const { chunks, read, of } = useChunks(!every);
  const found = useMemo(() => (every ? everyImage(site) : chosen(site, chunks, wanted)), [site, chunks, wanted, every]);
  if (!site.images) return <NotMade what="There are no pictures in this site" command={commandFor(site, "data")} />;
  const total = site.images.count;
  const shown = found.length;
  const change = (part: Partial<Wanted>) => {
    const next = { ...wanted, ...part };
    setWanted(next);
    const told = Object.entries(next).filter(([key, value]) => value !== ALL[key as keyof Wanted]);
    go(href.pictures(Object.fromEntries(told)), { replace: true });
  };
  return (
    <article class="leaf pictures-page">
      <header class="page-heading">
        <h1>Pictures</h1>
        <p class="muted" role="status">
          {!every ? `${digits(shown)} of ${plural(total, "picture")}` : plural(total, "picture")}
          {!every && read < of && `, ${percent(read / of)} searched`}
          {site.pictures.length > 0 && `; ${digits(site.pictures.length)} with a page of their own are framed, and come first`}
        </p>
      </header>
      <Filters wanted={wanted} change={change} />
      <Grid
        count={shown}
        cell={104}
        extra={24}
        render={(place, width) => <Cell index={found[place]} width={width} />}
      />
      {!every && shown === 0 && read === of && <p class="fine">No picture is like that.</p>}
    </article>
  );
}
