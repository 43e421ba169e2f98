/* The keys of the page at hand, on "?". */
import { useRef, useState } from "preact/hooks";
import { keyName, keysNow, useKeys, type Key } from "../keys";

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [keys, setKeys] = useState<Key[]>([]);
  const open = () => {
    setKeys(keysNow());
    dialog.current?.showModal();
  };
  const close = () => dialog.current?.close();
  useKeys([{ key: "?", does: "show these keys", run: open }]);
  return (
    <>
      <button class="quiet" type="button" aria-label="Keys" title="Keys (?)" onClick={open}>
        ?
      </button>
      <dialog ref={dialog} aria-labelledby="help-title" onClick={(event) => event.target === dialog.current && close()}>
        <div class="help">
          <h2 id="help-title">Keys on this page</h2>
          <dl class="keys">
            {keys.map(({ key, does }) => (
              <div key={key}>
                <dt>
                  <kbd>{keyName(key)}</kbd>
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
          <p class="muted small">
            <kbd>Tab</kbd> moves through links and the map's nodes, <kbd>Enter</kbd> opens.
          </p>
          <button type="button" onClick={close}>
            Close
          </button>
        </div>
      </dialog>
    </>
  );
}
