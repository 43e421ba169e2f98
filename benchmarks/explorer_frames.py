"""How quick a site is in headless Chromium: its first view, pages after it, frames a second of the points.

`python -m benchmarks.explorer_frames`: of a made-up site of 100,000 images with thumbnails, which is written first;
`--images N` for another number, `--site FOLDER` for a site that is there. The points are dragged to and fro for five
seconds, in a window of 1,280 by 800 pixels, each frame stamped by the page: with a graphics processor imitated in
software (SwiftShader), and as Chromium draws where there is none. An empty page with a canvas says what the machine
allows.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.core.explorer import made_up_site

from .results import machine

FLAGS = {
    "software rendering (SwiftShader)": ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    "no graphics process": ("--disable-gpu",),
}
FIRST = "main h1, main .map, main canvas"
POINTS = ".points-stage canvas[data-drawn]"
SECONDS = 5
TIMES = 5
"""That each page is opened; the median counts."""

OPEN = """
const [to, ready, done] = arguments, start = performance.now();
location.hash = to;
const before = document.querySelector("main > *");
(function look() {
  const now = document.querySelector("main > *");
  const there = now && now !== before && document.querySelector(ready);
  if (there) requestAnimationFrame(() => done(performance.now() - start));
  else if (performance.now() - start > 20000) done(null);
  else setTimeout(look);
})();
"""
DRAG = """
const [seconds, done] = arguments, canvas = document.querySelector(".points-stage canvas");
const box = canvas.getBoundingClientRect(), stamps = [];
canvas.setPointerCapture = () => {};
const send = (name, time) => canvas.dispatchEvent(new PointerEvent(name, {
  clientX: box.left + box.width / 2 + 150 * Math.sin(time / 500),
  clientY: box.top + box.height / 2 + 100 * Math.sin(time / 700),
  pointerId: 1, button: 0, buttons: 1, bubbles: true, pointerType: "touch",
}));
const start = performance.now();
send("pointerdown", start);
requestAnimationFrame(function frame(time) {
  stamps.push(time);
  send("pointermove", time);
  if (time - start < 1000 * seconds) requestAnimationFrame(frame);
  else { send("pointerup", time); done(stamps); }
});
"""
EMPTY = """
const [seconds, done] = arguments, canvas = document.createElement("canvas"), stamps = [];
[canvas.width, canvas.height] = [900, 650];
document.body.append(canvas);
const context = canvas.getContext("2d"), start = performance.now();
requestAnimationFrame(function frame(time) {
  stamps.push(time);
  context.fillStyle = stamps.length % 2 ? "white" : "grey";
  context.fillRect(0, 0, 900, 650);
  if (time - start < 1000 * seconds) requestAnimationFrame(frame);
  else done(stamps);
});
"""


@contextmanager
def chromium(flags: tuple[str, ...]) -> Iterator[Any]:
    """A window of 1,280 by 800 pixels."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,800", *flags):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(which("chromedriver")))
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


def first_view(driver: Any, site: Path, address: str, ready: str) -> float:
    """Seconds from the start of loading until something is drawn, in a new page."""
    driver.get("about:blank")
    start = time.perf_counter()
    driver.get((site / "index.html").as_uri() + address)
    while not driver.execute_script("return document.querySelector(arguments[0]) !== null", ready):
        time.sleep(0.01)
    return time.perf_counter() - start


def opened(driver: Any, address: str, ready: str) -> str:
    """Milliseconds from following a link to a drawn page, each time from another page: the first, and the median."""
    taken = []
    for _ in range(TIMES):
        driver.execute_async_script(OPEN, "#/pictures", "main h1")
        taken.append(driver.execute_async_script(OPEN, address, ready))
    return f"{taken[0]:.0f} the first time, then {median(taken[1:]):.0f}" if None not in taken else "not opened"


def frames(driver: Any, script: str) -> str:
    """Frames a second while the points are dragged, or of a canvas that one rectangle fills."""
    stamps = driver.execute_async_script(script, SECONDS)
    steps = [after - before for before, after in pairwise(stamps)]
    mean = 1000 * len(steps) / (stamps[-1] - stamps[0])
    return f"{1000 / median(steps):.0f} median, {mean:.0f} mean, slowest frame {max(steps):.0f} ms"


def pages(site: Path) -> dict[str, str]:
    """A page of each kind that the site has: its address, and what shows that it is drawn."""
    known = {kind: sorted((site / "data" / kind).rglob("*.js")) for kind in ("layers", "units", "pictures", "points")}
    names = {"layers": "layer", "units": "unit", "pictures": "picture", "points": "points"}
    found = {
        kind: f"#/{names[kind]}/{files[0].relative_to(site / 'data' / kind).with_suffix('').as_posix()}"
        for kind, files in known.items()
        if files
    }
    return {address: POINTS if kind == "points" else "main h1" for kind, address in found.items()}


def measure(site: Path) -> None:
    for name, flags in FLAGS.items():
        with chromium(flags) as driver:
            print(f"{name}:", flush=True)
            print(f"  frames a second of an empty page with a canvas: {frames(driver, EMPTY)}", flush=True)
            print(f"  first view of the start page: {first_view(driver, site, '#/', FIRST):.2f} s", flush=True)
            for address, ready in pages(site).items():
                print(f"  {address}: {opened(driver, address, ready)} ms", flush=True)
            print(f"  first view of the points, in a new page: {first_view(driver, site, '#/points/0', POINTS):.2f} s")
            time.sleep(2)
            print(f"  frames a second of the points: {frames(driver, DRAG)}", flush=True)
            for _ in range(4):
                driver.find_element("css selector", ".points-buttons button").click()
            time.sleep(2)
            print(f"  the same, five times nearer: {frames(driver, DRAG)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--site", type=Path)
    arguments = parser.parse_args()
    print(machine())
    if arguments.site:
        measure(arguments.site.resolve())
        return
    with TemporaryDirectory() as place:
        made_up_site.write(Path(place), images=arguments.images)
        print(f"a made-up site of {arguments.images:,} images")
        measure(Path(place))


if __name__ == "__main__":
    main()
