/* Addresses within the site: what follows "#" in the page's address.

`href` makes them, `parse` reads them, `useRoute` follows them. In a notebook's frame (about:srcdoc) a link to "#..." would
leave the page, so that links are followed here and the address is kept in memory where it cannot be in the bar. */
import { useEffect, useState } from "preact/hooks";
import type { LayerId } from "./data";

export type Route =
  | { page: "start" }
  | { page: "layer"; layer: LayerId }
  | { page: "unit"; layer: LayerId; unit: number }
  | { page: "pictures" }
  | { page: "picture"; index: number }
  | { page: "points"; which: number }
  | { page: "atlas"; which: number }
  | { page: "beside" }
  | { page: "unknown"; address: string };

/* Options stand behind "?": `href.pictures({ label: "cat" })` is "#/pictures?label=cat". */
export type Options = Record<string, string | number | undefined>;

export const href = {
  start: (options?: Options) => `#/${query(options)}`,
  layer: (id: LayerId, options?: Options) => `#/layer/${id}${query(options)}`,
  unit: (layer: LayerId, unit: number, options?: Options) => `#/unit/${layer}/${unit}${query(options)}`,
  pictures: (options?: Options) => `#/pictures${query(options)}`,
  picture: (index: number, options?: Options) => `#/picture/${index}${query(options)}`,
  points: (k = 0, options?: Options) => `#/points/${k}${query(options)}`,
  atlas: (k = 0, options?: Options) => `#/atlas/${k}${query(options)}`,
  beside: (options?: Options) => `#/beside${query(options)}`,
};

function query(options: Options = {}): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length ? "?" + new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString() : "";
}

const PATTERNS: [RegExp, (numbers: number[]) => Route][] = [
  [/^$/, () => ({ page: "start" })],
  [/^layer\/(\d+)$/, ([layer]) => ({ page: "layer", layer })],
  [/^unit\/(\d+)\/(\d+)$/, ([layer, unit]) => ({ page: "unit", layer, unit })],
  [/^pictures$/, () => ({ page: "pictures" })],
  [/^picture\/(\d+)$/, ([index]) => ({ page: "picture", index })],
  [/^points(?:\/(\d+))?$/, ([which]) => ({ page: "points", which: which || 0 })],
  [/^atlas(?:\/(\d+))?$/, ([which]) => ({ page: "atlas", which: which || 0 })],
  [/^beside$/, () => ({ page: "beside" })],
];

/* The page of an address: "#/unit/3/12" with or without options. */
export function parse(hash: string): Route {
  const path = hash.replace(/^#?\/?/, "").split("?")[0].replace(/\/$/, "");
  for (const [pattern, route] of PATTERNS) {
    const match = pattern.exec(path);
    if (match) return route(match.slice(1).map(Number));
  }
  return { page: "unknown", address: hash };
}

export function optionsOf(hash: string): URLSearchParams {
  return new URLSearchParams(hash.includes("?") ? hash.slice(hash.indexOf("?") + 1) : "");
}

const inFrame = window.location.protocol === "about:";
const followers = new Set<() => void>();
let inMemory = "#/";

export function address(): string {
  return inFrame ? inMemory : window.location.hash || "#/";
}

/* Goes to an address made by `href`; `replace` leaves no trace in the history (for options of the page at hand). */
export function go(to: string, { replace = false } = {}): void {
  if (inFrame) {
    inMemory = to;
    followers.forEach((follow) => follow());
  } else if (replace) {
    window.history.replaceState(window.history.state, "", to);
    followers.forEach((follow) => follow());
  } else {
    window.location.hash = to;
  }
}

/* The address within a component, which is drawn again when it changes. */
export function useAddress(): string {
  const [now, setNow] = useState(address());
  useEffect(() => {
    const follow = () => setNow(address());
    followers.add(follow);
    window.addEventListener("hashchange", follow);
    follow();
    return () => {
      followers.delete(follow);
      window.removeEventListener("hashchange", follow);
    };
  }, []);
  return now;
}

/* Where the bar cannot hold the address, links are followed here. */
export function followLinks(start?: string): void {
  if (start) inMemory = start;
  if (!inFrame) return;
  document.addEventListener("click", (event) => {
    const link = (event.target as Element | null)?.closest?.("a[href^='#']");
    if (!link) return;
    event.preventDefault();
    go(link.getAttribute("href") ?? "#/");
  });
}
