/* The page of an address, within the frame that all pages share. */
import { useEffect, useRef } from "preact/hooks";
import type { Site } from "./data";
import { useData } from "./load";
import { Frame } from "./parts/frame";
import { NotThere } from "./parts/missing";
import { AtlasView } from "./pages/atlas";
import { BesideView } from "./pages/beside";
import { LayerView } from "./pages/layer";
import { PictureView } from "./pages/picture";
import { PicturesView } from "./pages/pictures";
import { PointsView } from "./pages/points";
import { StartView } from "./pages/start";
import { UnitPageView } from "./pages/unit";
import { parse, useAddress, type Route } from "./routes";
import { useScrollPlace } from "./scroll";
import { SiteContext } from "./site";

export function App() {
  const site = useData<Site>("site");
  const address = useAddress();
  const path = address.split("?")[0].replace(/^(#\/points)\/.*/, "$1"); // layouts of points are one page
  const main = useRef<HTMLElement>(null);
  useScrollPlace(path);
  useEffect(() => main.current?.focus({ preventScroll: true }), [path]);
  if (site === undefined) return null;
  if (site === null) return <NotThere text="data/site.js is missing: this folder holds no site, or only a part of one." />;
  const route = parse(address);
  return (
    <SiteContext.Provider value={site}>
      <Frame route={route}>
        <main id="main" tabIndex={-1} ref={main} key={path}>
          <Page route={route} />
        </main>
      </Frame>
    </SiteContext.Provider>
  );
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case "start":
      return <StartView />;
    case "layer":
      return <LayerView layer={route.layer} />;
    case "unit":
      return <UnitPageView layer={route.layer} unit={route.unit} />;
    case "pictures":
      return <PicturesView />;
    case "picture":
      return <PictureView index={route.index} />;
    case "points":
      return <PointsView which={route.which} />;
    case "atlas":
      return <AtlasView which={route.which} />;
    case "beside":
      return <BesideView />;
    case "unknown":
      return <NotThere text={`There is no page ${route.address}.`} />;
  }
}
