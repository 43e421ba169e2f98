/* What colours mean; a click on a kind hides its points or shows them again, with shift all others. */
import { count } from "../figure";
import { cssText, type Kinds } from "./colours";

interface Props {
  kinds: Kinds;
  hidden: ReadonlySet<number>;
  onHide: (hidden: Set<number>) => void;
  onChoose: (kind: number) => void;
}

const MOST = 300; // kinds that are listed; the text filter finds the others

export function Legend({ kinds, hidden, onHide, onChoose }: Props) {
  const every = kinds.names.map((_, kind) => kind).filter((kind) => kinds.counts[kind] > 0);
  const toggle = (kind: number, alone: boolean) => {
    if (alone) {
      const isAlone = hidden.size === every.length - 1 && !hidden.has(kind);
      onHide(new Set(isAlone ? [] : every.filter((other) => other !== kind)));
      return;
    }
    const next = new Set(hidden);
    if (!next.delete(kind)) next.add(kind);
    onHide(next);
  };
  return (
    <section class="points-legend" aria-label="Legend and filter">
      <div class="row points-legend-head">
        <span class="muted small">Click hides points, shift-click shows them alone.</span>
        {hidden.size > 0 && (
          <button class="points-plain small" onClick={() => onHide(new Set())}>
            Show all
          </button>
        )}
      </div>
      <ul>
        {every.slice(0, MOST).map((kind) => (
          <li key={kind} class={hidden.has(kind) ? "points-off" : undefined}>
            <button
              class="points-plain points-kind"
              aria-pressed={!hidden.has(kind)}
              data-kind={kinds.names[kind]}
              onClick={(event) => toggle(kind, event.shiftKey)}
            >
              <span class="points-dot" style={{ background: cssText(kinds.colours[kind]) }} />
              <span class="points-name">{kinds.names[kind]}</span>
              <span class="muted number small">{count(kinds.counts[kind])}</span>
            </button>
            <button
              class="points-plain points-pick small"
              aria-label={`Select all ${kinds.names[kind]}`}
              title="Select these"
              disabled={hidden.has(kind)}
              onClick={() => onChoose(kind)}
            >
              select
            </button>
          </li>
        ))}
      </ul>
      {every.length > MOST && <p class="muted small">and {count(every.length - MOST)} more, which the filter finds by name</p>}
    </section>
  );
}
