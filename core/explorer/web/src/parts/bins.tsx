/* A column's histogram; a bar is a button that keeps the units in it, a second click ends that. */
import { figure, plural } from "../figure";
import type { Bins } from "./columns";

interface Props {
  bins: Bins;
  title: string;
  from: number | null;
  to: number | null;
  onRange: (from: number | null, to: number | null) => void;
}

export function BinChart({ bins, title, from, to, onRange }: Props) {
  const most = Math.max(...bins.counts);
  const step = (bins.to - bins.from) / bins.counts.length;
  const last = bins.counts.length - 1;
  return (
    <figure class="bins">
      <figcaption class="muted small">{`${title}: a bar keeps its units`}</figcaption>
      <div class="bars">
        {bins.counts.map((count, place) => {
          const low = bins.from + place * step;
          const high = place === last ? bins.to : low + step;
          const on = from !== null && to !== null && low >= from - step / 2 && high <= to + step / 2;
          const label = `${plural(count, "unit")} from ${figure(low)} to ${figure(high)}`;
          return (
            <button
              key={place}
              type="button"
              class="bar"
              disabled={!count}
              aria-pressed={on}
              aria-label={label}
              title={label}
              onClick={() => (on ? onRange(null, null) : onRange(low, high))}
            >
              <span style={{ height: `${(100 * count) / most}%` }} />
            </button>
          );
        })}
      </div>
      <div class="bins-ends muted small number">
        <span>{figure(bins.from)}</span>
        <span>{figure(bins.to)}</span>
      </div>
    </figure>
  );
}
