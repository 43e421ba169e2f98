/* How alike the two models' maps are, by method and by picture. */
import type { Beside } from "../data";
import { figure, words } from "../figure";

export function Methods({ methods }: { methods: Beside["methods"] }) {
  if (!methods.length) return null;
  const names = [...new Set(methods.flatMap((row) => Object.keys(row.figures)))];
  return (
    <section class="panel" id="methods">
      <h2>Methods</h2>
      <div class="scroll-x">
        <table>
          <thead>
            <tr>
              <th scope="col">method</th>
              {names.map((name) => (
                <th scope="col" class="number" key={name}>
                  {words(name)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {methods.map((row) => (
              <tr key={row.method}>
                <th scope="row">{words(row.method)}</th>
                {names.map((name) => (
                  <td class="number" key={name}>
                    {figure(row.figures[name])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

type Picture = Beside["pictures"][number];

function Row({ picture, models }: { picture: Picture; models: Beside["models"] }) {
  return (
    <article class="beside-picture">
      <figure>
        <img src={picture.image} alt={picture.title} />
        <figcaption>{picture.title}</figcaption>
      </figure>
      {picture.maps.map((map) => (
        <div class="map-pair" key={map.method}>
          <figure>
            <img src={map.a} alt={`${words(map.method)} of ${models[0]}`} />
            <figcaption>{models[0]}</figcaption>
          </figure>
          <figure>
            <img src={map.b} alt={`${words(map.method)} of ${models[1]}`} />
            <figcaption>{models[1]}</figcaption>
          </figure>
          <p class="note">
            {words(map.method)}
            {map.distance !== null && <span class="muted"> distance {figure(map.distance)}</span>}
          </p>
        </div>
      ))}
    </article>
  );
}

export function Pictures({ pictures, models }: { pictures: Picture[]; models: Beside["models"] }) {
  if (!pictures.length) return null;
  return (
    <section class="panel" id="beside-pictures">
      <h2>Pictures</h2>
      {pictures.map((picture, place) => (
        <Row picture={picture} models={models} key={place} />
      ))}
    </section>
  );
}
