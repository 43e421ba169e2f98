/* Where a page stood: a link begins at the top, "back" returns to the place that was left.

Each entry of the browser's history has a number in its state; a lower number than the last one means "back". */
import { useLayoutEffect } from "preact/hooks";

const PATIENCE = 3000; // milliseconds until a page that loads its data is tall enough
const places = new Map<number, number>();
let last = 0;
let now = 0;

function numberOf(state: unknown): number | null {
  const entry = (state as { entry?: unknown } | null)?.entry;
  return typeof entry === "number" ? entry : null;
}

/* Gives the entry at hand its number; whether it had one, so that it was seen before. */
function arrive(): boolean {
  const known = numberOf(window.history.state);
  now = known ?? ++last;
  last = Math.max(last, now);
  if (known === null) window.history.replaceState({ entry: now }, "");
  return known !== null;
}

export function watchScrolling(): void {
  if ("scrollRestoration" in window.history) window.history.scrollRestoration = "manual";
  window.addEventListener("scroll", () => places.set(now, window.scrollY), { passive: true });
}

export function useScrollPlace(path: string): void {
  useLayoutEffect(() => {
    const wanted = arrive() ? (places.get(now) ?? 0) : 0;
    const until = performance.now() + PATIENCE;
    let frame = 0;
    const move = () => {
      window.scrollTo(0, wanted);
      if (Math.abs(window.scrollY - wanted) > 2 && performance.now() < until) frame = requestAnimationFrame(move);
    };
    move();
    return () => cancelAnimationFrame(frame);
  }, [path]);
}
