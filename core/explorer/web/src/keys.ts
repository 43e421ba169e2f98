/* Keys that do something on a page, with what they do: one list for the pages and for the help. */
import { useEffect } from "preact/hooks";

export interface Key {
  key: string; // as KeyboardEvent.key has it: "ArrowLeft", "u", "/"
  does: string; // for the help: "previous unit"
  run: (event: KeyboardEvent) => void;
}

let registered: Key[][] = [];

/* Keys that work while the component is shown; those registered last come first. A missing `run` is not registered. */
export function useKeys(keys: (Key | false | null | undefined)[]): void {
  const kept = keys.filter(Boolean) as Key[];
  useEffect(() => {
    registered = [kept, ...registered];
    return () => {
      registered = registered.filter((other) => other !== kept);
    };
  });
}

/* What may be pressed now, each key once. */
export function keysNow(): Key[] {
  const seen = new Set<string>();
  return registered.flat().filter(({ key }) => !seen.has(key) && seen.add(key));
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
    const found = keysNow().find(({ key }) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found.run(event);
  });
}
