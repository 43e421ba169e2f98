"""The site in a real browser: its pages open, its map folds, its search and its tables do what they say."""

import pytest

from . import made_up_network

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
UP, DOWN, ENTER, ESCAPE, LEFT, RIGHT = "\ue013", "\ue015", "\ue007", "\ue00c", "\ue012", "\ue014"
FOREIGN = "#app script, #app img[src='x'], #app [onerror], #app [onload], #app a[href^='javascript:']"


@pytest.fixture(autouse=True)
def no_errors(browser):
    """After each test: nothing was complained of, no foreign text became an element, nothing came from elsewhere."""
    browser.errors()
    yield
    assert browser.errors() == []
    assert browser.count(FOREIGN) == 0
    assert not [name for name in browser.requests() if not name.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize("address", PAGES)
def test_every_kind_of_page_opens(browser, made_up, address):
    browser.open(made_up, address, until="main h1, main h2, main canvas, main .missing")
    assert browser.texts("header.top .crumbs a")[0].startswith('made-up "><img')


@pytest.mark.parametrize(
    "address", ["#/layer/999", "#/layer/0", "#/nowhere", "#/unit/999/0", "#/picture/299", "#/atlas/7"]
)
def test_an_address_without_a_page_says_so(browser, made_up, address):
    browser.open(made_up, address, until="main .missing")
    assert browser.texts("main .missing")


def test_foreign_text_is_shown_as_it_is(browser, made_up):
    browser.open(made_up, "#/layer/4", until="main h1")
    assert browser.texts("main h1") == [made_up_network.HOSTILE_NAME]
    assert made_up_network.HOSTILE_KIND in browser.texts("dl.facts")[0]


def test_groups_of_the_map_open_and_close(browser, made_up):
    browser.open(made_up, until=".node")
    assert "block1\n10.4\u00a0k" in browser.texts(".node-folded")[1]
    before = browser.count(".node")
    browser.click(".node[data-part='G2']")
    browser.until("return document.querySelectorAll('.node').length > arguments[0]", before)
    assert browser.count(".node") == before + 6
    assert "relu_6" in " ".join(browser.texts(".node"))
    assert browser.count(".edge-skips") >= 1
    browser.run(
        "[...document.querySelectorAll('.frame-title')].find((one) => one.innerText.includes('block1')).click()"
    )
    browser.until("return document.querySelectorAll('.node').length === arguments[0]", before)


def test_the_map_is_walked_by_keys(browser, made_up):
    browser.open(made_up, until=".node")
    browser.run("document.querySelector('.node[data-part=\"L1\"]').focus()")
    browser.press(DOWN, DOWN)
    assert browser.run("return document.activeElement.dataset.part") == "L3"
    browser.press(ENTER)
    browser.wait(".unit-grid")
    assert browser.address == "#/layer/3"
    browser.press("u")
    browser.wait(".node-chosen")
    assert browser.texts(".node-chosen b") == ["stem.relu"]


def test_an_edge_is_drawn_for_each_read_between_shown_nodes(browser, made_up):
    """All open: as many edges as the graph has."""
    browser.open(made_up, until=".node")
    browser.run("[...document.querySelectorAll('.map button')].find((one) => one.innerText === 'Open all').click()")
    layers = browser.run("return new Promise((done) => setTimeout(done, 50))")
    assert layers is None
    reads = browser.run("return document.querySelectorAll('.edges > path').length")
    assert browser.count(".node") == 5 + 6 * 7 + 3
    assert reads == 4 + 6 * 8 + 3


def test_the_search_is_used_by_keys(browser, made_up):
    browser.open(made_up, until=".node")
    browser.press("/")
    browser.press("stem.relu 11")
    browser.wait("#hits li[aria-selected='true']")
    assert browser.texts("#hits .hit-text")[0] == "unit 11"
    browser.press(ENTER)
    browser.until("return location.hash === '#/unit/3/11'")
    browser.press("/")
    browser.press("photo_00007")
    browser.until("return document.querySelector('#hits .hit-kind')?.innerText === 'Picture'")
    browser.press(DOWN, UP, ENTER)
    browser.until("return location.hash === '#/picture/7'")


@pytest.mark.parametrize(
    ("query", "kind", "text"), [("egyptian", "Class", "Egyptian cat"), ("alert", "Layer", "<script>alert(1)</script>")]
)
def test_the_search_finds(browser, made_up, query, kind, text):
    browser.open(made_up, until=".node")
    browser.press("/")
    browser.press(query)
    browser.wait("#hits .hit-kind")
    assert (browser.texts("#hits .hit-kind")[0], browser.texts("#hits .hit-text")[0]) == (kind, text)
    browser.press(ESCAPE)
    assert browser.count("#hits[hidden]") == 1


def test_units_are_sorted_and_filtered(browser, made_up):
    browser.open(made_up, "#/layer/3", until=".unit-grid a")
    assert browser.texts(".unit-grid b") == [str(unit) for unit in range(24)]
    choose(browser, ".unit-tools select", "iou")
    order = [float(text) for text in browser.texts(".unit-grid .unit-line .number")]
    assert order == sorted(order, reverse=True)
    assert len(order) == 24
    choose(browser, ".unit-tools label:nth-of-type(2) select", "yes")
    assert set(browser.texts(".unit-grid b")) == {"5", "14", "23"}
    assert browser.address == "#/layer/3?sort=iou&down=yes&is.dead=yes"
    browser.driver.refresh()
    browser.wait(".unit-grid a")
    assert set(browser.texts(".unit-grid b")) == {"5", "14", "23"}
    browser.press("t")
    browser.wait(".unit-table")
    assert browser.count(".unit-table tbody tr") == 3


def test_a_bar_of_the_histogram_keeps_its_units(browser, made_up):
    browser.open(made_up, "#/layer/3?sort=mean", until=".bar")
    label = browser.run("return document.querySelector('.bar:not(:disabled)').ariaLabel")
    browser.click(".bar:not(:disabled)")
    browser.until("return document.querySelectorAll('.unit-grid a').length < 24")
    assert browser.count(".unit-grid a") == int(label.split()[0].split("\u00a0")[0])


def test_keys_go_from_layer_to_layer_and_help_names_them(browser, made_up):
    browser.open(made_up, "#/layer/3", until=".unit-grid")
    browser.press(RIGHT)
    browser.until("return location.hash === '#/layer/4'")
    browser.press(LEFT, LEFT)
    browser.until("return location.hash === '#/layer/2'")
    browser.press("?")
    browser.wait("dialog[open]")
    assert "next layer" in browser.texts(".keys dd")
    browser.press(ESCAPE)
    browser.until("return !document.querySelector('dialog[open]')")


def test_the_switch_of_light_and_dark_is_remembered(browser, made_up):
    browser.open(made_up, "#/layer/3")
    paper = "return getComputedStyle(document.documentElement).backgroundColor"
    light = browser.run(paper)
    browser.click("button[aria-label='Switch to dark']")
    dark = browser.run(paper)
    browser.driver.refresh()
    browser.wait("button[aria-label='Switch to light']")
    assert browser.run(paper) == dark != light
    browser.click("button[aria-label='Switch to light']")
    assert browser.run(paper) == light


@pytest.mark.parametrize("address", ["#/", "#/layer/3"])
def test_a_phone_shows_a_page_without_scrolling_sideways(browser, made_up, address):
    browser.size(360, 740)
    try:
        browser.open(made_up, address, until=".node, .unit-grid")
        assert browser.run("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.size(1280, 900)


def choose(browser, css, value):
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', { bubbles: true }))"
    browser.run(script, browser.driver.find_element("css selector", css), value)
    browser.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
