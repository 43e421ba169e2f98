/* The picture under the pointer, large, with its name, label and prediction. */
import { useSite } from "../site";
import { imageText } from "./image_text";
import type { Images } from "./images";
import { SmallPicture } from "./small_picture";
import { tilesOf } from "./tiles";

interface Props {
  index: number;
  images: Images;
  place: [number, number]; // of the point on the canvas
  width: number; // of the canvas
  height: number;
}

const [WIDE, HIGH] = [176, 250];

export function HoverCard({ index, images, place, width, height }: Props) {
  const site = useSite();
  const { id, label, predicted, score } = imageText(site, images, index);
  const left = place[0] + 24 + WIDE > width ? place[0] - 24 - WIDE : place[0] + 24;
  const top = Math.min(Math.max(8, place[1] - HIGH / 2), Math.max(8, height - HIGH - 8));
  return (
    <div class="points-card" style={{ left: `${Math.max(4, left)}px`, top: `${top}px`, width: `${WIDE}px` }} aria-hidden="true">
      {tilesOf(site) && <SmallPicture index={index} size={WIDE - 18} alt="" />}
      <div class="points-card-id">{id}</div>
      {label && (
        <div>
          <span class="muted">label</span> {label}
        </div>
      )}
      {predicted && (
        <div>
          <span class="muted">predicted</span> {predicted} {score && <span class="number muted">{score}</span>}
        </div>
      )}
    </div>
  );
}
