/* Where two models part: the error that each layer adds, and the first layer that is at fault. */
import type { Beside } from "../data";
import { figure } from "../figure";

export function Divergence({ divergence }: { divergence: Beside["divergence"] }) {
  const { text, rows } = divergence;
  const widest = Math.max(...rows.map((row) => Math.max(row.error, row.added ?? 0)), 1e-30);
  const bar = (name: string, value: number) => (
    <i
      class={`length ${name}`}
      style={{ width: `${(100 * Math.max(value, 0)) / widest}%` }}
      title={`${name}: ${figure(value)}`}
    />
  );
  return (
    <section class="panel" id="divergence">
      <h2>Where they part</h2>
      <p>{text}</p>
      {rows.length > 0 && (
        <div class="scroll-x">
          <table class="bar-rows divergence">
            <thead>
              <tr>
                <th scope="col">layer</th>
                <td />
                <th scope="col" class="number">
                  error
                </th>
                <th scope="col" class="number">
                  added here
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row, place) => (
                <tr key={place} class={row.fault ? "fault" : ""}>
                  <th scope="row">
                    {row.a}
                    {row.b !== row.a && <small> {row.b}</small>}
                    {row.fault && <strong> they part here</strong>}
                  </th>
                  <td class="bar-cell">
                    {bar("error", row.error)}
                    {row.added !== null && bar("added", row.added)}
                  </td>
                  <td class="number">{figure(row.error)}</td>
                  <td class="number">{figure(row.added)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
