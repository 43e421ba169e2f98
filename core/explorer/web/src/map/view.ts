/* What of the tree is drawn now: closed parts as nodes, open ones as frames that hold their own small layout.

Each open part is laid out by itself (dagre) and then is one node of the part around it, so that opening one leaves the
inside of all others as it was, and a network of thousands of layers is many small graphs. An edge that enters or leaves
a frame does so at one port in its upper or lower border. */
import dagre from "@dagrejs/dagre";
import type { Part, Tree } from "./tree";

export const WIDTH = 232;
export const HEIGHT = 46;
const TITLE = 20; // room above what a frame holds, for its title
const PAD = 12;
const DENSE = 8; // parts that the edges of a part pass, for each of its parts, beyond which not all are routed
const BULGE = 60; // room at the right of those that are not routed
const MOST = 420; // nodes drawn at once

export interface Point {
  x: number;
  y: number;
}
export interface Box extends Point {
  part: Part; // x, y: its upper left corner
  width: number;
  height: number;
}
/* Ends are ids of parts, or "G3:in" and "G3:out" for the ports of an open part. */
export interface Edge {
  from: string;
  to: string;
  points: Point[];
  skips: boolean; // passes other nodes by: a residual, a branch
  ends: boolean; // at a node, with an arrow; not at the border of a frame
}
export interface View {
  nodes: Box[];
  frames: Box[]; // of open parts, the outer before the inner
  edges: Edge[];
  width: number;
  height: number;
}
interface Layout extends View {
  ports: { in?: number; out?: number }; // where the ports are, from the left
}

/* The closed parts that are drawn when `open` are open. */
export function shownParts(tree: Tree, open: ReadonlySet<string>): Part[] {
  const out: Part[] = [];
  const walk = (part: Part) => (part.parts.length && open.has(part.id) ? part.parts.forEach(walk) : void out.push(part));
  tree.root.parts.forEach(walk);
  return out;
}

/* Opens parts; where the map would hold too many nodes, all that is not around them is closed. */
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

export function viewOf(tree: Tree, open: ReadonlySet<string>): View {
  return layoutOf(tree, tree.root, open);
}

const kept = new WeakMap<Part, Map<string, Layout>>();

/* The inside of an open part, kept by what is open in it. */
function layoutOf(tree: Tree, part: Part, open: ReadonlySet<string>): Layout {
  const inner = new Map(part.parts.filter((child) => isOpen(child, open)).map((child) => [child.id, layoutOf(tree, child, open)]));
  const name = openWithin(part, open).join();
  const known = kept.get(part) ?? new Map<string, Layout>();
  kept.set(part, known);
  let layout = known.get(name);
  if (!layout) known.set(name, (layout = arrange(tree, part, inner)));
  return layout;
}

function isOpen(part: Part, open: ReadonlySet<string>): boolean {
  return part.parts.length > 0 && open.has(part.id);
}

function openWithin(part: Part, open: ReadonlySet<string>): string[] {
  return part.parts.flatMap((child) => (isOpen(child, open) ? [child.id, ...openWithin(child, open)] : []));
}

type Graph = InstanceType<typeof dagre.graphlib.Graph>;

function arrange(tree: Tree, part: Part, inner: Map<string, Layout>): Layout {
  const graph: Graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 20, edgesep: 12, marginx: PAD, marginy: part.parent ? 4 : PAD });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const child of part.parts) {
    const { width, height } = inner.get(child.id) ?? { width: WIDTH, height: HEIGHT };
    graph.setNode(child.id, { width, height });
  }
  const { routed, aside } = sorted(part, tree.edgesIn(part));
  for (const [from, to] of routed) {
    for (const port of [from, to]) if (port.includes(":")) graph.setNode(port, { width: 1, height: 1 });
    graph.setEdge(from, to);
  }
  dagre.layout(graph);
  return read(graph, part, inner, routed, aside);
}

type Pair = [string, string];

/* Edges that dagre routes, and those that are drawn aside: where all layers read all before them, as in a DenseNet, the
shortest edges of each part tell the order, and dagre would make a wide tangle of the others. */
function sorted(part: Part, edges: Pair[]): { routed: Pair[]; aside: Pair[] } {
  const place = new Map(part.parts.map(({ id }, at) => [id, at]));
  const at = (end: string) => place.get(end) ?? (end.endsWith(":in") ? -1 : part.parts.length);
  const span = ([from, to]: Pair) => Math.abs(at(to) - at(from));
  if (edges.reduce((sum, edge) => sum + span(edge), 0) <= DENSE * part.parts.length) return { routed: edges, aside: [] };
  const out: { routed: Pair[]; aside: Pair[] } = { routed: [], aside: [] };
  const met = new Set<string>();
  for (const edge of [...edges].sort((a, b) => span(a) - span(b))) {
    const needed = !met.has(`from ${edge[0]}`) || !met.has(`to ${edge[1]}`);
    (needed ? out.routed : out.aside).push(edge);
    met.add(`from ${edge[0]}`).add(`to ${edge[1]}`);
  }
  return out;
}

/* What dagre found, with the insides of open parts put in their places. */
function read(graph: Graph, part: Part, inner: Map<string, Layout>, routed: Pair[], aside: Pair[]): Layout {
  const top = part.parent ? TITLE : 0;
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const boxes = new Map<string, Box>();
  for (const child of part.parts) {
    const at = graph.node(child.id) as { x: number; y: number; width: number; height: number };
    const box = { part: child, x: at.x - at.width / 2, y: at.y - at.height / 2 + top, width: at.width, height: at.height };
    boxes.set(child.id, box);
  }
  const port = (way: string) => (graph.node(`${part.id}:${way}`) as Point | undefined)?.x;
  const out: Layout = { nodes: [], frames: [], edges: [], width, height: height + top, ports: { in: port("in"), out: port("out") } };
  for (const [from, to] of routed) {
    const { points } = graph.edge(from, to) as { points: Point[] };
    const moved = points.map(({ x, y }) => ({ x, y: y + top }));
    out.edges.push(drawn(from, to, moved, boxes, inner, out));
  }
  if (aside.length) out.width += BULGE;
  for (const [from, to] of aside) out.edges.push(beside(from, to, boxes, out));
  for (const box of boxes.values()) place(out, box, inner.get(box.part.id));
  return out;
}

/* An edge between parts that lie side by side, from port to port where they are open. */
function drawn(from: string, to: string, points: Point[], boxes: Map<string, Box>, inner: Map<string, Layout>, around: Layout): Edge {
  const [a, b] = [boxes.get(from), boxes.get(to)];
  const last = points.length - 1;
  if (!a) points.unshift({ x: around.ports.in ?? 0, y: 0 });
  else if (inner.has(from)) points[0] = { x: a.x + (inner.get(from)!.ports.out ?? a.width / 2), y: a.y + a.height };
  if (!b) points.push({ x: around.ports.out ?? 0, y: around.height });
  else if (inner.has(to)) points[a ? last : last + 1] = { x: b.x + (inner.get(to)!.ports.in ?? b.width / 2), y: b.y };
  const [upper, lower] = [a ? a.y + a.height : 0, b ? b.y : around.height];
  const between = [...boxes.values()].some(({ y, height }) => y >= upper - 1 && y + height <= lower + 1);
  return { from, to, points, skips: between, ends: Boolean(b) && !inner.has(to) };
}

/* An edge along the right side. */
function beside(from: string, to: string, boxes: Map<string, Box>, around: Layout): Edge {
  const end = (id: string, port: number | undefined, y: number): Point => {
    const box = boxes.get(id);
    return box ? { x: box.x + box.width, y: box.y + box.height / 2 } : { x: port ?? around.width / 2, y };
  };
  const [a, b] = [end(from, around.ports.in, 0), end(to, around.ports.out, around.height)];
  const out = Math.max(a.x, b.x) + Math.min(BULGE, 10 + Math.abs(b.y - a.y) / 12) * 1.4;
  const bend = (y: number) => ({ x: out, y });
  return { from, to, points: [a, bend(a.y + (b.y - a.y) / 4), bend(a.y + ((b.y - a.y) * 3) / 4), b], skips: true, ends: boxes.has(to) };
}

function place(into: Layout, box: Box, layout: Layout | undefined): void {
  if (!layout) return void into.nodes.push(box);
  const move = <T extends Point>(at: T): T => ({ ...at, x: at.x + box.x, y: at.y + box.y });
  into.frames.push(box, ...layout.frames.map(move));
  into.nodes.push(...layout.nodes.map(move));
  into.edges.push(...layout.edges.map((edge) => ({ ...edge, points: edge.points.map(move) })));
}

/* The edges that lead to and from a node, followed through the ports of frames to other nodes. */
export function edgesAt(view: View, id: string | null): { edges: Set<Edge>; ends: Set<string> } {
  const found = { edges: new Set<Edge>(), ends: new Set<string>() };
  if (id === null) return found;
  const open = new Set(view.frames.map(({ part }) => part.id));
  const follow = (end: string, ahead: boolean) => {
    for (const edge of view.edges) {
      if ((ahead ? edge.from : edge.to) !== end || found.edges.has(edge)) continue;
      found.edges.add(edge);
      const other = ahead ? edge.to : edge.from;
      if (other.includes(":")) follow(other.split(":")[0], ahead);
      else if (open.has(other)) follow(`${other}:${ahead ? "in" : "out"}`, ahead);
      else found.ends.add(other);
    }
  };
  follow(id, true);
  follow(id, false);
  return found;
}

/* A smooth line from the first point to the last, drawn to those between: a cubic B-spline. */
export function curve(points: Point[]): string {
  const text = (...terms: [number, Point][]) => {
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
