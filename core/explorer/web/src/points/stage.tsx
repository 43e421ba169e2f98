/* The canvas with what lies over it: buttons, the hovered picture, a text for those who do not see it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { useKeys } from "../keys";
import { plural } from "../figure";
import { useSite } from "../site";
import { around } from "./camera";
import { gestures } from "./gestures";
import { HoverCard } from "./hover_card";
import type { Images } from "./images";
import { Scatter, type Look } from "./scatter";
import { session } from "./session";
import { tilesOf } from "./tiles";

interface Props {
  layout: { x: Float32Array; y: Float32Array };
  look: Look;
  images: Images;
  title: string;
  zoomTo: { points: readonly number[] } | null; // a new object for each time that it is asked for
  onChoose: (points: number[], more: boolean) => void;
}

const STEP = 80; // pixels that an arrow key moves

export function Stage({ layout, look, images, title, zoomTo, onChoose }: Props) {
  const tiles = tilesOf(useSite());
  const canvas = useRef<HTMLCanvasElement>(null);
  const scatter = useRef<Scatter | null>(null);
  const [hovered, setHovered] = useState(-1);
  const [lassoing, setLassoing] = useState(false);
  const now = useRef({ lassoing, onChoose });
  now.current = { lassoing, onChoose };

  useEffect(() => {
    const own = new Scatter(canvas.current!, tiles);
    scatter.current = own;
    own.camera = session.camera;
    const hands = {
      isLasso: () => now.current.lassoing,
      onHover: (point: number) => {
        if (own.hovered === point) return;
        own.hovered = point;
        own.redraw();
        setHovered(point);
      },
      onChoose: (points: number[], more: boolean) => now.current.onChoose(points, more),
    };
    own.onDraw = () => {
      session.camera = own.camera;
      canvas.current?.setAttribute("data-drawn", own.moving ? "moving" : "still");
    };
    const stop = gestures(canvas.current!, own, hands);
    const observer = new ResizeObserver(([{ contentRect }]) => own.resize(contentRect.width, contentRect.height));
    observer.observe(canvas.current!);
    const unfollow = tiles?.follow(() => own.redraw());
    return () => {
      stop();
      observer.disconnect();
      unfollow?.();
      own.close();
      scatter.current = null;
    };
  }, []);

  const first = useRef(true);
  useEffect(() => {
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    scatter.current?.place(layout.x, layout.y, !first.current && !still);
    first.current = false;
  }, [layout]);
  useEffect(() => scatter.current?.show(look), [look]);
  useEffect(() => {
    const box = zoomTo && scatter.current?.box(zoomTo.points);
    if (box) scatter.current!.look_at(around(scatter.current!.size, box));
  }, [zoomTo]);

  const zoom = (factor: number) => scatter.current?.zoom(factor);
  const fit = () => scatter.current?.fit();
  useKeys([
    { key: "+", does: "zoom in", run: () => zoom(1.5) },
    { key: "=", does: "zoom in", run: () => zoom(1.5) },
    { key: "-", does: "zoom out", run: () => zoom(1 / 1.5) },
    { key: "0", does: "show all points", run: fit },
    { key: "l", does: "lasso on or off", run: () => setLassoing((on) => !on) },
    { key: "Escape", does: "clear the selection", run: () => onChoose([], false) },
  ]);
  const arrows = (event: KeyboardEvent) => {
    const way = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    scatter.current?.pan(way[0], way[1]);
  };
  const place = hovered >= 0 && scatter.current ? scatter.current.screenOf(hovered) : null;
  return (
    <div class={`points-stage${lassoing ? " points-lassoing" : ""}`}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label={`${title}: ${plural(images.count, "picture")} as points. Arrows move, plus and minus zoom, 0 shows all. The legend selects by class, and the selection is also a table.`}
        onKeyDown={arrows}
      />
      <div class="points-buttons" role="group" aria-label="View">
        <button aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoom(1.5)}>
          +
        </button>
        <button aria-label="Zoom out" title="Zoom out (-)" onClick={() => zoom(1 / 1.5)}>
          −
        </button>
        <button aria-label="Show all points" title="Show all points (0)" onClick={fit}>
          ⤢
        </button>
        <button
          aria-pressed={lassoing}
          title="Draw a line around points to select them (L, or hold shift)"
          onClick={() => setLassoing(!lassoing)}
        >
          Lasso
        </button>
      </div>
      {place && (
        <HoverCard
          index={hovered}
          images={images}
          place={place}
          width={scatter.current!.size.width}
          height={scatter.current!.size.height}
        />
      )}
    </div>
  );
}
