/* Keys that do something on a page, with what they do: one list for the pages and for the help. */
import { useLayoutEffect, useRef } from "preact/hooks";

export interface Key {
  key: string; // as KeyboardEvent.key has it: "ArrowLeft", "u", "/"
  does: string; // for the help: "previous unit"
  run: (event: KeyboardEvent) => void;
}

interface Holder {
  current: Key[];
}
let holders: Holder[] = [];

/* Keys that work while the component is shown; the component shown last comes first. What is false or null is left out. */
export function useKeys(keys: (Key | false | null | undefined)[]): void {
  const holder = useRef<Key[]>([]);
  holder.current = keys.filter(Boolean) as Key[];
  useLayoutEffect(() => {
    holders = [holder, ...holders];
    return () => {
      holders = holders.filter((other) => other !== holder);
    };
  }, []);
}

/* What may be pressed now, each key once. */
export function keysNow(): Key[] {
  const seen = new Set<string>();
  return holders.flatMap(({ current }) => current).filter(({ key }) => !seen.has(key) && seen.add(key));
}

const WORDS: Record<string, string> = {
  ArrowLeft: "\u2190",
  ArrowRight: "\u2192",
  ArrowUp: "\u2191",
  ArrowDown: "\u2193",
  Escape: "Esc",
  " ": "Space",
};

export function keyName(key: string): string {
  return WORDS[key] ?? key;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const found = keysNow().find(({ key }) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found.run(event);
  });
}
