/* The network's map: nodes that open and close, edges, a camera, keys. */
import type { ZoomTransform } from "d3-zoom";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LayerId, LayerLine, Network, Site } from "../data";
import { useKeys } from "../keys";
import { useCamera, type Camera } from "./camera";
import { amount, Node, type Quantity } from "./node";
import { Preview } from "./preview";
import { allOpen, curve, edgesAt, viewOf, withOpen, type Box, type Edge, type View } from "./view";
import { around, nameWithin, openAtFirst, treeOf, type Part, type Tree } from "./tree";

const HINT =
  "Click a stack of layers to open it, a layer to see its units. Drag to move; click, then scroll to zoom. " +
  "Dashed lines skip layers; an orange bar is the share of dead units.";

interface Kept {
  site: Site | null;
  open: ReadonlySet<string>;
  by: Quantity;
  transform: ZoomTransform | null;
}
/* How the map was left, for the way back from a layer's page. */
const kept: Kept = { site: null, open: new Set(), by: "parameters", transform: null };

const QUANTITIES: [Quantity, string][] = [
  ["parameters", "parameters"],
  ["flops", "FLOPs"],
  ["dead", "dead units"],
];

interface Props {
  site: Site;
  network: Network;
  at: LayerId | null; // a layer to be shown
}

export function NetworkMap({ site, network, at }: Props) {
  const tree = useMemo(() => treeOf(site, network), [site, network]);
  const fresh = kept.site !== site;
  if (fresh) Object.assign(kept, { site, open: openAtFirst(tree), transform: null });
  const [open, setOpen] = useState(kept.open);
  const [by, setBy] = useState<Quantity>(kept.by);
  const [hovered, setHovered] = useState<string | null>(null);
  const [note, setNote] = useState("");
  kept.open = open;
  kept.by = by;
  const view = useMemo(() => viewOf(tree, open), [tree, open]);
  const near = useMemo(() => edgesAt(view, hovered), [view, hovered]);
  const pane = useRef<HTMLDivElement>(null);
  const world = useRef<HTMLDivElement>(null);
  const camera = useCamera(pane, world, view, kept);
  const held = useRef<{ before: Box; id: string } | null>(null);
  useFirstLook(camera, kept.transform, fresh, at, tree, setOpen, view);
  useEffect(() => {
    if (at === null) return undefined;
    const frame = requestAnimationFrame(() => pane.current?.scrollIntoView({ block: "center" }));
    return () => cancelAnimationFrame(frame);
  }, [at]);

  useLayoutEffect(() => {
    if (!held.current) return;
    const { before, id } = held.current;
    const after = boxOf(view, id);
    if (after) camera.hold(before, after);
    focusPart(pane.current, tree.byId.get(id)?.parts[0]?.id ?? id) || focusPart(pane.current, id);
    held.current = null;
  }, [view]);

  const change = (part: Part, next: { open: Set<string>; closed: boolean }) => {
    const before = boxOf(view, part.id);
    if (before) held.current = { before, id: part.id };
    setNote(next.closed ? "Other parts were closed: the map holds so many nodes at once." : "");
    setHovered(null);
    setOpen(next.open);
  };
  const openPart = (part: Part) => change(part, withOpen(tree, open, [part.id]));
  const closePart = (part: Part) => change(part, { open: without(open, part), closed: false });
  useMapKeys(camera);
  return (
    <section class="map" aria-label="Map of the network">
      <Toolbar by={by} setBy={setBy} camera={camera} />
      <div class="map-stage">
        <div
          class="map-pane"
          ref={pane}
          tabIndex={0}
          aria-label="Map; arrow keys move it, plus and minus zoom, Tab goes through its nodes"
          onKeyDown={(event) => onPaneKey(event, camera, view)}
        >
          <div class={`map-world ${hovered ? "map-hovered" : ""}`} ref={world} style={{ width: `${view.width}px`, height: `${view.height}px` }}>
            <Frames view={view} onClose={closePart} />
            <Edges view={view} near={near.edges} />
            <Nodes view={view} by={by} at={at} near={near.ends} setHovered={setHovered} onOpen={openPart} />
          </div>
        </div>
        <Preview line={hovered ? lastWithPage(tree.byId.get(hovered)) : null} />
      </div>
      <div class="row map-under">
        <span class="muted small" role="status">
          {note || HINT}
        </span>
        <span class="row">
          <button type="button" onClick={() => setOpen(allOpen(tree))}>
            Open all
          </button>
          <button type="button" onClick={() => setOpen(new Set())}>
            Close all
          </button>
        </span>
      </div>
    </section>
  );
}

function useFirstLook(
  camera: Camera,
  last: ZoomTransform | null,
  fresh: boolean,
  at: LayerId | null,
  tree: Tree,
  setOpen: (open: ReadonlySet<string>) => void,
  view: View,
): void {
  const wanted = at === null ? undefined : tree.ofLayer[at];
  useLayoutEffect(() => {
    if (fresh || !last) camera.begin();
    else camera.restore(last);
  }, []);
  useEffect(() => {
    if (wanted) setOpen(withOpen(tree, kept.open, around(wanted).map(({ id }) => id)).open);
  }, [wanted]);
  const box = wanted && boxOf(view, wanted.id);
  useEffect(() => {
    if (box) camera.centre(box);
  }, [wanted, Boolean(box)]);
}

function useMapKeys(camera: Camera): void {
  useKeys([
    { key: "+", does: "zoom the map in", run: () => camera.by(1.25) },
    { key: "-", does: "zoom the map out", run: () => camera.by(0.8) },
    { key: "f", does: "show the whole map", run: () => camera.fit() },
  ]);
}

/* The layer itself, or in a closed part the last one whose units have pages. */
function lastWithPage(part: Part | undefined): LayerLine | null {
  if (!part) return null;
  if (part.layer) return part.layer.page ? part.layer : null;
  return part.parts.reduce<LayerLine | null>((last, inner) => lastWithPage(inner) ?? last, null);
}

function boxOf(view: View, id: string): Box | undefined {
  return view.nodes.find(({ part }) => part.id === id) ?? view.frames.find(({ part }) => part.id === id);
}

function without(open: ReadonlySet<string>, part: Part): Set<string> {
  const left = new Set(open);
  const close = (inner: Part) => {
    left.delete(inner.id);
    inner.parts.forEach(close);
  };
  close(part);
  return left;
}

function focusPart(pane: HTMLElement | null, id: string): boolean {
  const node = pane?.querySelector<HTMLElement>(`.node[data-part="${id}"]`);
  node?.focus({ preventScroll: true });
  return Boolean(node);
}

const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [1, 0],
  ArrowRight: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/* Arrows on a node go to the nearest node in that direction, on the map itself they move it. */
function onPaneKey(event: KeyboardEvent, camera: Camera, view: View): void {
  if (event.key === "Escape") (document.activeElement as HTMLElement | null)?.blur(); // and the wheel scrolls the page again
  const step = STEPS[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const id = (event.target as HTMLElement).dataset.part;
  const from = id ? boxOf(view, id) : undefined;
  if (!from) return camera.pan(step[0] * 80, step[1] * 80);
  const to = nearest(view, from, [-step[0], -step[1]]);
  if (!to) return undefined;
  focusPart(event.currentTarget as HTMLElement, to.part.id);
  return camera.see(to);
}

function nearest(view: View, from: Box, [dx, dy]: [number, number]): Box | null {
  let found: Box | null = null;
  let least = Infinity;
  for (const box of view.nodes) {
    const along = (box.x - from.x) * dx + (box.y - from.y) * dy;
    const aside = Math.abs((box.x - from.x) * dy) + Math.abs((box.y - from.y) * dx);
    const cost = along + 2 * aside;
    if (along > 4 && cost < least) [found, least] = [box, cost];
  }
  return found;
}

function Toolbar({ by, setBy, camera }: { by: Quantity; setBy: (by: Quantity) => void; camera: Camera }) {
  return (
    <div class="row map-tools">
      <h2>The network</h2>
      <label class="muted small">
        Bars show{" "}
        <select value={by} onChange={(event) => setBy(event.currentTarget.value as Quantity)}>
          {QUANTITIES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <span class="row map-zoom">
        <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => camera.by(1.25)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" title={"Zoom out (\u2212)"} onClick={() => camera.by(0.8)}>
          {"\u2212"}
        </button>
        <button type="button" title="Show the whole map (f)" onClick={() => camera.fit()}>
          Fit
        </button>
      </span>
    </div>
  );
}

function Frames({ view, onClose }: { view: View; onClose: (part: Part) => void }) {
  return (
    <>
      {view.frames.map(({ part, x, y, width, height }) => (
        <div key={part.id} class="frame" style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}>
          <button type="button" class="frame-title" aria-expanded title={`Close ${part.title}`} onClick={() => onClose(part)}>
            <span>{nameWithin(part)}</span>
            {part.times > 1 && <i>{`\u00d7\u2009${part.times}`}</i>}
          </button>
        </div>
      ))}
    </>
  );
}

function Edges({ view, near }: { view: View; near: ReadonlySet<Edge> }) {
  return (
    <svg class="edges" width={view.width} height={view.height} aria-hidden="true">
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">
          <path d="M0 0.5 8 4 0 7.5z" />
        </marker>
      </defs>
      {view.edges.map((edge) => (
        <path
          key={`${edge.from} ${edge.to}`}
          d={curve(edge.points)}
          class={`${edge.skips ? "edge-skips" : ""} ${near.has(edge) ? "edge-near" : ""}`}
          marker-end={edge.ends ? "url(#arrow)" : undefined}
        />
      ))}
    </svg>
  );
}

interface NodesProps {
  view: View;
  by: Quantity;
  at: LayerId | null;
  near: ReadonlySet<string>;
  setHovered: (id: string | null) => void;
  onOpen: (part: Part) => void;
}

function Nodes({ view, by, at, near, setHovered, onOpen }: NodesProps) {
  const most = Math.max(0, ...view.nodes.map(({ part }) => amount(part, by) ?? 0));
  return (
    <>
      {view.nodes.map((box) => {
        const { id, layer } = box.part;
        const much = amount(box.part, by);
        const state = at !== null && layer?.id === at ? "chosen" : near.has(id) ? "near" : "";
        const share = much === null || !most ? null : by === "dead" ? much : much / most;
        return <Node key={id} box={box} share={share} state={state} onOpen={onOpen} onHover={setHovered} />;
      })}
    </>
  );
}
