/* What stands around every page: skip link, header, footer. */
import type { ComponentChildren } from "preact";
import { href, type Route } from "../routes";
import { useSite } from "../site";

export function Frame({ route, children }: { route: Route; children: ComponentChildren }) {
  const site = useSite();
  return (
    <>
      <header class="top">
        <a href={href.start()} aria-current={route.page === "start" ? "page" : undefined}>
          {site.model.name}
        </a>
      </header>
      {children}
    </>
  );
}
