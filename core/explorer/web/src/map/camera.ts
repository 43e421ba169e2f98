/* The part of the map that is looked at: wheel, drag, pinch and keys move it (d3-zoom). */
import { select } from "d3-selection";
import { zoom, zoomIdentity, zoomTransform, type ZoomBehavior, type ZoomTransform } from "d3-zoom";
import type { RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { Box, View } from "./view";

const NEAREST = 2;
const FARTHEST = 0.04;
const READABLE = 0.72; // the first view goes no farther away

export interface Camera {
  by: (factor: number) => void;
  pan: (x: number, y: number) => void;
  fit: () => void; // all of it
  begin: () => void; // its upper end, as large as can be read
  see: (box: Box) => void; // moves only as far as needed
  centre: (box: Box) => void;
  restore: (transform: ZoomTransform) => void;
  hold: (before: Box, after: Box) => void; // the one stays on the screen where the other was
}

/* Moves `world` within `pane`; `first` is where it was left. */
export function useCamera(
  pane: RefObject<HTMLElement | null>,
  world: RefObject<HTMLElement | null>,
  view: View,
  kept: { transform: ZoomTransform | null },
): Camera {
  const size = useRef(view);
  size.current = view;
  const behaviour = useRef<ZoomBehavior<HTMLElement, unknown> | null>(null);
  useLayoutEffect(() => {
    const element = pane.current!;
    const zooming = zoom<HTMLElement, unknown>()
      .scaleExtent([FARTHEST, NEAREST])
      .filter((event: MouseEvent) => (event.type === "wheel" ? wheelZooms(event, element) : !event.button))
      .on("zoom", ({ transform }: { transform: ZoomTransform }) => {
        kept.transform = transform;
        const { x, y, k } = transform;
        world.current!.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
        element.classList.toggle("map-far", k < 0.45);
      });
    behaviour.current = zooming;
    select(element).call(zooming).on("dblclick.zoom", null);
    const watch = keepMiddle(element, zooming);
    return () => {
      watch.disconnect();
      select(element).on(".zoom", null);
    };
  }, []);
  return useMemo(() => camera(pane, behaviour, size), []);
}

/* What is in the middle stays there when the pane becomes wider or narrower. */
function keepMiddle(element: HTMLElement, zooming: ZoomBehavior<HTMLElement, unknown>): ResizeObserver {
  let width = element.clientWidth;
  const watch = new ResizeObserver(() => {
    const { x, y, k } = zoomTransform(element);
    const moved = zoomIdentity.translate(x + (element.clientWidth - width) / 2, y).scale(k);
    width = element.clientWidth;
    select(element).call(zooming.transform, moved);
  });
  watch.observe(element);
  return watch;
}

/* The wheel scrolls the page until the map is in use, so that nobody is caught in it. */
function wheelZooms(event: MouseEvent, element: HTMLElement): boolean {
  return event.ctrlKey || event.altKey || element.matches(":focus-within");
}

function camera(
  pane: RefObject<HTMLElement | null>,
  behaviour: RefObject<ZoomBehavior<HTMLElement, unknown> | null>,
  size: RefObject<View>,
): Camera {
  const now = () => zoomTransform(pane.current!);
  const set = (to: ZoomTransform) => select(pane.current!).call(behaviour.current!.transform, to);
  const inner = () => [pane.current!.clientWidth, pane.current!.clientHeight];
  const at = (k: number, top: number | null) => {
    const [width, height] = inner();
    const view = size.current!;
    const y = top ?? (height - view.height * k) / 2;
    set(zoomIdentity.translate((width - view.width * k) / 2, y).scale(k));
  };
  const whole = () => {
    const [width, height] = inner();
    return Math.min(1, width / size.current!.width, height / size.current!.height);
  };
  const centre = ({ x, y, width, height }: Box) => {
    const [w, h] = inner();
    const k = Math.max(now().k, READABLE);
    set(zoomIdentity.translate(w / 2 - (x + width / 2) * k, h / 2 - (y + height / 2) * k).scale(k));
  };
  return {
    by: (factor) => void select(pane.current!).call(behaviour.current!.scaleBy, factor),
    pan: (x, y) => void select(pane.current!).call(behaviour.current!.translateBy, x / now().k, y / now().k),
    fit: () => at(whole(), null),
    begin: () => (whole() >= READABLE ? at(whole(), null) : at(Math.min(1, Math.max(READABLE, inner()[0] / size.current!.width)), 8)),
    centre,
    restore: (transform) => void set(transform),
    see: (box) => {
      const { x, y, k } = now();
      const [w, h] = inner();
      const [left, top] = [x + box.x * k, y + box.y * k];
      if (left < 0 || top < 0 || left + box.width * k > w || top + box.height * k > h) centre(box);
    },
    hold: (before, after) => {
      const { x, y, k } = now();
      const middle = (box: Box) => box.x + box.width / 2;
      set(zoomIdentity.translate(x + (middle(before) - middle(after)) * k, y + (before.y - after.y) * k).scale(k));
    },
  };
}
