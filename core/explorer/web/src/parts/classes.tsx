/* The classes by name, each leading to the unit that stands for it, or to its pictures. */
import { useMemo, useState } from "preact/hooks";
import type { Site } from "../data";
import { count } from "../figure";
import { href } from "../routes";
import { outputLayer } from "./find";

const MOST = 60; // listed at once

export function ClassList({ site }: { site: Site }) {
  const [wanted, setWanted] = useState("");
  const output = useMemo(() => outputLayer(site), [site]);
  const found = useMemo(() => {
    const low = wanted.trim().toLowerCase();
    return [...site.classes.keys()].filter((index) => site.classes[index].toLowerCase().includes(low));
  }, [site, wanted]);
  if (!site.classes.length) return null;
  return (
    <section class="panel">
      <h2>{`${count(site.classes.length)} classes`}</h2>
      <input
        type="search"
        class="wide"
        aria-label="Filter the classes"
        placeholder="Filter"
        value={wanted}
        onInput={(event) => setWanted(event.currentTarget.value)}
      />
      <ol class="plain classes">
        {found.slice(0, MOST).map((index) => (
          <li key={index}>
            <span class="muted small number">{index}</span>
            <a href={output ? href.unit(output.id, index) : href.pictures({ class: index })}>{site.classes[index]}</a>
          </li>
        ))}
      </ol>
      {found.length > MOST && <p class="muted small">{`${count(found.length - MOST)} more: filter to find them.`}</p>}
      {!found.length && <p class="muted small">No class has this in its name.</p>}
    </section>
  );
}
