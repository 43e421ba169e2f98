/* What stands around every page: skip link, header with breadcrumb, search and links, footer. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Site } from "../data";
import { address, href, type Route } from "../routes";
import { layerName, useSite, lastLayout } from "../site";
import { isDark, onTheme, setTheme } from "../theme";
import { Help } from "./help";
import { Search } from "./search";

export function Frame({ route, children }: { route: Route; children: ComponentChildren }) {
  const site = useSite();
  const crumbs = crumbsOf(site, route);
  useEffect(() => {
    document.title = [...crumbs.map(({ text }) => text).reverse(), site.title].join(" \u00b7 ");
  });
  return (
    <>
      <header class="top">
        <a class="skip" href={address()} onClick={skip}>
          Skip to the page
        </a>
        <nav class="crumbs" aria-label="Where you are">
          <ol>
            <li>
              <a href={href.start()} aria-current={crumbs.length ? undefined : "page"}>
                {site.model.name}
              </a>
            </li>
            {crumbs.map(({ text, to }) => (
              <li key={to}>
                <a href={to} aria-current={to === crumbs[crumbs.length - 1].to ? "page" : undefined}>
                  {text}
                </a>
              </li>
            ))}
          </ol>
        </nav>
        <Search />
        <Links site={site} route={route} />
        <ThemeSwitch />
        <Help />
      </header>
      {children}
      <footer class="bottom">
        Made by crosslens {site.version}. This page opens from disk and asks the network for nothing.
      </footer>
    </>
  );
}

function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

interface Crumb {
  text: string;
  to: string;
}

function crumbsOf(site: Site, route: Route): Crumb[] {
  const pictures = { text: "Pictures", to: href.pictures() };
  switch (route.page) {
    case "layer":
      return [{ text: layerName(site, route.layer), to: href.layer(route.layer) }];
    case "unit":
      return [
        { text: layerName(site, route.layer), to: href.layer(route.layer) },
        { text: `unit ${route.unit}`, to: href.unit(route.layer, route.unit) },
      ];
    case "pictures":
      return [pictures];
    case "picture":
      return [pictures, { text: `picture ${route.index}`, to: href.picture(route.index) }];
    case "points":
      return [{ text: "Points", to: href.points(lastLayout(site)) }];
    case "atlas":
      return [{ text: "Atlas", to: href.atlas() }];
    case "beside":
      return [{ text: "Beside", to: href.beside() }];
    default:
      return [];
  }
}

function Links({ site, route }: { site: Site; route: Route }) {
  const links: [string, string, boolean, Route["page"][]][] = [
    ["Map", href.start(), true, ["start", "layer", "unit"]],
    ["Pictures", href.pictures(), Boolean(site.images), ["pictures", "picture"]],
    ["Points", href.points(lastLayout(site)), site.points.length > 0, ["points"]],
    ["Atlas", href.atlas(), site.atlas.length > 0, ["atlas"]],
    ["Beside", href.beside(), Boolean(site.beside), ["beside"]],
  ];
  return (
    <nav class="links" aria-label="Parts of the site">
      {links.map(
        ([text, to, there, pages]) =>
          there && (
            <a key={text} href={to} aria-current={pages.includes(route.page) ? "true" : undefined}>
              {text}
            </a>
          ),
      )}
    </nav>
  );
}

function ThemeSwitch() {
  const [dark, setDark] = useState(isDark());
  useEffect(() => onTheme(() => setDark(isDark())), []);
  const other = dark ? "light" : "dark";
  const label = `Switch to ${other}`;
  return (
    <button class="quiet" type="button" aria-label={label} title={label} onClick={() => setTheme(other)}>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 1.75a6.25 6.25 0 0 1 0 12.5z" fill="currentColor" />
      </svg>
    </button>
  );
}
