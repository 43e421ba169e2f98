/* Aligned layers: the ladder, and the same as a table. */
import type { Beside } from "../data";
import { figure } from "../figure";
import { href } from "../routes";
import { Ladder } from "./ladder";

interface Props {
  beside: Beside;
  chosen: number;
  choose: (place: number) => void;
}

export function Layers({ beside, chosen, choose }: Props) {
  const { layers, models } = beside;
  return (
    <section class="panel" id="layers">
      <h2>Aligned layers</h2>
      <p class="fine">
        Each layer of {models[0]} and the layer of {models[1]} that is most similar to it on the same images (1: the
        same).
      </p>
      <Ladder beside={beside} chosen={chosen} choose={choose} />
      <details>
        <summary>as a table</summary>
        <div class="scroll-x">
          <table class="bar-rows">
            <thead>
              <tr>
                <th scope="col">{models[0]}</th>
                <th scope="col">{models[1]}</th>
                <td />
                <th scope="col" class="number">
                  similarity
                </th>
              </tr>
            </thead>
            <tbody>
              {layers.map((row, place) => (
                <tr key={place}>
                  <th scope="row">
                    <a href={href.layer(row.a_id)}>{row.a}</a>
                  </th>
                  <td>{row.b}</td>
                  <td class="bar-cell">
                    <i class="length" style={{ width: `${100 * Math.min(Math.max(row.similarity, 0), 1)}%` }} />
                  </td>
                  <td class="number">{figure(row.similarity)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
