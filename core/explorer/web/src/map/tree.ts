/* The network as a tree that folds: layers in groups, neighbouring groups of one structure in runs ("x 3"). */
import type { LayerId, LayerLine, Network, Site } from "../data";

export interface Part {
  id: string; // "L12" a layer, "G3" a group, "R3" a run of groups from group 3 on, "S12" a stretch of layers from 12 on
  title: string;
  layer: LayerLine | null;
  parts: Part[]; // in execution order; none in a layer
  times: number; // groups in a run, else 1
  first: LayerId;
  layers: number;
  units: number;
  parameters: number;
  flops: number | null;
  dead: number | null;
  parent: Part | null;
  alike: number | null; // of a group: groups of one number have one structure
}

const STRETCH = 60; // more parts than these side by side are folded into stretches

export interface Tree {
  root: Part;
  byId: Map<string, Part>;
  ofLayer: Part[]; // the part of each layer
  edgesIn: (part: Part) => [string, string][]; // between its parts, and to and from its ports "ID:in", "ID:out"
}

export function treeOf(site: Site, network: Network): Tree {
  const children = childrenOf(site, network);
  const groupPart = (group: number): Part => {
    const { title, parameters, flops, dead, alike } = network.groups[group];
    const part = together(`G${group}`, title, partsOf(group));
    return { ...part, parameters, flops, dead, alike };
  };
  const partsOf = (group: number | null): Part[] => {
    const parts = (children.get(group) ?? []).map((child) =>
      typeof child === "number" ? groupPart(child) : layerPart(child),
    );
    return stretches(runs(parts.sort((a, b) => a.first - b.first)));
  };
  const root = together("root", site.model.name, partsOf(null));
  const tree: Tree = { root, byId: new Map(), ofLayer: [], edgesIn: (part) => edges.get(part.id) ?? [] };
  index(root, null, tree);
  const edges = edgesByPart(tree, network);
  return tree;
}

/* By group, the groups (numbers) and layers (lines) that lie directly in it. */
function childrenOf(site: Site, network: Network): Map<number | null, (number | LayerLine)[]> {
  const children = new Map<number | null, (number | LayerLine)[]>();
  const held = new Set<number>();
  const add = (parent: number | null, child: number | LayerLine) => {
    const list = children.get(parent);
    if (list) list.push(child);
    else children.set(parent, [child]);
  };
  for (const line of site.layers) {
    let group = network.group_of[line.id] ?? null;
    add(group, line);
    while (group !== null && !held.has(group)) {
      held.add(group);
      const parent: number | null = network.groups[group].parent;
      add(parent, group);
      group = parent;
    }
  }
  return children;
}

function layerPart(line: LayerLine): Part {
  const { id, name, units, parameters, flops, dead } = line;
  const sums = { layers: 1, units, parameters, flops, dead };
  return { id: `L${id}`, title: name, layer: line, parts: [], times: 1, first: id, parent: null, alike: null, ...sums };
}

function together(id: string, title: string, parts: Part[], times = 1): Part {
  const sum = (get: (part: Part) => number | null) =>
    parts.reduce<number | null>((total, part) => (get(part) === null ? total : (total ?? 0) + get(part)!), null);
  return {
    ...{ id, title, layer: null, parts, times, parent: null, alike: null },
    first: parts.length ? parts[0].first : 0,
    layers: sum((part) => part.layers) ?? 0,
    units: sum((part) => (part.dead === null ? null : part.units)) ?? 0,
    parameters: sum((part) => part.parameters) ?? 0,
    flops: sum((part) => part.flops),
    dead: sum((part) => part.dead),
  };
}

/* Neighbours of one structure as one part, unless they are all there is. */
function runs(parts: Part[]): Part[] {
  const out: Part[] = [];
  for (let at = 0, end = 0; at < parts.length; at = end) {
    const { alike } = parts[at];
    for (end = at + 1; alike !== null && parts[end]?.alike === alike; ) end++;
    const run = parts.slice(at, end);
    const title = fromTo(run);
    if (run.length > 1 && run.length < parts.length) out.push(together(`R${run[0].id.slice(1)}`, title, run, run.length));
    else out.push(...run);
  }
  return out;
}

function stretches(parts: Part[]): Part[] {
  if (parts.length <= STRETCH) return parts;
  const size = Math.ceil(Math.sqrt(parts.length));
  const out: Part[] = [];
  for (let at = 0; at < parts.length; at += size) {
    const some = parts.slice(at, at + size);
    out.push(together(`S${some[0].first}`, fromTo(some), some));
  }
  return stretches(out);
}

/* "blocks.3 \u2026 5": the first name, and of the last one what differs, by whole words. */
function fromTo(parts: Part[]): string {
  const [first, last] = [parts[0].title, parts[parts.length - 1].title];
  let alike = 0;
  for (let at = 0; at < last.length && first[at] === last[at]; at++) if (/[./:]/.test(last[at])) alike = at + 1;
  return first === last ? first : `${first} \u2026 ${last.slice(alike)}`;
}

function index(part: Part, parent: Part | null, tree: Tree): void {
  part.parent = parent;
  tree.byId.set(part.id, part);
  if (part.layer) tree.ofLayer[part.layer.id] = part;
  part.parts.forEach((child) => index(child, part, tree));
}

/* Where values go, level by level: between the parts of each part, and through its ports to others. */
function edgesByPart(tree: Tree, network: Network): Map<string, [string, string][]> {
  const edges = new Map<string, [string, string][]>();
  const seen = new Set<string>();
  const add = (within: Part, from: string, to: string) => {
    const name = `${within.id} ${from} ${to}`;
    if (from === to || seen.has(name)) return;
    seen.add(name);
    const list = edges.get(within.id);
    if (list) list.push([from, to]);
    else edges.set(within.id, [[from, to]]);
  };
  network.reads.forEach((sources, reader) => {
    for (const source of sources) {
      const [a, b] = [lineage(tree.ofLayer[source]), lineage(tree.ofLayer[reader])];
      let level = 0; // of the innermost part around both
      while (a[level + 1] && a[level + 1] === b[level + 1]) level++;
      if (!a[level + 1] || !b[level + 1]) continue;
      add(a[level], a[level + 1].id, b[level + 1].id);
      for (let k = level + 1; k < a.length - 1; k++) add(a[k], a[k + 1].id, `${a[k].id}:out`);
      for (let k = level + 1; k < b.length - 1; k++) add(b[k], `${b[k].id}:in`, b[k + 1].id);
    }
  });
  return edges;
}

/* From the root to the part itself. */
function lineage(part: Part | undefined): Part[] {
  const out: Part[] = [];
  for (let at: Part | null = part ?? null; at; at = at.parent) out.unshift(at);
  return out;
}

/* The parts around one, the innermost first, without the root. */
export function around(part: Part): Part[] {
  const out: Part[] = [];
  for (let outer = part.parent; outer?.parent; outer = outer.parent) out.push(outer);
  return out;
}

/* What is open at first: all parts side by side or none, as long as the map stays small enough to be read at once. */
export function openAtFirst(tree: Tree, most = 30): Set<string> {
  const open = new Set<string>();
  let shown = tree.root.parts.length;
  for (let level = [tree.root]; level.length; ) {
    const next: Part[] = [];
    for (const outer of level) {
      const folded = outer.parts.filter((part) => part.parts.length);
      const more = folded.reduce((sum, part) => sum + part.parts.length - 1, 0);
      if (!folded.length || shown + more > most) continue;
      shown += more;
      folded.forEach(({ id }) => open.add(id));
      next.push(...folded);
    }
    level = next;
  }
  return open;
}

/* A part's name within the group whose frame it stands in: "conv" in "blocks.3" for "blocks.3.conv", but not "3". */
export function nameWithin(part: Part): string {
  for (const { id, title } of around(part)) {
    const rest = part.title.slice(title.length);
    if (id[0] !== "G" || !part.title.startsWith(title) || !/^[./:_]+[^./:_]/.test(rest)) continue;
    const name = rest.replace(/^[./:_]+/, "");
    return /^[a-z]/i.test(name) ? name : title.replace(/.*[./:]/, "") + rest;
  }
  return part.title;
}
