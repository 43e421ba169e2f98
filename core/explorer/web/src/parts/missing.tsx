/* What a page says where something was not made: what it would be, and the command that makes it. */
import type { Missing } from "../data";
import { href } from "../routes";
import { commandFor, useSite } from "../site";
import { Command, inCell, WholeSite } from "./command";

/* "No atlas was made" with the command from `Site.commands`. */
export function MissingPart({ what, text }: { what: Missing; text: string }) {
  const command = commandFor(useSite(), what);
  return (
    <div class="missing">
      <p>{text}</p>
      {inCell() && (
        <p>
          <WholeSite />
        </p>
      )}
      {!inCell() && command && (
        <p>
          Make it with <Command text={command} />
        </p>
      )}
    </div>
  );
}

export function NotThere({ text }: { text: string }) {
  return (
    <div class="missing">
      <h1>Nothing here</h1>
      <p>{text}</p>
      <p>
        <a href={href.start()}>Back to the start</a>
      </p>
    </div>
  );
}
