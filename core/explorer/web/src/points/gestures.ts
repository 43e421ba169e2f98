/* Hands on the canvas: drag to move, wheel and pinch to zoom, shift and drag (or a button) for the lasso, click to choose. */
import type { Line } from "./polygon";
import type { Scatter } from "./scatter";

export interface Hands {
  isLasso: () => boolean;
  onHover: (point: number) => void;
  onChoose: (points: number[], more: boolean) => void; // more: to those that are chosen already
}

const CLICK = 4; // pixels that a hand may move in a click
const STEP = 3; // pixels between two corners of the lasso

/* Listens until the returned function is called. */
export function gestures(canvas: HTMLCanvasElement, scatter: Scatter, hands: Hands): () => void {
  const pointers = new Map<number, [number, number]>();
  let line: Line | null = null;
  let travelled = 0;

  const place = (event: MouseEvent): [number, number] => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const span = () => {
    const [[x1, y1], [x2, y2]] = [...pointers.values()];
    return { middle: [(x1 + x2) / 2, (y1 + y2) / 2], wide: Math.hypot(x1 - x2, y1 - y2) || 1 };
  };

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    travelled = 0;
    hands.onHover(-1);
    line = pointers.size === 1 && (event.shiftKey || hands.isLasso()) ? [scatter.pointAt(...place(event))] : null;
    scatter.lasso = line ?? [];
  };
  const move = (event: PointerEvent) => {
    const now = place(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") hands.onHover(scatter.at(...now));
      return;
    }
    const step = Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (pointers.size === 2) {
      const was = span();
      pointers.set(event.pointerId, now);
      const is = span();
      scatter.pan(is.middle[0] - was.middle[0], is.middle[1] - was.middle[1]);
      scatter.zoom(is.wide / was.wide, is.middle[0], is.middle[1]);
      travelled = Infinity;
      return;
    }
    if (line) {
      if (step < STEP) return;
      line.push(scatter.pointAt(...now));
      scatter.redraw();
    } else if (pointers.size === 1 && travelled + step >= CLICK) scatter.pan(now[0] - before[0], now[1] - before[1]);
    else if (!line) {
      travelled += step;
      return;
    }
    travelled += step;
    pointers.set(event.pointerId, now);
  };
  const up = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return;
    const more = event.ctrlKey || event.metaKey;
    if (line && line.length > 2) hands.onChoose(scatter.within(line), more);
    else if (travelled < CLICK && event.type === "pointerup") {
      const point = scatter.at(...place(event));
      hands.onChoose(point < 0 ? [] : [point], more);
    }
    line = null;
    scatter.lasso = [];
    scatter.redraw();
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    scatter.zoom(Math.exp(-Math.max(-250, Math.min(250, event.deltaY * lines)) * 0.0022), ...place(event));
  };
  const leave = () => hands.onHover(-1);
  const twice = (event: MouseEvent) => scatter.zoom(event.shiftKey ? 0.5 : 2, ...place(event));

  const listeners: [string, (event: never) => void][] = [
    ["pointerdown", down],
    ["pointermove", move],
    ["pointerup", up],
    ["pointercancel", up],
    ["pointerleave", leave],
    ["dblclick", twice],
  ];
  listeners.forEach(([name, listener]) => canvas.addEventListener(name, listener as EventListener));
  canvas.addEventListener("wheel", wheel, { passive: false });
  return () => {
    listeners.forEach(([name, listener]) => canvas.removeEventListener(name, listener as EventListener));
    canvas.removeEventListener("wheel", wheel);
  };
}
