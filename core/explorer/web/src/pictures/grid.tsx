/* A grid of very many equal cells in the page's own scroll: only the rows in sight are drawn. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

const BESIDES = 3; // rows drawn above and below those in sight

interface Props {
  count: number;
  cell: number; // the least width of a cell in pixels
  extra: number; // a cell's height beyond its width, for text
  render: (place: number, width: number) => ComponentChildren;
}

interface Sight {
  width: number;
  first: number; // pixels from the grid's top to the window's
  height: number; // of the window
}

function useSight() {
  const box = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState<Sight>({ width: 0, first: 0, height: 0 });
  useEffect(() => {
    const measure = () => {
      const bounds = box.current?.getBoundingClientRect();
      if (!bounds) return;
      const next = { width: bounds.width, first: Math.max(-bounds.top, 0), height: innerHeight };
      setSight((now) =>
        now.width === next.width && now.first === next.first && now.height === next.height ? now : next,
      );
    };
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    measure();
    addEventListener("scroll", measure, { passive: true });
    addEventListener("resize", measure);
    return () => {
      observer.disconnect();
      removeEventListener("scroll", measure);
      removeEventListener("resize", measure);
    };
  }, []);
  return { box, sight };
}

export function Grid({ count, cell, extra, render }: Props) {
  const { box, sight } = useSight();
  const across = Math.max(Math.floor(sight.width / cell), 1);
  const width = sight.width / across;
  const height = width + extra;
  const rows = Math.ceil(count / across);
  const first = Math.max(Math.floor(sight.first / height) - BESIDES, 0);
  const last = Math.min(Math.ceil((sight.first + sight.height) / height) + BESIDES, rows);
  const places: number[] = [];
  if (sight.width) for (let place = first * across; place < Math.min(last * across, count); place++) places.push(place);
  return (
    <div class="endless" ref={box} style={{ height: `${sight.width ? rows * height : 0}px` }} role="list">
      {places.map((place) => (
        <div
          class="endless-cell"
          role="listitem"
          aria-setsize={count}
          aria-posinset={place + 1}
          key={place}
          style={{
            left: `${(place % across) * width}px`,
            top: `${Math.floor(place / across) * height}px`,
            width: `${width}px`,
            height: `${height}px`,
          }}
        >
          {render(place, width)}
        </div>
      ))}
    </div>
  );
}
