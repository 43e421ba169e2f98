/* The field that finds anything: "/" goes there, arrows choose, Enter opens. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useKeys } from "../keys";
import { go } from "../routes";
import { useSite } from "../site";
import { find, noNames, readNames, type Hit, type Names } from "./find";

export function Search() {
  const site = useSite();
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const [query, setQuery] = useState("");
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState(0);
  const [names, setNames] = useState<{ names: Names }>({ names: noNames });
  useKeys([{ key: "/", does: "search", run: () => field.current?.select() }]);
  const asked = query.trim().length > 0;
  useEffect(() => {
    if (asked) void readNames(site, (read) => setNames({ names: read }));
  }, [asked, site]);
  const hits = useMemo(() => find(site, query, names.names), [site, query, names]);
  useEffect(() => list.current?.children[chosen]?.scrollIntoView({ block: "nearest" }), [chosen]);

  const follow = (hit: Hit | undefined) => {
    if (!hit) return;
    setOpen(false);
    setQuery("");
    field.current?.blur();
    go(hit.to);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && hits.length) setChosen((chosen + step + hits.length) % hits.length);
    else if (event.key === "Enter") follow(hits[chosen]);
    else if (event.key === "Escape") field.current?.blur();
    else return;
    event.preventDefault();
  };
  const shown = open && asked;
  return (
    <div class="search" role="search" aria-label="The whole site">
      <input
        ref={field}
        type="text"
        enterkeyhint="search"
        role="combobox"
        aria-label="Search layers, units, classes, concepts and pictures"
        aria-expanded={shown}
        aria-controls="hits"
        aria-autocomplete="list"
        aria-activedescendant={shown && hits.length ? `hit-${chosen}` : undefined}
        placeholder="Search   /"
        autocomplete="off"
        spellcheck={false}
        value={query}
        onInput={(event) => {
          setQuery(event.currentTarget.value);
          setChosen(0);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <ul id="hits" ref={list} role="listbox" aria-label="Found" hidden={!shown}>
        {shown &&
          hits.map((hit, place) => (
            <li
              key={`${hit.kind}${hit.to}${hit.text}`}
              id={`hit-${place}`}
              role="option"
              aria-selected={place === chosen}
              onPointerDown={(event) => event.preventDefault()}
              onPointerMove={() => setChosen(place)}
              onClick={() => follow(hit)}
            >
              <span class="hit-kind">{hit.kind}</span>
              <span class="hit-text">{hit.text}</span>
              <span class="hit-note">{hit.note}</span>
            </li>
          ))}
        {shown && !hits.length && (
          <li class="muted" role="option" aria-selected="false" aria-disabled="true">
            Nothing is called “{query}”
          </li>
        )}
      </ul>
    </div>
  );
}
