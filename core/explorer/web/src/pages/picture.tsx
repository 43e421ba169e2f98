/* The page of a picture: what the network says of it, and which units answer where. */
import type { PicturePage } from "../data";
import { words } from "../figure";
import { useKeys } from "../keys";
import { useData } from "../load";
import { NotMade } from "../parts/command";
import { NotThere } from "../parts/missing";
import { AskedUnit, askedUnit } from "../picture/asked";
import { Brief } from "../picture/brief";
import { DictionaryView } from "../picture/dictionary";
import { Groups } from "../picture/groups";
import { useImage, type ImageLine } from "../picture/images";
import { useLook } from "../picture/look";
import { Maps } from "../picture/maps";
import { Neighbours } from "../picture/neighbours";
import { Prediction } from "../picture/prediction";
import { masksOf, Stage } from "../picture/stage";
import { Strongest } from "../picture/strongest";
import { go, href, useAddress } from "../routes";
import { commandFor, hasPage, useSite } from "../site";
import "../style/leaf.css";
import "../picture/picture.css";

function Heading({ index, about }: { index: number; about: ImageLine | null }) {
  const { pictures } = useSite();
  const place = pictures.indexOf(index);
  const step = (to: number | undefined, text: string, title: string) =>
    to === undefined ? (
      <span class="muted">{text}</span>
    ) : (
      <a href={href.picture(to)} title={title}>
        {text}
      </a>
    );
  return (
    <header class="page-heading">
      <h1>{about?.id ?? `Picture ${index}`}</h1>
      <p class="muted">
        picture {index}
        {about?.label && ` · labelled ${about.label}`}
      </p>
      <nav class="steps" aria-label="Pictures">
        {place >= 0 && step(pictures[place - 1], "← previous", "left arrow")}
        <a href={href.pictures()} title="u">
          all pictures
        </a>
        {place >= 0 && step(pictures[place + 1], "next →", "right arrow")}
      </nav>
    </header>
  );
}

/* The chosen map, where its method gave one. */
function shownMap(page: PicturePage, chosen: number | null) {
  const map = chosen === null ? null : page.maps[chosen];
  return map?.image ? { image: map.image, alt: `${words(map.method)} of ${map.target}` } : null;
}

function Whole({ page, about }: { page: PicturePage; about: ImageLine | null }) {
  const see = useLook(page);
  useAddress(); // drawn again where only the options of the address change
  const asked = askedUnit(page);
  const alt = [about?.id ?? `picture ${page.index}`, about?.label && `labelled ${about.label}`]
    .filter(Boolean)
    .join(", ");
  return (
    <div class="picture-columns">
      <div class="picture-left">
        <Stage
          page={page}
          alt={alt}
          map={shownMap(page, see.map)}
          masks={masksOf(page.groups, see.shown)}
          grid={page.dictionary[see.grid] ?? null}
          at={see.at}
          pinned={see.pinned}
          fresh={see.fresh}
          heat={see.heat ?? asked?.heat ?? null}
          place={see.place ?? (asked?.heat ? null : (asked?.place ?? null))}
          look={see.look}
          pin={see.pin}
          unpin={see.unpin}
        />
        {asked && <AskedUnit asked={asked} index={page.index} />}
        <Maps page={page} chosen={see.map} choose={see.setMap} />
        <Prediction prediction={page.prediction} label={about?.label ?? ""} />
      </div>
      <div class="picture-right">
        {page.dictionary.length > 0 && (
          <DictionaryView
            dictionaries={page.dictionary}
            at={see.at}
            pinned={see.pinned}
            grid={see.grid}
            choose={see.setGrid}
            show={see.setHeat}
            unpin={see.unpin}
          />
        )}
        <Strongest strongest={page.strongest} show={see.setPlace} />
        {page.groups && <Groups groups={page.groups} shown={see.shown} toggle={see.toggle} />}
        {page.neighbours && <Neighbours neighbours={page.neighbours} />}
      </div>
    </div>
  );
}

function focusStage() {
  document.querySelector<HTMLElement>(".stage")?.focus();
}

export function PictureView({ index }: { index: number }) {
  const site = useSite();
  const about = useImage(index);
  const own = hasPage(site, index);
  const page = useData<PicturePage>(own ? `pictures/${index}` : null);
  const place = site.pictures.indexOf(index);
  const [before, after] = place < 0 ? [] : [site.pictures[place - 1], site.pictures[place + 1]];
  useKeys([
    before !== undefined && { key: "ArrowLeft", does: "previous picture", run: () => go(href.picture(before)) },
    after !== undefined && { key: "ArrowRight", does: "next picture", run: () => go(href.picture(after)) },
    !!page?.dictionary.length && { key: "p", does: "point into the picture with the arrow keys", run: focusStage },
    { key: "u", does: "all pictures", run: () => go(href.pictures()) },
  ]);
  if (!own && !(site.images && index < site.images.count)) return <NotThere text={`There is no picture ${index}.`} />;
  return (
    <article class="leaf picture-page">
      <Heading index={index} about={about} />
      {(!own || page === null) && (
        <>
          {about && <Brief about={about} />}
          <NotMade what="The page of this picture was not made" command={commandFor(site, "pictures")} />
        </>
      )}
      {page && <Whole page={page} about={about} />}
    </article>
  );
}
