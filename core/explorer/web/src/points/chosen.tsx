/* What is selected: its pictures, classes, units that stand out, and the same as a table. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { count, percent, plural } from "../figure";
import { href } from "../routes";
import { layerName, useSite } from "../site";
import type { LayerId } from "../data";
import { imageText, inOneLine } from "./image_text";
import type { Images } from "./images";
import { SmallPicture } from "./small_picture";
import { NONE, standingOut } from "./standing_out";
import { tilesOf } from "./tiles";

export interface Strongest {
  layer: LayerId;
  units: Uint16Array;
  count: number; // units of each image
}

interface Props {
  chosen: readonly number[];
  images: Images;
  strongest: Strongest | null;
  onClear: () => void;
  onFit: () => void;
}

const STEP = 48; // pictures at a time
const ROWS = 200; // of the table

export function Chosen({ chosen, images, strongest, onClear, onFit }: Props) {
  const site = useSite();
  const [most, setMost] = useState(STEP);
  useEffect(() => setMost(STEP), [chosen]);
  const listed = chosen.slice(0, most);
  useEffect(() => {
    tilesOf(site)?.keep(listed);
    return () => tilesOf(site)?.keep([]);
  }, [chosen, most]);
  const only = chosen.length === 1 ? chosen[0] : null;
  return (
    <section class="points-chosen" aria-label="Selection">
      <div class="row points-head">
        <h2 aria-live="polite">{plural(chosen.length, "picture")} selected</h2>
        <button class="small" onClick={onFit}>
          Zoom to
        </button>
        <button class="small" onClick={onClear}>
          Clear
        </button>
      </div>
      {only !== null ? (
        <One index={only} images={images} strongest={strongest} />
      ) : (
        <>
          <ul class="points-pictures">
            {listed.map((index) => {
              const text = inOneLine(imageText(site, images, index));
              return (
                <li key={index}>
                  <a href={href.picture(index)} title={text}>
                    <SmallPicture index={index} size={48} alt={text} />
                  </a>
                </li>
              );
            })}
          </ul>
          {chosen.length > most && (
            <button class="small" onClick={() => setMost(most + STEP)}>
              Show {Math.min(STEP, chosen.length - most)} more of {count(chosen.length)}
            </button>
          )}
          <Units chosen={chosen} strongest={strongest} />
          <Classes title="Labels" names={chosen.map((index) => imageText(site, images, index).label)} />
          <Classes title="Predictions" names={chosen.map((index) => imageText(site, images, index).predicted)} />
        </>
      )}
      <Rows chosen={chosen} images={images} />
    </section>
  );
}

/* A single picture: large, with its strongest units, the strongest first. */
function One({ index, images, strongest }: { index: number } & Pick<Props, "images" | "strongest">) {
  const site = useSite();
  const { id, label, predicted, score } = imageText(site, images, index);
  const units = strongest ? [...strongest.units.subarray(index * strongest.count, (index + 1) * strongest.count)] : [];
  const known = units.filter((unit) => unit !== NONE);
  return (
    <div class="points-one">
      <a class="points-pictures" href={href.picture(index)} title={`Open ${id}`}>
        <SmallPicture index={index} size={144} alt={inOneLine({ id, label, predicted, score })} />
      </a>
      <p>
        <a href={href.picture(index)}>{id}</a>
      </p>
      <dl>
        {label && (
          <>
            <dt>label</dt>
            <dd>{label}</dd>
          </>
        )}
        {predicted && (
          <>
            <dt>predicted</dt>
            <dd>
              {predicted} <span class="number muted">{score}</span>
            </dd>
          </>
        )}
        {strongest && known.length > 0 && (
          <>
            <dt title={`Of ${layerName(site, strongest.layer)}, in deviations from their mean over all pictures`}>strongest units</dt>
            <dd>
              {known.map((unit, place) => (
                <>
                  {place > 0 && ", "}
                  <a key={unit} href={href.unit(strongest.layer, unit)}>
                    {unit}
                  </a>
                </>
              ))}{" "}
              <span class="muted">of {layerName(site, strongest.layer)}</span>
            </dd>
          </>
        )}
      </dl>
    </div>
  );
}

function Units({ chosen, strongest }: Pick<Props, "chosen" | "strongest">) {
  const site = useSite();
  const units = useMemo(
    () => (strongest ? standingOut(strongest.units, strongest.count, chosen) : []),
    [chosen, strongest],
  );
  if (!strongest || !units.length) return null;
  return (
    <>
      <h3>Units that stand out</h3>
      <p class="muted small">
        Units of {layerName(site, strongest.layer)} that are among the {strongest.count} strongest of these pictures more often than
        of all.
      </p>
      <ol class="points-bars">
        {units.map(({ unit, inside, overall }) => (
          <li key={unit}>
            <a href={href.unit(strongest.layer, unit)}>unit {unit}</a>
            <Bar share={inside} other={overall} />
            <span class="number small">
              {percent(inside)} <span class="muted">of all {percent(overall)}</span>
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

function Classes({ title, names }: { title: string; names: string[] }) {
  const counts = new Map<string, number>();
  for (const name of names) if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  if (!most.length) return null;
  return (
    <>
      <h3>{title}</h3>
      <ol class="points-bars">
        {most.slice(0, 8).map(([name, times]) => (
          <li key={name}>
            <span class="points-name" title={name}>
              {name}
            </span>
            <Bar share={times / names.length} />
            <span class="number small">{count(times)}</span>
          </li>
        ))}
      </ol>
      {most.length > 8 && <p class="muted small">and {plural(most.length - 8, "other")}</p>}
    </>
  );
}

function Bar({ share, other }: { share: number; other?: number }) {
  return (
    <span class="points-bar" aria-hidden="true">
      <span style={{ width: `${100 * share}%` }} />
      {other !== undefined && <i style={{ left: `${100 * other}%` }} />}
    </span>
  );
}

function Rows({ chosen, images }: Pick<Props, "chosen" | "images">) {
  const site = useSite();
  const [open, setOpen] = useState(false);
  return (
    <details class="points-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table</summary>
      {open && (
        <div class="scroll-x">
          <table>
            <thead>
              <tr>
                <th class="number">image</th>
                <th>name</th>
                <th>label</th>
                <th>prediction</th>
                <th class="number">score</th>
              </tr>
            </thead>
            <tbody>
              {chosen.slice(0, ROWS).map((index) => {
                const { id, label, predicted, score } = imageText(site, images, index);
                return (
                  <tr key={index}>
                    <td class="number">{index}</td>
                    <td>
                      <a href={href.picture(index)}>{id}</a>
                    </td>
                    <td>{label}</td>
                    <td>{predicted}</td>
                    <td class="number">{score}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
          {chosen.length > ROWS && <p class="muted small">the first {ROWS} of {count(chosen.length)}</p>}
        </div>
      )}
    </details>
  );
}
