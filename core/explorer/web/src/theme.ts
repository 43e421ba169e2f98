/* Light or dark: as the system has it, until a reader chooses; the choice is remembered where the browser lets us. */
export type Theme = "system" | "light" | "dark";
const NAME = "crosslens-theme";

export function theme(): Theme {
  try {
    const kept = window.localStorage.getItem(NAME);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return chosen; // no storage in a frame without an origin
  }
}
let chosen: Theme = "system";

export function setTheme(to: Theme): void {
  chosen = to;
  try {
    if (to === "system") window.localStorage.removeItem(NAME);
    else window.localStorage.setItem(NAME, to);
  } catch {
    // remembered for this page only
  }
  applyTheme();
}

export function applyTheme(): void {
  const now = theme();
  if (now === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = now;
  listeners.forEach((listener) => listener());
}

export function isDark(): boolean {
  const now = theme();
  return now === "dark" || (now === "system" && window.matchMedia("(prefers-color-scheme: dark)").matches);
}

const listeners = new Set<() => void>();
/* Calls back whenever light turns to dark or back: for canvases, whose colours style sheets do not reach. */
export function onTheme(listener: () => void): () => void {
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  listeners.add(listener);
  media.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    media.removeEventListener("change", listener);
  };
}
