/* The data of a site: scripts `data/KEY.js`, each of which calls `crosslens.put(KEY, VALUE)`.

A page opened from disk may neither fetch files nor import modules; it may add classic scripts. Data may also be put
before a page asks for them: then a notebook holds them inline. */
import { useEffect, useState } from "preact/hooks";

type Put = (key: string, value: unknown) => void;
declare global {
  interface Window {
    crosslens?: { put: Put; queue?: [string, unknown][] };
  }
}

const KEPT = 300; // values loaded from files; the least recently used go first
const embedded = new Map<string, unknown>();
const loaded = new Map<string, unknown>();
const missing = new Set<string>();
const requests = new Map<string, Promise<unknown>>();
const awaited = new Map<string, (value: unknown) => void>();
let base = "data/";

/* Makes the global `crosslens.put`, and takes what was put into `crosslens.queue` before. */
export function openDoor(): void {
  const early = window.crosslens?.queue ?? [];
  window.crosslens = { put };
  early.forEach(([key, value]) => put(key, value));
}

export function setBase(folder: string): void {
  base = folder;
}

function put(key: string, value: unknown): void {
  const resolve = awaited.get(key);
  if (!resolve) {
    embedded.set(key, value);
    missing.delete(key);
    return;
  }
  awaited.delete(key);
  remember(key, value);
  resolve(value);
}

function remember(key: string, value: unknown): void {
  loaded.delete(key);
  loaded.set(key, value);
  for (const oldest of loaded.keys()) {
    if (loaded.size <= KEPT) break;
    loaded.delete(oldest);
  }
}

/* What is there already, without waiting; null where it is known to be missing. */
export function peek<T>(key: string): T | undefined | null {
  if (embedded.has(key)) return embedded.get(key) as T;
  if (loaded.has(key)) {
    remember(key, loaded.get(key));
    return loaded.get(key) as T;
  }
  return missing.has(key) ? null : undefined;
}

/* The value of a key such as "layers/3"; one request a key, however often it is asked for.

Rejects where there is no such file. */
export function load<T>(key: string): Promise<T> {
  const here = peek<T>(key);
  if (here !== undefined && here !== null) return Promise.resolve(here);
  if (here === null) return Promise.reject(new Error(absent(key)));
  const under_way = requests.get(key);
  if (under_way) return under_way as Promise<T>;
  const request = new Promise<unknown>((resolve, reject) => addScript(key, resolve, reject));
  requests.set(key, request);
  const done = () => requests.delete(key);
  request.then(done, done);
  return request as Promise<T>;
}

function addScript(key: string, resolve: (value: unknown) => void, reject: (reason: Error) => void): void {
  const script = document.createElement("script");
  const fail = () => {
    script.remove();
    if (!awaited.delete(key)) return;
    missing.add(key);
    reject(new Error(absent(key)));
  };
  awaited.set(key, resolve);
  script.src = `${base}${key}.js`;
  script.onerror = fail;
  script.onload = fail; // where the file did not put its key
  document.head.append(script);
}

/* Lets a value go that its reader has made something else of; it is loaded again when it is asked for. */
export function forget(key: string): void {
  loaded.delete(key);
}

function absent(key: string): string {
  return `data/${key}.js is missing or cannot be read`;
}

/* The value of a key within a component: undefined while it loads, null where it is missing or no key is given. */
export function useData<T>(key: string | null): T | undefined | null {
  const [, setTurn] = useState(0);
  const value = key === null ? null : peek<T>(key);
  useEffect(() => {
    if (key === null || value !== undefined) return undefined; // not `peek`: it may have come since this was drawn
    let wanted = true;
    const again = () => wanted && setTurn((turn) => turn + 1);
    load(key).then(again, again);
    return () => {
      wanted = false;
    };
  }, [key, value === undefined]);
  return value;
}
