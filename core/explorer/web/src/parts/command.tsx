/* A command that a reader may type, with a button that copies it. */
import { useState } from "preact/hooks";

export function Command({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    setCopied(copyText(text));
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <span class="command">
      <code>{text}</code>{" "}
      <button type="button" onClick={copy} aria-label="Copy the command">
        {copied ? "copied" : "copy"}
      </button>
    </span>
  );
}

/* By a selected text area: a page opened from disk or in a notebook's frame may not use the clipboard's newer interface. */
function copyText(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/* Whether the page stands alone in a notebook's cell: its root says where to begin. */
export function inCell(): boolean {
  return document.getElementById("app")?.dataset.start !== undefined;
}

/* What a reader of a notebook's cell does for the pages that are not in it. */
export function WholeSite() {
  return (
    <>
      this cell holds one page: <Command text='crosslens.explore(survey).save("site/")' /> writes all
    </>
  );
}

/* "not made yet" and the command that makes it. */
export function NotMade({ command, what = "not made yet" }: { command: string; what?: string }) {
  return (
    <p class="missing not-made">
      {what}
      {inCell() ? (
        <>
          ; <WholeSite />
        </>
      ) : (
        command && (
          <>
            : <Command text={command} />
          </>
        )
      )}
    </p>
  );
}
