/* What every page knows: the value "site", handed down from the top. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { LayerId, LayerLine, Missing, Site } from "./data";

export const SiteContext = createContext<Site | null>(null);

/* The site within a component; `app.tsx` renders no page before it is there. */
export function useSite(): Site {
  const site = useContext(SiteContext);
  if (!site) throw new Error("no site is loaded");
  return site;
}

export function layerOf(site: Site, id: LayerId): LayerLine | undefined {
  return site.layers[id];
}

/* A layer's name as a reader sees it; the same words everywhere. */
export function layerName(site: Site, id: LayerId): string {
  return site.layers[id]?.name ?? `layer ${id}`;
}

export function commandFor(site: Site, what: Missing): string {
  return site.commands[what] ?? "";
}

/* Whether a picture has a page of its own. */
export function hasPage(site: Site, image: number): boolean {
  return pageSet(site).has(image);
}

const sets = new WeakMap<Site, Set<number>>();
function pageSet(site: Site): Set<number> {
  let set = sets.get(site);
  if (!set) sets.set(site, (set = new Set(site.pictures)));
  return set;
}

/* What a unit stands for where a layer has one for each class: the class's name; null elsewhere. */
export function unitClass(site: Site, layer: LayerId, unit: number): string | null {
  const line = site.layers[layer];
  const perClass = line?.shape.length === 1 && line.units === site.classes.length;
  return perClass ? (site.classes[unit] ?? null) : null;
}

/* The class or label as text; "class 12" where it has no name. */
export function className(site: Site, index: number): string {
  return site.classes[index] ?? `class ${index}`;
}

/* The layout that is shown first: of the deepest layer, or of the last checkpoint. */
export function lastLayout(site: Site): number {
  return Math.max(site.points.length - 1, 0);
}
