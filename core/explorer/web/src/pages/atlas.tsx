/* The activation atlas: what a layer sees, as a map of pictures; near cells have near activations. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Atlas } from "../data";
import { count, figure, plural } from "../figure";
import { useKeys } from "../keys";
import { useData } from "../load";
import { MissingPart, NotThere } from "../parts/missing";
import { go, href } from "../routes";
import { Thumbnail, Tile } from "../sheet";
import { layerName, useSite } from "../site";
import "../style/atlas.css";

type Cell = Atlas["cells"][number];

const [LEAST, MOST] = [18, 320]; // pixels of a cell's side
const NAMED = 84; // from which its class stands in it

export function AtlasView({ which }: { which: number }) {
  const site = useSite();
  const atlas = useData<Atlas>(site.atlas[which] ? `atlas/${which}` : null);
  if (!site.atlas.length) return <MissingPart what="atlas" text="No activation atlas was made of these images." />;
  if (!site.atlas[which] || atlas === null) return <NotThere text={`There is no atlas ${which}.`} />;
  if (!atlas) return <p class="atlas-page muted">Loading the atlas …</p>;
  return <Page which={which} atlas={atlas} />;
}

function Page({ which, atlas }: { which: number; atlas: Atlas }) {
  const site = useSite();
  const [chosen, setChosen] = useState<number | null>(null);
  const [text, setText] = useState("");
  const named = useMemo(() => matching(atlas, text), [atlas, text]);
  return (
    <div class="atlas-page">
      <div class="row atlas-tools">
        <h1>Atlas of {layerName(site, atlas.layer)}</h1>
        {site.atlas.length > 1 && (
          <label class="row">
            <span class="muted small">Layer</span>
            <select value={which} onChange={(event) => go(href.atlas(Number(event.currentTarget.value)))}>
              {site.atlas.map(({ layer }, place) => (
                <option key={place} value={place}>
                  {layerName(site, layer)}
                </option>
              ))}
            </select>
          </label>
        )}
        {atlas.cells.some(({ classes }) => classes.length) && (
          <input
            type="search"
            aria-label="Find cells by class"
            placeholder="Find a class"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        )}
        <span class="muted small" role="status">
          {named ? `${plural(named.size, "cell")} of ${count(atlas.cells.length)}` : plural(atlas.cells.length, "cell")}
        </span>
      </div>
      <div class="atlas-body">
        <Mosaic key={which} atlas={atlas} chosen={chosen} named={named} onChoose={setChosen} />
        <aside class="atlas-side">
          {chosen === null ? <About atlas={atlas} /> : <CellPanel atlas={atlas} place={chosen} onClose={() => setChosen(null)} />}
        </aside>
      </div>
    </div>
  );
}

/* Places of cells that speak for a class with this text; null where there is none. */
function matching(atlas: Atlas, text: string): Set<number> | null {
  const part = text.trim().toLowerCase();
  if (!part) return null;
  const found = atlas.cells.map(({ classes }, place) => (classes.some(([name]) => name.toLowerCase().includes(part)) ? place : -1));
  return new Set(found.filter((place) => place >= 0));
}

interface MosaicProps {
  atlas: Atlas;
  chosen: number | null;
  named: Set<number> | null;
  onChoose: (place: number | null) => void;
}

function Mosaic({ atlas, chosen, named, onChoose }: MosaicProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [side, setSide] = useState(0);
  const [focused, setFocused] = useState(0);
  const at = useMemo(() => new Map(atlas.cells.map((cell, place) => [`${cell.row} ${cell.column}`, place])), [atlas]);
  const anchor = useRef<{ x: number; y: number; left: number; top: number } | null>(null);

  const fitting = () => {
    const { clientWidth, clientHeight } = frame.current!;
    return clamp(Math.min(clientWidth / atlas.columns, clientHeight / atlas.rows));
  };
  useEffect(() => setSide(fitting()), []);
  const zoom = (factor: number, x = frame.current!.clientWidth / 2, y = frame.current!.clientHeight / 2) => {
    const { scrollLeft, scrollTop } = frame.current!;
    setSide((before) => {
      anchor.current = { x, y, left: (scrollLeft + x) / before, top: (scrollTop + y) / before };
      return clamp(before * factor);
    });
  };
  useEffect(() => {
    const kept = anchor.current;
    if (kept) frame.current!.scrollTo(kept.left * side - kept.x, kept.top * side - kept.y);
  }, [side]);
  useEffect(() => {
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = frame.current!.getBoundingClientRect();
      const turned = Math.max(-250, Math.min(250, event.deltaY * (event.deltaMode === 1 ? 16 : 1)));
      zoom(Math.exp(-turned * 0.002), event.clientX - box.left, event.clientY - box.top);
    };
    frame.current!.addEventListener("wheel", wheel, { passive: false });
    return () => frame.current?.removeEventListener("wheel", wheel);
  }, []);

  const step = (rows: number, columns: number) => {
    const { row, column } = atlas.cells[focused];
    for (let n = 1; n < Math.max(atlas.rows, atlas.columns); n++) {
      const place = at.get(`${row + n * rows} ${column + n * columns}`);
      if (place === undefined) continue;
      setFocused(place);
      frame.current!.querySelector<HTMLElement>(`[data-cell="${place}"]`)?.focus();
      return;
    }
  };
  const arrows = (event: KeyboardEvent) => {
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    step(way[0], way[1]);
  };
  useKeys([
    { key: "+", does: "zoom in", run: () => zoom(1.4) },
    { key: "=", does: "zoom in", run: () => zoom(1.4) },
    { key: "-", does: "zoom out", run: () => zoom(1 / 1.4) },
    { key: "0", does: "show the whole atlas", run: () => setSide(fitting()) },
    { key: "Escape", does: "close the cell", run: () => onChoose(null) },
  ]);
  const drag = useDrag(frame);
  return (
    <div class="atlas-stage">
      <div class="atlas-frame" ref={frame} {...drag}>
        <div
          class="atlas-grid"
          role="group"
          aria-label={`${plural(atlas.cells.length, "cell")} of a grid of ${atlas.rows} by ${atlas.columns}; arrows move from cell to cell`}
          style={{ width: `${side * atlas.columns}px`, height: `${side * atlas.rows}px` }}
          onKeyDown={arrows}
        >
          {side > 0 &&
            atlas.cells.map((cell, place) => (
              <button
                key={place}
                data-cell={place}
                class={`atlas-cell${named && !named.has(place) ? " atlas-dim" : ""}`}
                style={{ left: `${cell.column * side}px`, top: `${cell.row * side}px`, width: `${side}px`, height: `${side}px` }}
                aria-pressed={place === chosen}
                aria-label={inWords(cell)}
                title={inWords(cell)}
                tabIndex={place === focused ? 0 : -1}
                onFocus={() => setFocused(place)}
                onClick={() => onChoose(place)}
              >
                <Tile sheet={atlas.sheet} slot={place} alt="" size={side - 2} />
                {side >= NAMED && cell.classes.length > 0 && <span class="atlas-name">{cell.classes[0][0]}</span>}
              </button>
            ))}
        </div>
      </div>
      <div class="atlas-buttons" role="group" aria-label="View">
        <button aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoom(1.4)}>
          +
        </button>
        <button aria-label="Zoom out" title="Zoom out (-)" onClick={() => zoom(1 / 1.4)}>
          −
        </button>
        <button aria-label="Show the whole atlas" title="Show the whole atlas (0)" onClick={() => setSide(fitting())}>
          ⤢
        </button>
      </div>
    </div>
  );
}

function clamp(side: number): number {
  return Math.min(Math.max(side, LEAST), MOST);
}

function inWords({ count: positions, classes }: Cell): string {
  return [classes.map(([name]) => name).join(", "), plural(positions, "position")].filter(Boolean).join(": ");
}

/* A mouse drags the mosaic; a finger scrolls it as any page. */
function useDrag(frame: { current: HTMLDivElement | null }) {
  const from = useRef<{ x: number; y: number; moved: boolean } | null>(null);
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.pointerType === "mouse" && event.button === 0) from.current = { x: event.clientX, y: event.clientY, moved: false };
    },
    onPointerMove: (event: PointerEvent) => {
      const start = from.current;
      if (!start || !(event.buttons & 1)) return;
      if (!start.moved && Math.hypot(event.clientX - start.x, event.clientY - start.y) < 4) return;
      frame.current!.scrollBy(start.x - event.clientX, start.y - event.clientY);
      from.current = { x: event.clientX, y: event.clientY, moved: true };
    },
    onClickCapture: (event: MouseEvent) => {
      if (from.current?.moved) event.stopPropagation();
      from.current = null;
    },
  };
}

function CellPanel({ atlas, place, onClose }: { atlas: Atlas; place: number; onClose: () => void }) {
  const site = useSite();
  const cell = atlas.cells[place];
  const largest = Math.max(...cell.classes.map(([, value]) => Math.abs(value)), 1e-12);
  return (
    <section aria-label="Cell" aria-live="polite">
      <div class="row atlas-head">
        <h2>
          Row {cell.row + 1}, column {cell.column + 1}
        </h2>
        <button class="small" onClick={onClose}>
          Close
        </button>
      </div>
      <Tile sheet={atlas.sheet} slot={place} alt={`What the mean activation of this cell looks for: ${inWords(cell)}`} size={240} />
      <p class="muted small">
        The mean of {plural(cell.count, "position")} of <a href={href.layer(atlas.layer)}>{layerName(site, atlas.layer)}</a>.
      </p>
      {cell.classes.length > 0 && (
        <>
          <h3>Classes it adds most to</h3>
          <ol class="atlas-classes">
            {cell.classes.map(([name, value]) => (
              <li key={name}>
                <span class="atlas-class" title={name}>
                  {name}
                </span>
                <span class="atlas-bar" aria-hidden="true">
                  <span
                    class={value < 0 ? "atlas-below" : undefined}
                    style={{ width: `${(100 * Math.abs(value)) / largest}%` }}
                  />
                </span>
                <span class="number small">{figure(value)}</span>
              </li>
            ))}
          </ol>
        </>
      )}
      <h3>Pictures with positions here</h3>
      <div class="atlas-pictures">
        {cell.images.map((index) => (
          <a key={index} href={href.picture(index)} aria-label={`picture ${index}`}>
            {site.thumbnails ? <Thumbnail index={index} alt="" size={48} /> : <span class="chip">{index}</span>}
          </a>
        ))}
      </div>
    </section>
  );
}

function About({ atlas }: { atlas: Atlas }) {
  const total = atlas.cells.reduce((sum, cell) => sum + cell.count, 0);
  return (
    <section class="muted small">
      <p>
        Activations at {count(total)} positions of many pictures, laid out so that near ones are alike, and cut into a grid. Each
        picture was climbed for the mean activation of a cell: it shows what the layer sees there.
      </p>
      <p>Click a cell for its classes and pictures. Zoom with the wheel or + and −, drag to move.</p>
    </section>
  );
}
