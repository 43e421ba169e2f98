/* The classes that the network finds likeliest, as bars. */

import type { PicturePage } from "../data";
import { figure, percent } from "../figure";

export function Prediction({ prediction, label }: { prediction: PicturePage["prediction"]; label: string }) {
  if (!prediction.length) return null;
  const widest = Math.max(...prediction.map(({ score }) => Math.abs(score)), 1e-12);
  const shares = prediction.every(({ score }) => score >= 0 && score <= 1);
  return (
    <section class="panel" id="prediction">
      <h2>Prediction</h2>
      <table class="bar-rows">
        <tbody>
          {prediction.map((row) => (
            <tr key={row.class} class={row.name === label ? "right" : ""}>
              <th scope="row">{row.name || `class ${row.class}`}</th>
              <td class="bar-cell">
                <i class="length" style={{ width: `${(100 * Math.max(row.score, 0)) / widest}%` }} />
              </td>
              <td class="number">{shares ? percent(row.score) : figure(row.score)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {label && <p class="fine">labelled {label}</p>}
    </section>
  );
}
