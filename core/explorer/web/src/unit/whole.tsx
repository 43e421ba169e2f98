/* The whole image of an example, beside the example that is looked at, with the part that the unit sees as a rectangle. */

import type { Example } from "../data";
import { Thumbnail } from "../sheet";
import { useImage } from "../picture/images";
import { Ring } from "./ring";

export interface Looked {
  example: Example;
  at: DOMRect; // where on the screen the example is
}

const SIDE = 192;
const GAP = 8;

export function Whole({ example, at }: Looked) {
  const about = useImage(example.image);
  const below = at.bottom + SIDE + 60 < innerHeight || at.top < SIDE + 60;
  const left = Math.min(Math.max(at.left + at.width / 2 - SIDE / 2 - GAP, 4), Math.max(innerWidth - SIDE - 3 * GAP, 4));
  const place = below ? { top: `${at.bottom + GAP}px` } : { bottom: `${innerHeight - at.top + GAP}px` };
  const [top, leftShare, bottom, right] = example.rectangle.map((share) => Math.min(Math.max(share, 0), 1));
  return (
    <div class="whole" role="tooltip" style={{ left: `${left}px`, ...place }}>
      <div class="framed" style={{ width: `${SIDE}px`, height: `${SIDE}px` }}>
        <Thumbnail index={example.image} size={SIDE} alt={`image ${example.image}`} />
        <i
          class="rectangle"
          style={{
            top: `${100 * top}%`,
            left: `${100 * leftShare}%`,
            height: `${100 * (bottom - top)}%`,
            width: `${100 * (right - leftShare)}%`,
          }}
        />
        {example.place && <Ring at={example.place} />}
      </div>
      <p>{about ? [about.id, about.label].filter(Boolean).join(" · ") : `image ${example.image}`}</p>
    </div>
  );
}
