/* The images of the data that the network sees as most alike. */

import type { PicturePage } from "../data";
import { figure } from "../figure";
import { href } from "../routes";
import { useImage } from "./images";
import { Thumbnail } from "../sheet";

function Neighbour({ index, distance }: { index: number; distance: number }) {
  const about = useImage(index);
  const name = about ? [about.id, about.label].filter(Boolean).join(", ") : `image ${index}`;
  return (
    <a class="neighbour" href={href.picture(index)} title={name}>
      <Thumbnail index={index} size={88} alt={name} />
      <span class="neighbour-name">{about?.predicted || about?.label || about?.id || index}</span>
      <span class="note">{figure(distance)}</span>
    </a>
  );
}

export function Neighbours({ neighbours }: { neighbours: NonNullable<PicturePage["neighbours"]> }) {
  return (
    <section class="panel" id="neighbours">
      <h2>Nearest images</h2>
      <p class="fine">{neighbours.title}; the number is the distance, the nearest first</p>
      <div class="tiles">
        {neighbours.images.map((index, place) => (
          <Neighbour key={index} index={index} distance={neighbours.distances[place]} />
        ))}
      </div>
    </section>
  );
}
