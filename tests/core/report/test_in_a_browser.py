"""The page in a real browser: it opens without errors, sorts, slides, and leads to the picture it names.

A script added to a copy of the page does what a user does and writes what it saw to the console, which Chromium
passes on to its standard error. The script says when it is done: a page that is printed after a while, or after so much
virtual time, is printed too early on a busy machine.
"""

import html
import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from threading import Timer

import crosslens
import numpy as np
import pytest
from crosslens.testing import TinyModel

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

SCRIPT = """
const seen = { errors: [] };
addEventListener("error", (event) => seen.errors.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => seen.errors.push(event.violatedDirective));
addEventListener("load", async () => {
  await new Promise((done) => setTimeout(done, 100));
  %s
  console.log("SEEN" + JSON.stringify(seen) + "END");
});
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Two models that differ a little, five pictures, two methods."""
    first, images = TinyModel(), np.random.default_rng(0).random((5, 3, 8, 8)).astype(np.float32)
    near = {name: values * 1.001 for name, values in first.weights("fc").items()}
    models = {"a": first, "b": first._with_weights({"fc": near}), "c": TinyModel(seed=1)}
    chosen = [crosslens.method(name) for name in ("gradient", "grad_cam")]
    made = crosslens.compare(models, chosen, images, target=0, titles=[f"{n}.png" for n in (10, 9, 8, 7, 6)])
    return made.save(tmp_path_factory.mktemp("report") / "report.html").read_text()


@contextmanager
def ends_after(browser, seconds):
    """The browser is ended afterwards, and after so many seconds, however little it said."""
    timer = Timer(seconds, browser.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        browser.terminate()


@pytest.fixture
def browse(report, tmp_path):
    """What a script sees in the page; `seen` is its record."""

    def run(actions, where="", text=report):
        page, profile = tmp_path / "page.html", tmp_path / "profile"
        spy = SCRIPT % actions
        allowed = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", text)
        page.write_text(allowed.replace("<title>", f"<script>{spy}</script><title>", 1))
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"{page.as_uri()}{where}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as browser, ends_after(browser, seconds=120):
            lines = iter(browser.stderr.readline, "")
            said = next((line for line in lines if "SEEN{" in line), None)
        assert said, "the browser ended before the script did"
        return json.loads(re.search(r"SEEN(.*)END", said)[1])

    return run


def test_it_opens_without_errors_and_all_its_pictures_are_there(browse):
    seen = browse("""
      for (const block of document.querySelectorAll("details")) block.open = true;
      const images = [...document.images];
      for (const image of images) image.loading = "eager";
      await Promise.all(images.map((image) => image.decode().catch(() => seen.errors.push(image.alt))));
      seen.images = images.length;
      seen.wide = document.documentElement.scrollWidth - innerWidth;
    """)
    assert seen["errors"] == []
    assert seen["images"] > 5 * 2 * (3 + 1 + 3)
    assert seen["wide"] <= 0


@pytest.mark.parametrize("width", [400, 320])
def test_a_page_of_long_names_does_not_scroll_sideways_on_a_phone(browse, tmp_path, width):
    first = TinyModel()
    long = "efficientnet_lite0_finetuned_on_our_own_pictures_final_checkpoint_best"
    far = {name: values * 1.5 for name, values in first.weights("fc").items()}
    models = {f"{long}_a": first, f"{long}_b": first._with_weights({"fc": far}), f"{long}_c": TinyModel(seed=1)}
    methods = [crosslens.method(name) for name in ("gradient", "grad_cam", "integrated_gradients")]
    images = np.random.default_rng(0).random((6, 3, 8, 8)).astype(np.float32)
    titles = [f"{'a_picture_with_a_long_name_' * 4}{n}.png" for n in range(6)]
    page = crosslens.compare(models, methods, images, target=0, titles=titles).save(tmp_path / "long.html").read_text()
    frame = f'<title>frame</title><iframe style="border: 0; width: {width}px" srcdoc="{html.escape(page)}"></iframe>'
    seen = browse(
        """
      const inside = document.querySelector("iframe").contentDocument;
      for (const block of inside.querySelectorAll("details")) block.open = true;
      const root = inside.documentElement;
      [seen.cases, seen.width] = [inside.querySelectorAll(".case").length, root.clientWidth];
      seen.wide = root.scrollWidth - root.clientWidth;
    """,
        text=frame,
    )
    assert seen["cases"] == 6
    assert 0 < seen["width"] <= width
    assert seen["wide"] <= 0


def test_its_own_policy_lets_its_script_run(report, tmp_path):
    """The page as it is saved: the script has made sliders, so it ran."""
    page = tmp_path / "page.html"
    page.write_text(report)
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "slider between a (left) and b (right)" in done.stdout
    assert "slider between" not in report.partition("<script>")[0]


def test_a_table_is_sorted_by_its_headings_up_and_down(browse):
    seen = browse("""
      const table = document.querySelector("#predictions table");
      const column = (n) => [...table.tBodies[0].rows].map((row) => row.cells[n].textContent);
      const [names, distance] = [table.tHead.rows[0].cells[0], table.tHead.rows[0].cells[6]];
      names.querySelector("button").click();
      [seen.up, seen.aria] = [column(0), names.ariaSort];
      names.querySelector("button").click();
      seen.down = column(0);
      distance.querySelector("button").click();
      [seen.numbers, seen.gone] = [column(6).map(Number), names.ariaSort];
    """)
    assert seen["up"] == ["6.png", "7.png", "8.png", "9.png", "10.png"]  # by number, not by letter
    assert seen["down"] == seen["up"][::-1]
    assert seen["aria"] == "ascending"
    assert seen["gone"] is None
    assert seen["numbers"] == sorted(seen["numbers"])
    assert len(set(seen["numbers"])) > 1


def test_the_slider_moves_and_shows_the_two_models_that_are_chosen(browse):
    seen = browse("""
      const slider = document.querySelector(".wipe"), range = slider.querySelector("input");
      const [left, right] = [slider.querySelector("img.over"), slider.querySelector("img:not(.over)")];
      const clip = () => getComputedStyle(left).clipPath;
      seen.before = clip();
      range.value = 80;
      range.dispatchEvent(new Event("input"));
      [seen.after, seen.told] = [clip(), range.ariaValueText];
      const maps = [...slider.parentElement.querySelectorAll("figure[data-model] img")];
      const shown = () => [maps.findIndex((m) => m.src === left.src), maps.findIndex((m) => m.src === right.src)];
      seen.first = shown();
      const side = slider.querySelectorAll("select")[1];
      side.value = 2;
      side.dispatchEvent(new Event("change"));
      [seen.second, seen.label] = [shown(), range.ariaLabel];
      range.focus();
      seen.focused = document.activeElement === range;
    """)
    assert seen["before"] != seen["after"]
    assert seen["told"] == "80 % from the left"
    assert seen["first"] == [0, 1]
    assert seen["second"] == [0, 2]
    assert seen["label"] == "slider between a (left) and c (right)"
    assert seen["focused"]


def test_a_link_opens_the_picture_it_leads_to(browse):
    state = "seen.open = document.getElementById('picture-%d').closest('details').open;"
    ranked = browse("""
      seen.closed = [...document.querySelectorAll("details.case:not([open]) > div")].map((part) => part.id);
      location.hash = seen.closed[0];
      await new Promise((done) => setTimeout(done, 100));
      seen.open = document.getElementById(seen.closed[0]).closest("details").open;
    """)
    assert len(ranked["closed"]) == 2
    assert ranked["open"]
    number = int(ranked["closed"][1].rpartition("-")[2])
    assert browse(state % number, where=f"#picture-{number}")["open"]


def test_what_a_figure_means_is_shown_to_the_keyboard(browse):
    seen = browse("""
      const tip = document.querySelector("button.tip");
      const shown = () => getComputedStyle(document.getElementById(tip.getAttribute("aria-describedby"))).visibility;
      seen.before = shown();
      tip.focus({ focusVisible: true });
      seen.after = shown();
    """)
    assert (seen["before"], seen["after"]) == ("hidden", "visible")


def test_the_browser_would_tell_of_an_error(browse, report):
    """A test of these tests: a broken script is seen."""
    broken = report.replace('"use strict";', '"use strict"; undefinedFunction();')
    assert any("undefinedFunction" in error for error in browse("", text=broken)["errors"])
