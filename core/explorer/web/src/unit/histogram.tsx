/* A histogram of a unit's values: bars with a linear or logarithmic height, and the examples' values as marks below. */

import { useState } from "preact/hooks";
import type { Histogram } from "../data";
import { count as digits, figure, percent, words } from "../figure";

interface Mark {
  value: number;
  kind: string;
}

/* Heights of the bars from 0 to 1; an empty bin is 0, a single value stays visible on the logarithmic scale. */
export function heights(counts: number[], logarithmic: boolean): number[] {
  const scaled = counts.map((count) => (logarithmic ? Math.log1p(count) : count));
  const highest = Math.max(...scaled, 0);
  return scaled.map((value) => (highest > 0 ? value / highest : 0));
}

/* The least and the largest value of the axis: those of the bins, and of the marks where some lie beyond. */
function axisOf({ edges }: Histogram, marks: Mark[]): [number, number] {
  const values = marks.map(({ value }) => value);
  return [Math.min(edges[0], ...values), Math.max(edges[edges.length - 1], ...values)];
}

interface BarsProps {
  histogram: Histogram;
  axis: [number, number];
  logarithmic: boolean;
}

function Bars({ histogram, axis: [first, last], logarithmic }: BarsProps) {
  const { edges, counts } = histogram;
  const span = last - first || 1;
  const total = counts.reduce((sum, count) => sum + count, 0);
  return (
    <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">
      {heights(counts, logarithmic).map((height, bin) => {
        const left = ((edges[bin] - first) / span) * 1000;
        const right = ((edges[bin + 1] - first) / span) * 1000;
        return (
          <g class="bin" key={bin}>
            <rect class="hit" x={left} y={0} width={right - left} height={100}>
              <title>
                {`${figure(edges[bin])} to ${figure(edges[bin + 1])}: ${digits(counts[bin])} values, ` +
                  percent(counts[bin] / (total || 1))}
              </title>
            </rect>
            <rect
              class="bin-bar"
              x={left}
              y={100 - 98 * height}
              width={Math.max(right - left - 0.5, 0.5)}
              height={98 * height}
            />
          </g>
        );
      })}
    </svg>
  );
}

/* Where the examples lie on the axis. */
function Marks({ marks, axis: [first, last] }: { marks: Mark[]; axis: [number, number] }) {
  const span = last - first || 1;
  return (
    <div class="histogram-marks" aria-hidden="true">
      {marks.map((mark, place) => {
        const share = (mark.value - first) / span;
        return (
          <i
            class={`mark ${mark.kind}`}
            key={place}
            style={{ left: `${100 * share}%` }}
            title={`${words(mark.kind)}: ${figure(mark.value)}`}
          />
        );
      })}
    </div>
  );
}

export function HistogramView(props: { histogram: Histogram; title: string; marks?: Mark[] }) {
  const { histogram, title, marks = [] } = props;
  const [logarithmic, setLogarithmic] = useState(false);
  const { counts } = histogram;
  if (!counts.length) return null;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const axis = axisOf(histogram, marks);
  const [first, last] = axis;
  const zero = first < 0 && last > 0 ? -first / (last - first) : null;
  return (
    <figure class="histogram">
      <figcaption>
        <span>{title}</span>
        <label>
          <input
            type="checkbox"
            checked={logarithmic}
            onChange={(event) => setLogarithmic(event.currentTarget.checked)}
          />{" "}
          log scale
        </label>
      </figcaption>
      <div
        class="histogram-plot"
        role="img"
        aria-label={`${title}: ${digits(total)} values from ${figure(histogram.edges[0])} to ${figure(histogram.edges[counts.length])}`}
      >
        <Bars histogram={histogram} axis={axis} logarithmic={logarithmic} />
        {zero !== null && <i class="histogram-zero" style={{ left: `${100 * zero}%` }} />}
      </div>
      <Marks marks={marks} axis={axis} />
      <div class="histogram-axis">
        <span>{figure(first)}</span>
        {zero !== null && zero > 0.12 && zero < 0.88 && <span style={{ left: `${100 * zero}%` }}>0</span>}
        <span>{figure(last)}</span>
      </div>
    </figure>
  );
}
