/* What is known of a picture that has no page of its own. */
import { percent } from "../figure";
import { Thumbnail } from "../sheet";
import type { ImageLine } from "./images";

export function Brief({ about }: { about: ImageLine }) {
  if (about.failure !== null) {
    return (
      <section class="panel">
        <p>This picture could not be read: {about.failure}</p>
      </section>
    );
  }
  return (
    <section class="panel brief">
      <Thumbnail index={about.index} alt={about.id} size={192} />
      <dl class="figures">
        <div>
          <dt>label</dt>
          <dd>{about.label || "–"}</dd>
        </div>
        <div>
          <dt>prediction</dt>
          <dd>
            {about.predicted || "–"}
            {about.score !== null && <small class="muted"> {percent(about.score)}</small>}
          </dd>
        </div>
      </dl>
    </section>
  );
}
