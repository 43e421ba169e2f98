/* What of the tree is drawn now: closed parts as nodes, open ones as frames around theirs; and where dagre puts them. */
import dagre from "@dagrejs/dagre";
import type { Network } from "../data";
import type { Part, Tree } from "./tree";

export const WIDTH = 232;
export const HEIGHT = 46;
const TITLE = 18; // room above what a frame holds, for its title
const MOST = 420; // nodes laid out at once
const QUICK = 120; // beyond these nodes, a faster ranking

export interface Box {
  part: Part;
  x: number; // left
  y: number; // top
  width: number;
  height: number;
}
export interface Edge {
  from: string;
  to: string;
  path: string;
  skips: boolean; // passes other nodes by: a residual, a branch
}
export interface View {
  nodes: Box[];
  frames: Box[]; // of open parts, the outer before the inner
  edges: Edge[];
  width: number;
  height: number;
}

/* The closed parts that are drawn when `open` are open. */
export function shownParts(tree: Tree, open: ReadonlySet<string>): Part[] {
  const out: Part[] = [];
  const walk = (part: Part) => (part.parts.length && open.has(part.id) ? part.parts.forEach(walk) : void out.push(part));
  tree.root.parts.forEach(walk);
  return out;
}

/* Opens a part; where the map would hold too many nodes, all that is not around it is closed. */
export function withOpen(tree: Tree, open: ReadonlySet<string>, ids: string[]): { open: Set<string>; closed: boolean } {
  const more = new Set([...open, ...ids]);
  if (shownParts(tree, more).length <= MOST) return { open: more, closed: false };
  const kept = new Set(ids);
  for (const id of ids) {
    for (let outer = tree.byId.get(id)?.parent; outer?.parent; outer = outer.parent) kept.add(outer.id);
  }
  return { open: kept, closed: true };
}

/* As many parts open as the map holds, the outermost first. */
export function allOpen(tree: Tree): Set<string> {
  const open = new Set<string>();
  let shown = tree.root.parts.length;
  for (let level = tree.root.parts; level.length; level = level.flatMap((part) => (open.has(part.id) ? part.parts : []))) {
    for (const part of level) {
      if (!part.parts.length || shown + part.parts.length - 1 > MOST) continue;
      open.add(part.id);
      shown += part.parts.length - 1;
    }
  }
  return open;
}

export function viewOf(tree: Tree, network: Network, open: ReadonlySet<string>): View {
  const shown = shownParts(tree, open);
  const graph = new dagre.graphlib.Graph({ compound: true });
  const ranker = shown.length > QUICK ? "longest-path" : "network-simplex";
  graph.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 20, edgesep: 12, marginx: 12, marginy: 12, ranker });
  graph.setDefaultEdgeLabel(() => ({}));
  const frames = new Map<string, Part>();
  for (const part of shown) {
    graph.setNode(part.id, { width: WIDTH, height: HEIGHT });
    let inner = part;
    for (let outer = part.parent; outer?.parent; inner = outer, outer = outer.parent) {
      if (!frames.has(outer.id)) graph.setNode(outer.id, {});
      frames.set(outer.id, outer);
      graph.setParent(inner.id, outer.id);
    }
  }
  for (const [from, to] of edgesOf(network, shown)) graph.setEdge(from, to);
  dagre.layout(graph);
  return read(graph, shown, [...frames.values()]);
}

type Placed = { x: number; y: number; width: number; height: number };

function read(graph: InstanceType<typeof dagre.graphlib.Graph>, shown: Part[], frames: Part[]): View {
  const placed = (part: Part): Box => {
    const { x, y, width, height } = graph.node(part.id) as Placed;
    return { part, x: x - width / 2, y: y - height / 2, width, height };
  };
  const tops = [...new Set(frames.map((part) => Math.round(placed(part).y)))].sort((a, b) => a - b);
  const lower = (y: number, below = 0.6) => y + TITLE * tops.filter((top) => top <= y + below).length;
  const box = (part: Part): Box => {
    const { y, height, ...rest } = placed(part);
    const top = lower(y, part.parts.length && frames.includes(part) ? -0.6 : 0.6);
    return { ...rest, y: top, height: lower(y + height) - top };
  };
  const depth = (part: Part): number => (part.parent ? 1 + depth(part.parent) : 0);
  const nodes = shown.map(box);
  const rows = [...new Set(nodes.map(({ y }) => Math.round(y)))].sort((a, b) => a - b);
  const row = new Map(nodes.map(({ part, y }) => [part.id, rows.indexOf(Math.round(y))]));
  const edges = graph.edges().map(({ v, w }) => {
    const { points } = graph.edge(v, w) as { points: { x: number; y: number }[] };
    return { from: v, to: w, path: curve(points.map(({ x, y }) => ({ x, y: lower(y) }))), skips: Math.abs(row.get(w)! - row.get(v)!) > 1 };
  });
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return { nodes, frames: frames.sort((a, b) => depth(a) - depth(b)).map(box), edges, width, height: lower(height) };
}

/* Pairs of drawn parts between which values go, each once. */
function edgesOf(network: Network, shown: Part[]): [string, string][] {
  const drawn = new Map<number, string>();
  const mark = (part: Part, as: string) => (part.layer ? void drawn.set(part.layer.id, as) : part.parts.forEach((p) => mark(p, as)));
  shown.forEach((part) => mark(part, part.id));
  const seen = new Set<string>();
  const out: [string, string][] = [];
  network.reads.forEach((sources, to) => {
    for (const from of sources) {
      const [a, b] = [drawn.get(from), drawn.get(to)];
      if (!a || !b || a === b || seen.has(`${a} ${b}`)) continue;
      seen.add(`${a} ${b}`);
      out.push([a, b]);
    }
  });
  return out;
}

/* A smooth line from the first point to the last, drawn to those between: a cubic B-spline. */
function curve(points: { x: number; y: number }[]): string {
  const text = (...terms: [number, { x: number; y: number }][]) => {
    const total = terms.reduce((sum, [weight]) => sum + weight, 0);
    const of = (axis: "x" | "y") => terms.reduce((sum, [weight, point]) => sum + (weight * point[axis]) / total, 0);
    return `${of("x").toFixed(1)} ${of("y").toFixed(1)}`;
  };
  const [first, last] = [points[0], points[points.length - 1]];
  if (points.length < 3) return `M${text([1, first])}L${text([1, last])}`;
  let path = `M${text([1, first])}L${text([5, first], [1, points[1]])}`;
  for (let k = 2; k <= points.length; k++) {
    const [a, b, c] = [points[k - 2], points[k - 1], points[k] ?? last];
    path += `C${text([2, a], [1, b])} ${text([1, a], [2, b])} ${text([1, a], [4, b], [1, c])}`;
  }
  return `${path}L${text([1, last])}`;
}
