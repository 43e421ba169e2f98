/* Two models on the same images: what is alike, and where they part. */
import { useState } from "preact/hooks";
import { Divergence } from "../beside/divergence";
import { Layers } from "../beside/layers";
import { Matched } from "../beside/matched";
import { Methods, Pictures } from "../beside/methods";
import type { Beside } from "../data";
import { useData } from "../load";
import { NotMade } from "../parts/command";
import { commandFor, useSite } from "../site";
import "../style/leaf.css";
import "../beside/beside.css";

export function BesideView() {
  const site = useSite();
  const beside = useData<Beside>(site.beside ? "beside" : null);
  const [asked, setAsked] = useState<number | null>(null);
  if (beside === null) {
    return (
      <article class="leaf beside-page">
        <h1>Two models side by side</h1>
        <NotMade what="No second model was given" command={commandFor(site, "beside")} />
      </article>
    );
  }
  if (!beside) return null;
  const chosen = asked ?? beside.units[0]?.pair ?? 0;
  return (
    <article class="leaf beside-page">
      <header class="page-heading">
        <h1>
          {beside.models[0]} <span class="muted">beside</span> {beside.models[1]}
        </h1>
      </header>
      <p class="verdict">{beside.verdict}</p>
      <div class="columns">
        <Divergence divergence={beside.divergence} />
        {beside.layers.length > 0 && <Layers beside={beside} chosen={chosen} choose={setAsked} />}
        <Matched beside={beside} chosen={chosen} choose={setAsked} />
      </div>
      <Methods methods={beside.methods} />
      <Pictures pictures={beside.pictures} models={beside.models} />
    </article>
  );
}
