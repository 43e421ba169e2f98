"""The site in a real browser: its pages open, its map folds, its search and its tables do what they say."""

import numpy as np
import pytest

from . import made_up_network, made_up_site

PAGES = (
    "#/",
    "#/layer/3",
    "#/unit/3/1",
    "#/unit/3/23",
    "#/picture/0",
    "#/pictures",
    "#/points/1",
    "#/atlas/0",
    "#/beside",
)
NOWHERE = ("#/layer/999", "#/nowhere", "#/unit/999/0", "#/picture/9999", "#/atlas/7")
UP, DOWN, ENTER, ESCAPE, LEFT, RIGHT = "\ue013", "\ue015", "\ue007", "\ue00c", "\ue012", "\ue014"
FOREIGN = "#app script, #app img[src='x'], #app [onerror], #app [onload], #app a[href^='javascript:']"
REQUESTS = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
SEEN = "main h1, main h2, main canvas, main .missing"


@pytest.fixture(autouse=True)
def no_errors(browser):
    """After each test: nothing was complained of, no foreign text became an element, nothing came from elsewhere."""
    browser.errors()
    yield
    assert browser.errors() == []
    assert not browser.all(FOREIGN)
    assert not [name for name in browser.run(REQUESTS) if not name.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize("address", PAGES)
def test_every_kind_of_page_opens(browser, address):
    browser.open(address, SEEN)
    assert browser.texts("header.top .crumbs a")[0].startswith('made-up "><img')


@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_without_a_page_says_so(browser, address):
    browser.open(address, "main .missing")
    assert browser.texts("main .missing")[0]


@pytest.mark.parametrize("address", ["#/", *PAGES[2:3], *PAGES[5:]])
def test_a_site_of_a_network_alone_says_what_makes_the_rest(browser, bare, address):
    browser.open(address, "main code")
    assert browser.texts("main code")[0].startswith("crosslens ")


@pytest.fixture
def bare(browser, tmp_path):
    made_up_site.write_bare(tmp_path)
    whole, browser.folder = browser.folder, tmp_path
    yield
    browser.folder = whole


def test_foreign_text_is_shown_as_it_is(browser):
    browser.open("#/layer/4")
    assert browser.texts("main h1") == [made_up_network.HOSTILE_NAME]
    assert made_up_network.HOSTILE_KIND in browser.texts("dl.facts")[0]


def test_groups_of_the_map_open_and_close(browser):
    browser.open(ready=".node")
    assert browser.texts(".node-folded")[1] == "block1 10.4 k 7 layers 5.31 M FLOP"
    before = len(browser.all(".node"))
    browser.one(".node[data-part='G2']").click()
    browser.until(lambda: len(browser.all(".node")) == before + 6)
    assert "relu_6" in " ".join(browser.texts(".node"))
    assert browser.all(".edge-skips")
    (title,) = [frame for frame in browser.all(".frame-title") if "block1" in frame.text]
    title.click()
    browser.until(lambda: len(browser.all(".node")) == before)


def test_the_map_is_walked_by_keys(browser):
    browser.open(ready=".node")
    browser.run("document.querySelector('.node[data-part=\"L1\"]').focus()")
    browser.press(DOWN, DOWN)
    assert browser.run("return document.activeElement.dataset.part") == "L3"
    browser.press(ENTER)
    browser.until(lambda: browser.address == "/layer/3")
    browser.one("main h1")
    browser.press("u")
    browser.shows(".node-chosen b", ["stem.relu"])


def test_all_layers_and_all_reads_are_drawn_once_all_is_open(browser, made_up):
    """Each read ends at its reader's node; a reader inside a block has its line from the block's port."""
    layers, network = made_up.network
    browser.open(ready=".node")
    (button,) = [button for button in browser.all(".map button") if button.text == "Open all"]
    button.click()
    browser.until(lambda: len(browser.all(".node")) == len(layers))
    arrows = len(browser.all(".edges > path[marker-end]"))
    assert arrows == sum(map(len, network["reads"]))


def test_the_map_shows_units_of_what_is_pointed_at(browser):
    browser.open(ready=".node")
    browser.point(browser.one(".node[data-part='L3']"))
    browser.shows(".preview > a", ["stem.relu"])
    assert len(browser.all(".preview li .tile")) == 23  # the last unit has no picture
    browser.all(".preview li a")[5].click()
    browser.until(lambda: browser.address == "/unit/3/5")


def test_a_dense_network_stands_in_order(browser, tmp_path):
    """Every one of 50 layers reads all before it: 1,225 reads."""
    network = made_up_network.dense_layers_and_graph(50, np.random.default_rng(0))
    made_up_site.write_bare(tmp_path, network)
    whole, browser.folder = browser.folder, tmp_path
    try:
        browser.open(ready=".node")
        assert len(browser.all(".edges > path[marker-end]")) == 50 * 49 / 2
        tops = browser.run("return [...document.querySelectorAll('.node')].map((node) => node.offsetTop)")
        assert len(tops) == 50
        assert tops == sorted(set(tops))
    finally:
        browser.folder = whole


def test_the_search_is_used_by_keys(browser):
    browser.open(ready=".node")
    search(browser, "stem.relu 11")
    browser.one("#hits li[aria-selected='true']")
    assert browser.texts("#hits .hit-text")[0] == "unit 11"
    browser.press(ENTER)
    browser.until(lambda: browser.address == "/unit/3/11")
    browser.one("main h1")
    search(browser, "photo_00007")
    browser.until(lambda: browser.texts("#hits .hit-kind") == ["Picture"])
    browser.press(DOWN, UP, ENTER)
    browser.until(lambda: browser.address == "/picture/7")


@pytest.mark.parametrize(
    ("query", "kind", "text"),
    [("egyptian", "Class", "Egyptian cat"), ("alert", "Layer", "<script>alert(1)</script>"), ("ear", "Concept", "ear")],
)
def test_the_search_finds(browser, query, kind, text):
    browser.open(ready=".node")
    search(browser, query)
    browser.until(lambda: (kind, text) in zip(browser.texts(".hit-kind"), browser.texts(".hit-text"), strict=False))
    browser.press(ESCAPE)
    browser.until(lambda: browser.all("#hits[hidden]"))


def test_the_search_finds_whole_words_first(browser):
    browser.open(ready=".node")
    search(browser, "cat")
    classes = ["tabby cat", "Egyptian cat", "catamaran"]
    browser.until(lambda: [text for text in browser.texts("#hits .hit-text") if text in classes] == classes)


def test_units_are_sorted_and_filtered(browser):
    browser.open("#/layer/3", ".unit-grid a")
    assert contents(browser, ".unit-grid b") == [str(unit) for unit in range(24)]
    choose(browser, ".unit-tools select", "iou")
    browser.until(lambda: browser.address == "/layer/3?sort=iou&down=yes")
    order = [float(text) for text in contents(browser, ".unit-grid .unit-line .number")]
    assert order == sorted(order, reverse=True)
    assert len(order) == 24
    choose(browser, ".unit-tools label:nth-of-type(2) select", "yes")
    browser.until(lambda: set(contents(browser, ".unit-grid b")) == {"5", "14", "23"})
    browser.until(lambda: browser.address == "/layer/3?sort=iou&down=yes&is.dead=yes")
    browser.driver.refresh()
    browser.until(lambda: set(contents(browser, ".unit-grid b")) == {"5", "14", "23"})
    browser.press("t")
    browser.until(lambda: len(browser.all(".unit-table tbody tr")) == 3)


def test_a_bar_of_the_histogram_keeps_its_units(browser):
    browser.open("#/layer/3?sort=mean", ".bar")
    bar = browser.all(".bar:not(:disabled)")[0]
    count = int(bar.get_attribute("aria-label").split("\u00a0")[0])
    bar.click()
    browser.until(lambda: len(browser.all(".unit-grid a")) == count)


def test_keys_go_from_layer_to_layer_and_help_names_them(browser):
    browser.open("#/layer/3", ".unit-grid")
    for key, name in ((RIGHT, made_up_network.HOSTILE_NAME), (LEFT, "stem.relu"), (LEFT, "stem.norm")):
        browser.press(key)
        browser.shows("main h1", [name])
    browser.press("?")
    browser.one("dialog[open]")
    assert "next layer" in browser.texts(".keys dd")
    browser.press(ESCAPE)
    browser.until(lambda: not browser.all("dialog[open]"))


def test_back_returns_to_the_place_that_was_left(browser):
    browser.open(ready=".layers td a")
    browser.run("scrollTo(0, 700)")
    browser.until(lambda: browser.run("return scrollY") == 700)
    browser.run("document.querySelectorAll('.layers td a')[3].click()")
    browser.until(lambda: browser.address == "/layer/3")
    browser.until(lambda: browser.run("return scrollY") == 0)
    browser.driver.back()
    browser.until(lambda: browser.run("return scrollY") == 700)


def test_the_switch_of_light_and_dark_is_remembered(browser):
    browser.open("#/layer/3")
    paper = "return getComputedStyle(document.documentElement).backgroundColor"
    light = browser.run(paper)
    browser.one("button[aria-label='Switch to dark']").click()
    dark = browser.run(paper)
    browser.driver.refresh()
    browser.one("button[aria-label='Switch to light']")
    assert browser.run(paper) == dark != light
    browser.one("button[aria-label='Switch to light']").click()
    assert browser.run(paper) == light


@pytest.mark.parametrize("address", ["#/", "#/layer/3"])
def test_a_phone_shows_a_page_without_scrolling_sideways(browser, address):
    browser.size(360, 740)
    try:
        browser.open(address, ".node, .unit-grid")
        assert browser.run("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.size(1280, 900)


def search(browser, query):
    """Types into the field of the search, as "/" leads there."""
    browser.press("/")
    browser.until(lambda: browser.run("return document.activeElement.matches('.search input')"))
    browser.press(query)
    browser.until(lambda: browser.run("return document.activeElement.value") == query)


def contents(browser, css):
    """The texts of elements, those too that are out of sight and so not drawn."""
    return browser.run("return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)", css)


def choose(browser, css, value):
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', { bubbles: true }))"
    browser.run(script, browser.all(css)[0], value)
