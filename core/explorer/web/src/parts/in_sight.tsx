/* What is drawn only once it comes near the part of the page in sight: rows whose pictures are read from files. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface Props {
  height: number; // in pixels, about, until it is drawn
  children: () => ComponentChildren;
}

export function InSight({ height, children }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    if (!place.current || near) return undefined;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setNear(true),
      {
        rootMargin: "200px",
      },
    );
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [near]);
  return near ? <>{children()}</> : <div ref={place} style={{ height: `${height}px` }} />;
}
