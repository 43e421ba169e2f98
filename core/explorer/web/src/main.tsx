import { render } from "preact";
import { App } from "./app";
import { listenToKeys } from "./keys";
import { openDoor, setBase } from "./load";
import { followLinks } from "./routes";
import { watchScrolling } from "./scroll";
import { applyTheme } from "./theme";
import "./style/index.css";

/* A notebook's page says on its root where to begin (data-start="#/unit/3/12"); its data may follow the script. */
openDoor();
applyTheme();
function begin(): void {
  const root = document.getElementById("app");
  if (!root) return;
  setBase(root.dataset.base ?? "data/");
  followLinks(root.dataset.start);
  listenToKeys();
  watchScrolling();
  root.textContent = "";
  render(<App />, root);
}
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
