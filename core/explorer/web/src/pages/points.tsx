/* The embedding: images as points, where near ones give near features; coloured, filtered, selected by a lasso. */
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import type { Points } from "../data";
import { count, figure, plural, words } from "../figure";
import { useKeys } from "../keys";
import { useData } from "../load";
import { MissingPart, NotThere } from "../parts/missing";
import { go, href } from "../routes";
import { className, useSite } from "../site";
import { isDark, onTheme } from "../theme";
import { Chosen } from "../points/chosen";
import { kindsOf, palette, type By } from "../points/colours";
import { floats, shorts } from "../points/decode";
import { useImages, type Images } from "../points/images";
import { Legend } from "../points/legend";
import { lookOf, shownBy } from "../points/look";
import { session } from "../points/session";
import { Stage } from "../points/stage";
import { tilesOf } from "../points/tiles";
import "../style/points.css";

export function PointsView({ which }: { which: number }) {
  const site = useSite();
  const images = useImages();
  const line = site.points[which];
  const given = useData<Points>(line ? `points/${which}` : null);
  const [kept, setKept] = useState<{ which: number; points: Points } | null>(null);
  useEffect(() => {
    if (given) setKept({ which, points: given });
  }, [given]);
  if (!site.points.length) return <MissingPart what="points" text="No embedding was made of these images." />;
  if (!line) return <NotThere text={`There is no layout ${which}.`} />;
  if (images === null || given === null) return <NotThere text="The points of this page, or the table of images, are missing." />;
  if (!images || !kept) {
    return (
      <div class="points-page">
        <p class="muted" role="status">
          Loading the points of {plural(site.images?.count ?? 0, "picture")} …
        </p>
      </div>
    );
  }
  return <Page which={which} shown={kept.which} points={kept.points} images={images} />;
}

interface PageProps {
  which: number; // the layout that is asked for
  shown: number; // the one that is there
  points: Points;
  images: Images;
}

function Page({ which, shown, points, images }: PageProps) {
  const site = useSite();
  const layout = useMemo(() => ({ x: floats(points.x), y: floats(points.y) }), [points]);
  const strongest = useMemo(() => {
    const layer = site.points[shown].layer;
    return points.strongest && layer !== null ? { layer, units: shorts(points.strongest), count: points.count } : null;
  }, [points]);
  const ways = choices(images);
  const [by, setBy] = useState<By>(ways.some(([way]) => way === session.by) ? session.by! : ways[0][0]);
  const [hidden, setHidden] = useState(session.hidden);
  const [text, setText] = useState(session.text);
  const [chosen, setChosen] = useState(session.chosen);
  const [pictures, setPictures] = useState(session.pictures);
  const [zoomTo, setZoomTo] = useState<{ points: readonly number[] } | null>(null);
  const [theme, setTheme] = useState(0);
  useEffect(() => onTheme(() => setTheme((turn) => turn + 1)), []);
  Object.assign(session, { by, hidden, text, chosen, pictures });

  const classes = useCallback((index: number) => className(site, index), [site]);
  const colours = useMemo(() => palette(isDark()), [theme]);
  const kinds = useMemo(() => {
    const every = kindsOf(by, images, classes, colours);
    layout.x.forEach((x, i) => {
      if (x === x || every.of[i] < 0) return;
      every.counts[every.of[i]]--;
      every.of[i] = -1;
    });
    return every;
  }, [by, images, colours, layout]);
  const left = useMemo(() => shownBy({ hidden, text }, kinds, images, classes), [hidden, text, kinds]);
  const look = useMemo(() => lookOf(kinds, left, chosen, colours, pictures), [kinds, left, chosen, colours, pictures]);
  const inSight = useMemo(() => left.reduce((sum, one) => sum + one, 0), [left]);
  const all = useMemo(() => layout.x.reduce((sum, x) => sum + Number(x === x), 0), [layout]);

  const choose = useCallback(
    (found: number[], more: boolean) => setChosen((before) => (more ? [...new Set([...before, ...found])] : found)),
    [],
  );
  const every = (condition: (index: number) => boolean) =>
    choose([...left.keys()].filter((index) => left[index] && condition(index)), false);
  const layouts = site.points.length;
  const turn = (step: number) => go(href.points((which + step + layouts) % layouts), { replace: true });
  useKeys([
    layouts > 1 && { key: "[", does: "previous layout", run: () => turn(-1) },
    layouts > 1 && { key: "]", does: "next layout", run: () => turn(1) },
  ]);

  return (
    <div class="points-page">
      <div class="points-tools row">
        <h1>Points</h1>
        {layouts > 1 && <Layouts which={which} onTurn={turn} />}
        <label class="row">
          <span class="muted small">Colour</span>
          <select
            value={by}
            onChange={(event) => {
              setHidden(new Set());
              setBy(event.currentTarget.value as By);
            }}
          >
            {ways.map(([way, name]) => (
              <option key={way} value={way}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <input
          type="search"
          aria-label="Filter by name, label or prediction"
          placeholder="Filter by name, label, prediction"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {tilesOf(site) && (
          <button aria-pressed={pictures} onClick={() => setPictures(!pictures)}>
            Pictures
          </button>
        )}
        <span class="muted small number" role="status" data-shown={inSight}>
          {inSight === all ? plural(all, "point") : `${plural(inSight, "point")} of ${count(all)}`}
        </span>
        {inSight < all && inSight > 0 && (
          <button class="small" onClick={() => every(() => true)}>
            Select these
          </button>
        )}
      </div>
      <div class="points-body">
        <Stage
          layout={layout}
          look={look}
          images={images}
          title={site.points[shown].title}
          zoomTo={zoomTo}
          onChoose={choose}
        />
        <aside class="points-side">
          {chosen.length > 0 && (
            <Chosen
              chosen={chosen}
              images={images}
              strongest={strongest}
              onClear={() => setChosen([])}
              onFit={() => setZoomTo({ points: chosen })}
            />
          )}
          <h2>{ways.find(([way]) => way === by)![1]}</h2>
          <Legend kinds={kinds} hidden={hidden} onHide={setHidden} onChoose={(kind) => every((index) => kinds.of[index] === kind)} />
          <About which={shown} points={points} />
        </aside>
      </div>
    </div>
  );
}

function choices(images: Images): [By, string][] {
  const ways: [By, string, boolean][] = [
    ["label", "Label", images.labels.length > 0],
    ["predicted", "Prediction", images.predicted.some((each) => each >= 0)],
    ["right", "Right or wrong", images.right !== null],
    ["score", "Score", images.score.some((each) => each === each)],
    ["none", "One colour", true],
  ];
  return ways.filter(([, , there]) => there).map(([way, name]) => [way, name]);
}

const TABS = 5; // layouts that stand side by side

function Layouts({ which, onTurn }: { which: number; onTurn: (step: number) => void }) {
  const site = useSite();
  const show = (place: number) => go(href.points(place), { replace: true });
  if (site.points.length > TABS) {
    return (
      <div class="row" role="group" aria-label="Layer or checkpoint">
        <button aria-label="Previous layout" onClick={() => onTurn(-1)}>
          ‹
        </button>
        <input
          type="range"
          aria-label="Layer or checkpoint"
          aria-valuetext={site.points[which].title}
          min={0}
          max={site.points.length - 1}
          value={which}
          onInput={(event) => show(Number(event.currentTarget.value))}
        />
        <button aria-label="Next layout" onClick={() => onTurn(1)}>
          ›
        </button>
        <strong>{site.points[which].title}</strong>
      </div>
    );
  }
  return (
    <div class="points-tabs" role="group" aria-label="Layer or checkpoint">
      {site.points.map(({ title }, place) => (
        <button key={place} aria-pressed={place === which} onClick={() => show(place)}>
          {title}
        </button>
      ))}
    </div>
  );
}

const QUALITY: Record<string, string> = {
  trustworthiness: "how far near points are true neighbours in the features; 1 is best",
  neighbourhood_hit: "share of a point's neighbours that have its label; 1 is best",
};

function About({ which, points }: { which: number; points: Points }) {
  const site = useSite();
  const line = site.points[which];
  const quality = Object.entries({ ...line.quality, ...points.quality });
  const notes = [...new Set([...line.notes, ...(points.notes ?? [])])];
  return (
    <section class="points-about small muted" aria-label="About this layout">
      <p>
        Each point is a picture; near points have near features
        {line.layer !== null ? (
          <>
            {" in "}
            <a href={href.layer(line.layer)}>{site.layers[line.layer]?.name ?? line.title}</a>
          </>
        ) : (
          ` in ${line.title}`
        )}
        {site.points.length > 1 && ". All layouts share one plane, so that points can be followed"}.
      </p>
      {quality.length > 0 && (
        <ul class="points-quality" aria-label="Quality of the layout; 1 is best">
          {quality.map(([name, value]) => (
            <li key={name} title={QUALITY[name]}>
              {words(name)} <span class="number">{figure(value)}</span>
              {QUALITY[name] && <small> {QUALITY[name]}</small>}
            </li>
          ))}
        </ul>
      )}
      {notes.length > 0 && (
        <details>
          <summary>{plural(notes.length, "note")}</summary>
          <ul>
            {notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
