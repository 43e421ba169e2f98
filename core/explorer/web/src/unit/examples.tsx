/* The images to which a unit answers most, least and in between, as the crops that it sees of them. */

import { useMemo, useState } from "preact/hooks";
import type { Attributions, Example, Examples, LayerId, Sheet } from "../data";
import { useData } from "../load";
import { href } from "../routes";
import { Thumbnail, Tile } from "../sheet";
import { hasPage, useSite } from "../site";
import { figure, words } from "../figure";
import { fieldOf, isSmall, Ring, ringOf } from "./ring";
import { Whole, type Looked } from "./whole";

const KINDS: Record<string, string> = {
  most: "largest values",
  slightly_positive: "slightly above zero",
  slightly_negative: "slightly below zero",
  least: "smallest values",
};
const [LARGE, SMALL] = [104, 72]; // the first kind says the most
type View = "crops" | "attribution" | "both";

interface CropProps {
  example: Example;
  crops: Sheet | null; // null: the thumbnail of the whole image stands there
  attribution: Sheet | null;
  field: [number, number];
  view: View;
  target: string; // the address of its picture
  name: string;
  size: number;
  look: (looked: Looked | null) => void;
}

function Crop({ example, crops, attribution, field, view, target, name, size, look }: CropProps) {
  const { input } = useSite().model;
  const alt = `what ${name} sees of image ${example.image}, value ${figure(example.value)}`;
  const ring = ringOf(example, crops ? field : null, input);
  const enter = (event: { currentTarget: EventTarget | null }) =>
    look({ example, at: (event.currentTarget as Element).getBoundingClientRect() });
  return (
    <a
      class="crop"
      href={target}
      onMouseEnter={enter}
      onFocus={enter}
      onMouseLeave={() => look(null)}
      onBlur={() => look(null)}
    >
      <span class="crop-pictures">
        {(view !== "attribution" || !attribution) && (
          <span class="ringed">
            {crops ? (
              <Tile sheet={crops} slot={example.slot} alt={alt} size={size} />
            ) : (
              <Thumbnail index={example.image} alt={alt} size={size} />
            )}
            {ring && <Ring at={ring} />}
          </span>
        )}
        {view !== "crops" && attribution && (
          <Tile sheet={attribution} slot={example.slot} alt={`what of it ${name} used`} size={size} />
        )}
      </span>
      <span class="note">{figure(example.value)}</span>
    </a>
  );
}

const VIEWS: [View, string][] = [
  ["crops", "crops"],
  ["attribution", "attribution"],
  ["both", "both"],
];

function Choice({ view, choose }: { view: View; choose: (view: View) => void }) {
  return (
    <div class="choice" role="group" aria-label="What to show of each example">
      {VIEWS.map(([key, title]) => (
        <button type="button" key={key} aria-pressed={view === key} onClick={() => choose(key)}>
          {title}
        </button>
      ))}
    </div>
  );
}

interface Props {
  examples: Examples;
  of: string; // the layer before the rectifier, whose values they are of; "" where they are the layer's own
  attributions: string | null; // the key of the unit's attributions
  layer: LayerId;
  unit: number;
  name: string;
}

export function ExamplesView({ examples, of, attributions, layer, unit, name }: Props) {
  const site = useSite();
  const target = (image: number) => href.picture(image, hasPage(site, image) ? { layer, unit } : {});
  const [view, setView] = useState<View>("crops");
  const [looked, setLooked] = useState<Looked | null>(null);
  const field = useMemo(() => fieldOf(examples.kinds.flatMap(({ items }) => items)), [examples]);
  const placed = examples.kinds.some(({ items }) => items.some(({ place }) => place));
  const ringed = placed && !(examples.crops && isSmall(field));
  const made = useData<Attributions>(view === "crops" ? null : attributions);
  return (
    <section class="panel" id="examples">
      <header class="row spread">
        <h2>Examples</h2>
        {attributions && <Choice view={view} choose={setView} />}
      </header>
      <p class="fine">
        The part of each image that the unit sees, by {words(examples.by)}
        {of && ` (values of ${of}, before the rectifier)`}{ringed && "; a ring marks the place of that value"}. Point at one to see the whole image; click
        to open it.
        {view !== "crops" && made && ` Attribution: ${words(made.method)}.`}
      </p>
      <div class="example-rows">
        {examples.kinds
          .filter((row) => row.items.length)
          .map((row, place) => (
            <div class="example-row" key={row.kind} data-kind={row.kind}>
              <h3>{KINDS[row.kind] ?? words(row.kind)}</h3>
              <div class="tiles">
                {row.items.map((example) => (
                  <Crop
                    key={example.slot}
                    example={example}
                    crops={examples.crops}
                    attribution={made?.sheet ?? null}
                    field={field}
                    view={view}
                    target={target(example.image)}
                    name={name}
                    size={place === 0 ? LARGE : SMALL}
                    look={setLooked}
                  />
                ))}
              </div>
            </div>
          ))}
      </div>
      {looked && <Whole {...looked} />}
    </section>
  );
}
