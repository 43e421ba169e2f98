"""The pages of points and of the atlas in a real browser: what the lasso takes, what filters leave, where links lead.

The points and kinds that are expected come from the site's own data, by NumPy.
"""

import base64
import json
from itertools import pairwise

import numpy as np
import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from .made_up_site import IMAGE, SCRIPT

SHARE = 0.94
"""Of the canvas's shorter side, that points from -1 to 1 and their pictures take."""
PICTURE = 52
"""Pixels of a picture with its frame, half of which lies beyond a point on each side."""
CANVAS = ".points-stage canvas[data-drawn=still]"
STATUS = "return Number(document.querySelector('.points-tools [role=status]').dataset.shown)"
PICTURES = "return [...document.querySelectorAll('.points-pictures a')].map((a) => a.hash)"


@pytest.fixture(autouse=True)
def no_errors(browser):
    browser.errors()
    yield
    assert browser.errors() == []


@pytest.fixture
def page(browser, made_up):
    browser.open("#/points/0", ready=CANVAS)
    return browser


def value(made_up, key):
    text = (made_up.folder / "data" / f"{key}.js").read_text()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def layout(made_up, number):
    page = value(made_up, f"points/{number}")
    return np.stack([np.frombuffer(base64.b64decode(page[axis]), "<f4") for axis in "xy"], axis=1).astype(float)


def on_canvas(browser, points):
    """Where points lie on the canvas that shows all of them, from its middle, in pixels to the right and down."""
    side = browser.run("const box = document.querySelector(arguments[0]).getBoundingClientRect(); "
                       "return Math.min(box.width, box.height)", CANVAS)  # fmt: skip
    return points * [1, -1] * (SHARE * side - PICTURE) / 2


def lasso(browser, corners):
    canvas = browser.driver.find_element("css selector", CANVAS)
    first, *rest = [(int(x), int(y)) for x, y in corners]
    chain = ActionChains(browser.driver, duration=0).key_down(Keys.SHIFT)
    chain.move_to_element_with_offset(canvas, *first).click_and_hold()
    for corner in rest:
        chain.move_to_element_with_offset(canvas, *corner)
    chain.release().key_up(Keys.SHIFT).perform()


def is_inside(point, corners):
    """Whether the angles between corners, as a point sees them, go once around it."""
    directions = [complex(*(np.subtract(corner, point))) for corner in [*corners, corners[0]]]
    return abs(sum(np.angle(after / before) for before, after in pairwise(directions))) > np.pi


def taken(browser):
    """The images that are selected, from their links."""
    more = "const more = [...document.querySelectorAll('.points-chosen > button')].at(0); more?.click(); return !more"
    browser.until(more)
    return [int(link.rpartition("/")[2]) for link in browser.run(PICTURES)]


def test_the_lasso_takes_the_points_inside_its_line_and_no_others(page, made_up):
    places = on_canvas(page, layout(made_up, 0))
    corners = [(-40, -280), (260, -270), (240, 10), (150, -150), (60, -20), (70, -200)]  # not convex
    expected = [n for n, place in enumerate(places) if np.isfinite(place).all() and is_inside(place, corners)]
    assert 20 < len(expected) < 200
    lasso(page, corners)
    page.wait(".points-chosen")
    assert page.texts(".points-chosen h2") == [f"{len(expected)} pictures selected"]
    assert taken(page) == expected
    page.press(Keys.ESCAPE)
    page.until("return !document.querySelector('.points-chosen')")


def test_the_lasso_takes_nothing_that_filters_hide(page, made_up):
    labels = np.array(value(made_up, "images/0")["label"])
    page.click("[data-kind=dog]")
    page.until(f"{STATUS} < arguments[0]", 299)
    lasso(page, corners_of_all(page))
    page.wait(".points-chosen")
    assert taken(page) == [n for n in range(300) if labels[n] != 1 and n != 4]


def corners_of_all(browser):
    box = browser.run(
        "const b = document.querySelector(arguments[0]).getBoundingClientRect(); return [b.width, b.height]", CANVAS
    )
    right, down = box[0] / 2 - 3, box[1] / 2 - 3
    return [(-right, -down), (right, -down), (right, down), (-right, down)]


def test_the_legend_hides_kinds_and_with_shift_shows_one_alone(page, made_up):
    labels = np.delete(np.array(value(made_up, "images/0")["label"]), 4)
    names = page.run("return [...document.querySelectorAll('.points-kind')].map((kind) => kind.dataset.kind)")
    assert sorted(names) == sorted(["cat", "dog", SCRIPT, "no label"])
    page.click("[data-kind=cat]")
    page.until(f"{STATUS} === arguments[0]", int((labels != 0).sum()))
    page.click("[data-kind=cat]")
    page.until(f"{STATUS} === 299")
    page.run("document.querySelector('[data-kind=cat]').dispatchEvent("
             "new MouseEvent('click', {bubbles: true, shiftKey: true}))")  # fmt: skip
    page.until(f"{STATUS} === arguments[0]", int((labels == 0).sum()))


def test_the_filter_finds_names_labels_and_predictions(page, made_up):
    chunk = value(made_up, "images/0")
    known = [n for n in range(300) if n != 4]
    field = page.driver.find_element("css selector", ".points-tools input[type=search]")
    field.send_keys("PHOTO_0001")
    page.until(f"{STATUS} === arguments[0]", sum("photo_0001" in chunk["ids"][n] for n in known))
    field.clear()
    field.send_keys("tabby")
    page.until(f"{STATUS} === arguments[0]", sum(chunk["predicted"][n] == 0 for n in known))


def test_units_that_stand_out_among_a_class_lead_to_their_pages(page):
    page.run("const s = document.querySelector('.points-tools select'); s.value = 'predicted'; "
             "s.dispatchEvent(new Event('change', {bubbles: true}))")  # fmt: skip
    page.wait(f"[data-kind='{SCRIPT}']")
    page.run(
        "document.querySelector(arguments[0]).parentNode.querySelector('.points-pick').click()",
        f"[data-kind='{SCRIPT}']",
    )
    page.wait(".points-bars a")
    assert page.texts(".points-bars a") == ["unit 7"]
    assert page.run("return document.querySelector('.points-bars a').hash") == "#/unit/3/7"
    assert taken(page) == [n for n in range(300) if n % 12 == 2]
    page.click(".points-table summary")
    page.wait(".points-table tbody tr")
    assert page.texts(".points-table tbody tr:first-child td")[:2] == ["2", "folder/photo_00002.png"]
    page.click(".points-pictures a")
    page.until("return location.hash === '#/picture/2'")


def test_another_layout_moves_the_points_and_keeps_what_is_selected(page, made_up):
    lasso(page, [(-40, -280), (260, -270), (240, 10)])
    page.wait(".points-chosen")
    before = taken(page)
    page.press("]")
    page.until("return location.hash === '#/points/1'")
    page.until("return document.querySelector('.points-tabs button:last-child').ariaPressed === 'true'")
    page.until("return document.querySelector('.points-stage canvas').dataset.drawn === 'moving'")
    page.wait(CANVAS)
    assert taken(page) == before
    hovered_is_right(page, layout(made_up, 1))
    page.press("[")
    page.until("return location.hash === '#/points/0'")


def hovered_is_right(page, points):
    """The pointer at the most lonely point, and at the image whose name is hostile, shows their names."""
    places = on_canvas(page, points)
    distances = np.nan_to_num(np.linalg.norm(places[:, None] - places, axis=2), nan=np.inf)
    lonely = int(np.where(np.isnan(places[:, 0]), -1, np.sort(distances, axis=1)[:, 1]).argmax())
    canvas = page.driver.find_element("css selector", CANVAS)
    ActionChains(page.driver, duration=0).move_to_element_with_offset(canvas, *map(round, places[lonely])).perform()
    page.until(
        "return document.querySelector('.points-card-id')?.innerText.includes(arguments[0])", f"_{lonely:05}.png"
    )


def test_a_hovered_point_is_named_and_hostile_names_stay_text(page, made_up):
    hovered_is_right(page, layout(made_up, 0))
    field = page.driver.find_element("css selector", ".points-tools input[type=search]")
    field.send_keys("onerror")
    page.until(f"{STATUS} > 0")
    page.click(".points-tools .row ~ button.small, .points-tools > button.small")
    page.wait(".points-table summary")
    page.click(".points-table summary")
    page.until("return document.querySelector('.points-table').innerText.includes(arguments[0])", IMAGE)
    assert page.count("#app img[src='x'], #app script") == 0


def test_the_page_of_points_fits_a_phone(browser, made_up):
    browser.size(360, 740)
    try:
        browser.open("#/points/0", ready=CANVAS)
        assert browser.run("return document.documentElement.scrollWidth") <= 360
        browser.open("#/atlas/0", ready=".atlas-cell")
        assert browser.run("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.size(1280, 900)


def test_a_cell_of_the_atlas_names_its_classes_and_pictures_and_arrows_lead_to_the_next(browser, made_up):
    cells = value(made_up, "atlas/0")["cells"]
    browser.open("#/atlas/0", ready=".atlas-cell")
    browser.click("[data-cell='4']")
    browser.wait(".atlas-side h2")
    assert browser.texts(".atlas-class") == [name for name, _ in cells[4]["classes"]]
    links = browser.run("return [...document.querySelectorAll('.atlas-pictures a')].map((link) => link.hash)")
    assert links == [f"#/picture/{index}" for index in cells[4]["images"]]
    browser.press(Keys.ARROW_DOWN, Keys.ENTER)
    browser.until("return document.querySelector('.atlas-side h2').innerText === 'Row 3, column 2'")
    field = browser.driver.find_element("css selector", ".atlas-tools input")
    field.send_keys("tabby")
    browser.until("return document.querySelectorAll('.atlas-cell:not(.atlas-dim)').length === 1")
