"""Pages of units, of pictures, of all pictures and of two models, in a real browser on a made-up site.

What is expected follows from how `made_up_pages` numbers things: at position p of a dictionary stand units p, p + 1 and
p + 2.
"""

import json
import math

import pytest
from selenium.webdriver.common.keys import Keys

from .made_up_pages import RECTIFIED
from .made_up_site import IMAGE, SCRIPT

LAYER = 2
"""Of the unit that is looked at."""
SHALLOW, DEEP = ".dictionary-row:nth-last-child(1)", ".dictionary-row:nth-last-child(2)"


def value(made, key):
    """Of a file of the site, without its script."""
    text = (made.folder / "data" / f"{key}.js").read_text()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


@pytest.fixture
def no_errors(browser):
    """The console stays silent, and no text became an element that runs."""
    browser.errors()
    yield
    assert browser.errors() == []
    assert browser.run("return document.querySelectorAll('main script, main img[src=x], [onerror]').length") == 0


@pytest.fixture
def picture(browser):
    return browser.open("#/picture/1", ready="#dictionary")


@pytest.mark.usefixtures("no_errors")
def test_a_page_of_a_unit_shows_what_the_data_say(browser, made_up):
    browser.open(f"#/unit/{LAYER}/1", ready="#examples")
    name = made_up.network[0][LAYER]["name"]
    assert browser.texts("h1") == [f"{name} unit 1"]
    assert browser.texts("#statistics dd") == ["0.51", "8.2", "0.4", "no", "\u2013"]
    assert browser.texts("#examples [data-kind=most] .note") == ["9", "8.5", "8"]
    assert browser.links("#examples [data-kind=most] a") == [
        f"/picture/0?layer={LAYER}&unit=1",
        "/picture/3",
        "/picture/6",
    ]
    assert browser.texts("#concepts .number")[2:] == ["0.21", "0.02"]
    assert browser.links("#nearest a")[:2] == [f"/unit/{LAYER}/0", f"/unit/{LAYER}/2"]
    assert browser.texts("#nearest .note")[:2] == ["0.9", "0.5"]
    assert browser.texts("#reads .note") == ["\u22120.25", "0.125"]
    assert [len(browser.all(f"#reads .signed-bar .{sign}")) for sign in ("negative", "positive")] == [1, 1]
    assert browser.links("#read-by a") == [f"/unit/{len(made_up.network[0]) - 2}/0"]
    browser.until(lambda: len(browser.all(".visual img")) == 6)


def test_an_example_shows_its_image_with_the_part_that_the_unit_sees(browser):
    browser.open(f"#/unit/{LAYER}/1", ready="#examples")
    browser.point(browser.all(".crop")[1])
    box, rectangle = browser.one(".whole .framed").rect, browser.one(".whole .rectangle").rect
    top, left = (rectangle["y"] - box["y"]) / box["height"], (rectangle["x"] - box["x"]) / box["width"]
    bottom = (rectangle["y"] + rectangle["height"] - box["y"]) / box["height"]
    right = (rectangle["x"] + rectangle["width"] - box["x"]) / box["width"]
    assert (top, left, bottom, right) == pytest.approx((0.1, 0.2, 0.5, 0.6), abs=0.01)
    ring = browser.one(".whole .ring").rect
    middle = [(ring[k] + ring[side] / 2 - box[k]) / box[side] for k, side in (("y", "height"), ("x", "width"))]
    assert middle == pytest.approx([0.2, 0.5], abs=0.01)
    tile, ring = browser.all(".crop .tile")[1].rect, browser.all(".crop .ring")[1].rect
    middle = [(ring[k] + ring[side] / 2 - tile[k]) / tile[side] for k, side in (("y", "height"), ("x", "width"))]
    assert middle == pytest.approx([0.25, 0.75], abs=0.02)  # 0.1 to 0.5 and 0.2 to 0.6 of the image are the crop
    browser.shows(".whole p", ["folder/photo_00003.png \u00b7 " + SCRIPT])


def test_attribution_stands_beside_each_example_where_it_was_made(browser):
    browser.open(f"#/unit/{LAYER}/1", ready="#examples")
    assert len(browser.all(".crop .tile")) == 12
    browser.all(".choice button")[2].click()
    browser.until(lambda: len(browser.all(".crop .tile")) == 24)
    browser.open(f"#/unit/{LAYER}/3", ready="#examples")
    assert not browser.all(".choice")


def test_a_histogram_is_as_high_as_its_counts_or_their_logarithm(browser, made_up):
    browser.open(f"#/unit/{LAYER}/1", ready="#histogram")
    counts = value(made_up, f"units/{LAYER}/1")["histogram"]["counts"]

    def heights():
        first = browser.all(".histogram")[0]
        bars = browser.run(
            "return [...arguments[0].querySelectorAll('.bin-bar')].map(b => +b.getAttribute('height'))", first
        )
        return [bar / max(bars) for bar in bars]

    assert heights() == pytest.approx([count / max(counts) for count in counts], abs=1e-6)
    browser.all("#histogram input")[0].click()
    expected = [math.log(1 + count) / math.log(1 + max(counts)) for count in counts]
    browser.until(lambda: heights() == pytest.approx(expected, abs=1e-6))


def test_examples_are_marks_of_the_histogram_that_they_are_values_of(browser, made_up):
    """Before the rectifier where examples are of that; the axis reaches as far as they do."""
    names = [line["name"] for line in made_up.network[0]]
    browser.open(f"#/unit/{RECTIFIED}/1", ready="#histogram .mark")
    titles = browser.texts("#histogram figcaption > span")
    assert titles == [f"values of {names[RECTIFIED]}", f"values of {names[RECTIFIED - 1]}, before the rectifier"]
    assert browser.run(
        "return [...document.querySelectorAll('.histogram')].map((f) => f.querySelectorAll('.mark').length)"
    ) == [0, 12]
    edges = value(made_up, f"units/{RECTIFIED}/1")["before"]["edges"]
    low, high = min(edges[0], 3.5), max(edges[-1], 9)
    left = browser.run("return [...document.querySelectorAll('.mark')].map((mark) => parseFloat(mark.style.left))")
    assert left == pytest.approx([100 * (9 - n / 2 - low) / (high - low) for n in range(12)], abs=0.01)
    browser.open(f"#/layer/{RECTIFIED}", ready=".unit-grid")
    assert f"examples are values of {names[RECTIFIED - 1]}, before the rectifier" in browser.texts(".layer > p")
    assert browser.texts(".unit-grid .tile-none") == ["23"]


def test_what_was_not_made_names_the_command(browser, made_up):
    browser.open(f"#/unit/{LAYER}/9", ready="#visualisation .not-made")
    assert browser.texts("#visualisation code") == ["crosslens explore model.onnx photos/ -o site/ --units all"]
    browser.open("#/picture/6", ready=".not-made")
    browser.until(lambda: browser.texts("h1") == [f"folder/{IMAGE}_00006.png"])
    assert browser.texts(".not-made code") == [f"crosslens explore model.onnx photos/ --pictures 200 {SCRIPT}"]
    assert browser.texts(".brief dd") == ["dog", f"{made_up.classes[6]} 14.3 %"]


def test_a_notebooks_cell_names_the_call_that_writes_the_site(browser):
    browser.open("#/pictures", ready=".picture-cell")
    browser.run("document.getElementById('app').dataset.start = '#/'; location.hash = '#/picture/6'")
    browser.until(lambda: browser.texts(".not-made code") == ['crosslens.explore(survey).save("site/")'])
    browser.run("delete document.getElementById('app').dataset.start")


def test_keys_lead_to_the_next_unit_and_to_the_layer(browser, made_up):
    browser.open(f"#/unit/{LAYER}/1", ready="#examples")
    name = made_up.network[0][LAYER]["name"]
    for key, unit in ((Keys.ARROW_RIGHT, 2), (Keys.ARROW_LEFT, 1), (Keys.ARROW_LEFT, 0), (Keys.ARROW_LEFT, 0)):
        browser.press(key)
        browser.shows("h1", [f"{name} unit {unit}"])
        assert browser.address == f"/unit/{LAYER}/{unit}"
    browser.press("u")
    browser.until(lambda: browser.address == f"/layer/{LAYER}")


def test_small_pictures_are_there_when_all_of_their_sheet_change(browser, picture):
    """Of a layer that nothing else on the page shows."""
    images = "return [...document.querySelectorAll(arguments[0])].map((tile) => getComputedStyle(tile).backgroundImage)"
    for x, unit in ((0.1, "0"), (0.9, "3"), (0.1, "0")):
        browser.point(picture.one(".stage"), x=x, y=0.1)
        browser.until(lambda unit=unit: browser.texts(f"{DEEP} .unit-number")[0] == unit)
        browser.run("return new Promise((done) => setTimeout(done, 50))")
        assert len(shown := browser.run(images, f"{DEEP} .tile")) == 3
        assert "none" not in shown


@pytest.mark.usefixtures("no_errors")
def test_the_dictionary_names_the_units_at_the_pointer(browser, picture):
    browser.point(picture.one(".stage"), x=0.65, y=0.3)
    # row 2 and column 5 of 8 x 8, row 1 and column 2 of 4 x 4
    browser.shows(f"{SHALLOW} .unit-number", ["21", "22", "23"])
    browser.shows(f"{SHALLOW} .note", ["2.4", "1.4", "0.4"])
    assert [unit.rpartition("/")[2] for unit in browser.links(f"{DEEP} .unit-tile")] == ["6", "7", "8"]
    assert browser.texts(f"{DEEP} .note") == ["6.5 \u03c3", "5.5 \u03c3", "4.5 \u03c3"]
    assert "value 3.9 here" in browser.all(f"{DEEP} .unit-tile")[0].get_attribute("title")


def test_a_click_holds_the_position_and_escape_releases_it(browser, picture):
    stage = picture.one(".stage")
    browser.point(stage, x=0.65, y=0.3)
    browser.click()
    browser.point(stage, x=0.05, y=0.05)
    browser.shows(f"{SHALLOW} .unit-number", ["21", "22", "23"])
    browser.press(Keys.ESCAPE)
    browser.point(stage, x=0.06, y=0.06)
    browser.shows(f"{SHALLOW} .unit-number", ["0", "1", "2"])
    link = browser.links(f"{SHALLOW} .unit-tile")[0]
    browser.all(f"{SHALLOW} .unit-tile")[0].click()
    browser.until(lambda: browser.address == link)


def test_arrow_keys_move_the_position_by_a_cell(browser, picture):
    browser.point(browser.one("h1"))
    browser.press("p", Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    # from the middle, row 4 and column 4 of 8 x 8, to row 3 and column 2: position 26, and 26 + k - 24 units further
    browser.shows(f"{SHALLOW} .unit-number", ["2", "3", "4"])
    assert browser.address == "/picture/1"
    browser.press(*[Keys.ARROW_DOWN] * 9)
    browser.shows(f"{SHALLOW} .row button", ["row 8, column 3 of 8 \u00d7 8"])


def test_a_unit_shows_where_else_it_stands_out(browser, picture):
    browser.point(browser.all(f"{SHALLOW} .unit-tile")[0])
    number = int(browser.texts(f"{SHALLOW} .unit-number")[0])
    cells = browser.until(lambda: browser.all(".heat rect"))
    places = {int(cell.get_attribute("y")) * 8 + int(cell.get_attribute("x")) for cell in cells}
    assert places == {p for p in range(64) if number in {(p + k) % 24 for k in range(3)}}


def test_a_picture_shows_the_unit_whose_page_led_to_it(browser, made_up):
    shallow = value(made_up, "pictures/0")["dictionary"][0]["layer"]
    browser.open(f"#/unit/{shallow}/1", ready="#examples")
    browser.all("#examples .crop")[0].click()
    cells = browser.until(lambda: browser.all(".heat rect"))
    assert len(cells) == sum(1 in {(p + k) % 24 for k in range(3)} for p in range(64))
    assert browser.links(".asked a") == [f"/unit/{shallow}/1"]
    browser.one(".asked button").click()
    browser.until(lambda: not browser.all(".heat") and browser.address == "/picture/0")
    browser.open(f"#/picture/0?layer={shallow}&unit=99", ready=".asked")
    assert "does not stand out here" in browser.texts(".asked")[0]


@pytest.mark.usefixtures("no_errors")
def test_maps_and_groups_are_drawn_over_the_picture(browser, picture, made_up):
    page = value(made_up, "pictures/1")
    assert not browser.all(".stage .map, .stage .mask")
    browser.all(".map-tile")[2].click()
    assert browser.one(".stage .map").get_attribute("src") == page["maps"][1]["image"]
    browser.all("#groups input")[1].click()
    mask = browser.one(".stage .mask")
    assert page["groups"]["groups"][1]["map"] in browser.run("return arguments[0].style.maskImage", mask)
    assert browser.texts("#groups label .muted") == ["effect 1.5", "effect 0.5", "effect \u22120.5"]
    assert browser.texts("#prediction .number") == ["60 %", "30 %", "20 %", "15 %"]
    assert browser.links("#neighbours a") == ["/picture/1", "/picture/2", "/picture/3"]


def test_a_strong_unit_marks_its_place(browser, picture):
    row = browser.one("#strongest [data-layer='1']")
    browser.run("arguments[0].scrollIntoView()", row)
    browser.until(lambda: len(browser.all("#strongest [data-layer='1'] .unit-tile .tile")) == 4)
    browser.point(browser.all("#strongest [data-layer='1'] .unit-tile")[2])
    style = browser.one(".stage .place").get_attribute("style")
    assert "top: 30%" in style
    assert "left: 60%" in style


@pytest.mark.usefixtures("no_errors")
def test_all_pictures_scroll_and_only_those_in_sight_are_drawn(browser, made_up):
    browser.open("#/pictures", ready=".picture-cell")
    assert len(browser.all(".picture-cell")) < 200
    assert browser.links(".picture-cell.own") == ["/picture/0", "/picture/1", "/picture/2", "/picture/7"]
    assert browser.links(".picture-cell")[:6] == [f"/picture/{index}" for index in (0, 1, 2, 7, 3, 4)]
    browser.run("window.scrollTo(0, document.body.scrollHeight)")
    browser.until(lambda: f"/picture/{made_up.images - 1}" in browser.links(".picture-cell"))
    assert "/picture/0" not in browser.links(".picture-cell")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("text=SCRIPT%3Ealert(1)%3C%2Fscript%3E_", [5]),
        ("only=failed", [4]),
        ("only=pages", [0, 1, 2, 7]),
        # labels go none, cat, dog, script; classes by twelves; scores 1, 1/2, .. 1/7
        ("label=dog&predicted=Egyptian+cat", []),
        ("label=dog&order=score&text=photo_000", [14, 42, 70, 98, 22, 50, 78]),
        ("label=dog&order=score_up&text=photo_000", [34, 62, 90, 26, 54, 82]),
    ],
)
def test_pictures_are_filtered_and_sorted(browser, options, expected):
    browser.open(f"#/pictures?{options}", ready="form.picture-filters")
    browser.until(
        lambda: (
            " of 300" in browser.texts(".page-heading p")[0] and "searched" not in browser.texts(".page-heading p")[0]
        )
    )
    found = [int(link.rpartition("/")[2]) for link in browser.links(".picture-cell")]
    assert found[: len(expected)] == expected
    assert len(found) == len(expected) or "order" in options


def test_typing_filters_and_is_kept_in_the_address(browser):
    browser.open("#/pictures", ready=".picture-cell")
    browser.one("input[type=search]").send_keys("photo_00012")
    browser.until(lambda: browser.links(".picture-cell") == ["/picture/12"])
    assert browser.address == "/pictures?text=photo_00012"


@pytest.mark.usefixtures("no_errors")
def test_two_models_stand_side_by_side(browser, made_up):
    browser.open("#/beside", ready="#layers")
    page = value(made_up, "beside")
    assert browser.texts(".verdict") == [page["verdict"]]
    assert len(browser.all(".rung")) == len(page["layers"])
    assert browser.texts(".ladder-side.b li") == [row["b"] for row in page["layers"]]
    assert len(browser.all("#divergence .fault")) == 1
    assert page["layers"][5]["a"] in browser.texts("#divergence .fault th")[0]
    browser.all(".ladder-side.a button")[2].click()
    browser.until(lambda: browser.links("#matched a")[0] == f"/unit/{page['layers'][2]['a_id']}/0")
    assert browser.texts("#methods td") == ["0.98", "0.91"]
    assert len(browser.all("#beside-pictures img")) == 3


@pytest.mark.parametrize("address", [f"#/unit/{LAYER}/1", "#/picture/1", "#/pictures", "#/beside"])
def test_nothing_is_wider_than_a_phone(browser, address):
    browser.size(360, 740)
    try:
        browser.open(address)
        assert browser.run("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.size(1280, 900)
