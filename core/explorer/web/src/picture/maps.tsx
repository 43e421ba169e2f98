/* The maps of several methods as small pictures; the chosen one is drawn on the large picture. */
import type { PicturePage } from "../data";
import { words } from "../figure";

interface Props {
  page: PicturePage;
  chosen: number | null; // null: the picture itself
  choose: (chosen: number | null) => void;
}

export function Maps({ page, chosen, choose }: Props) {
  if (!page.maps.length) return null;
  const map = chosen === null ? null : page.maps[chosen];
  return (
    <div class="maps">
      <div class="tiles" role="group" aria-label="What is shown on the picture">
        <button type="button" class="map-tile" aria-pressed={chosen === null} onClick={() => choose(null)}>
          <img src={page.image} alt="" />
          <span>picture</span>
        </button>
        {page.maps.map((row, place) => (
          <button
            type="button"
            class="map-tile"
            key={place}
            title={row.image ? undefined : row.note || undefined}
            aria-pressed={chosen === place}
            onClick={() => choose(place)}
          >
            {row.image ? <img src={row.image} alt="" /> : <span class="no-map">none</span>}
            <span>{words(row.method)}</span>
            {!row.image && row.note && <small class="why">{row.note}</small>}
          </button>
        ))}
      </div>
      {map && (
        <p class="fine" role="status">
          {words(map.method)}
          {map.target && ` of ${map.target}`}
          {map.note && `: ${map.note}`}
        </p>
      )}
    </div>
  );
}
