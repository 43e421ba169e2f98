"""The pages of units: crops are what units see, the chosen units are spread, pictures excite and silence their unit."""

import json
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import crosslens
import numpy as np
import pytest
from crosslens.data import Samples
from crosslens.explorer.book import Book, Shown
from crosslens.explorer.data_folder import DataFolder
from crosslens.explorer.leaf import write_leaves
from crosslens.explorer.units import attributions, optimised, unit_pages, visualisations
from crosslens.explorer.units.crops import GREY, SIDE, field_size, fitted, receptive_crop
from crosslens.explorer.units.decoded_images import DecodedImages
from crosslens.explorer.units.examples import UnitExamples, examples_of
from crosslens.explorer.units.tiles import unit_tiles
from crosslens.explorer.units.time_left import estimate, seconds_left
from crosslens.explorer.units.unit_choice import chosen_units, unit_order
from crosslens.testing import TinyModel
from PIL import Image

LAYERS = ("act1", "act2", "fc")


class Counted(crosslens.Source):
    """Random images that count how often each is read; one cannot be read."""

    def __init__(self, count=12, bad=()):
        self.images = np.random.default_rng(0).random((count, 3, 8, 8), np.float32)
        self.bad, self.read_of = bad, np.zeros(count, int)

    def __len__(self):
        return len(self.images)

    @property
    def ids(self):
        return [f"image {n}" for n in range(len(self))]

    @property
    def digest(self):
        return "counted"

    def read(self, start, stop, model):
        self.read_of[start:stop] += 1
        good = tuple(n for n in range(start, stop) if n not in self.bad)
        return Samples(good, tuple(map(str, good)), self.images[list(good)], ({},) * len(good))


@pytest.fixture(scope="module")
def survey():
    """Of a network with rectifiers: statistics, and 3 examples of each kind, without pictures."""
    model, source = TinyModel(relu=True), Counted()
    asked = [
        crosslens.method("unit_statistics", layers=LAYERS, quantiles=()),
        crosslens.method("top_examples", layers=LAYERS, count=3, shown=0),
    ]
    return model, crosslens.sweep(model, source, asked)


def book_of(survey, source=None, **shown):
    model, results = survey
    return Book(model, results, source, Shown(**{"units": 2, "steps": 6, **shown}), "tiny")


def value_of(folder, key):
    text = folder.path(key).read_text()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def decoded(url):
    return np.asarray(Image.open(BytesIO(b64decode(url.partition(",")[2]))).convert("RGB"))


def quiet(done, total, what):
    pass


def crop_pixel_by_pixel(picture, rectangle, field):
    """Which pixel of the image each pixel of the crop shows; slow on purpose. For fields that divide the side."""
    height, width = picture.shape[:2]
    top, left, bottom, right = rectangle
    first = []
    for start, stop, size, whole in ((top, bottom, field[0], height), (left, right, field[1], width)):
        first.append(0 if size == whole else stop - size if start == 0 else start)
    times = SIDE // field[0]
    crop = np.zeros((SIDE, SIDE, 3), np.uint8)
    for y in range(SIDE):
        for x in range(SIDE):
            row, column = first[0] + y // times, first[1] + x // times
            seen = top <= row < bottom and left <= column < right
            crop[y, x] = picture[row, column] if seen else GREY
    return crop


@pytest.mark.parametrize(
    "rectangle", [(5, 7, 9, 11), (0, 7, 3, 11), (5, 0, 9, 1), (22, 18, 24, 20), (0, 0, 4, 4), (21, 16, 24, 20)]
)
def test_a_crop_shows_the_pixels_that_the_position_sees_where_they_lie_in_its_field(rectangle):
    picture = np.random.default_rng(1).integers(0, 255, (24, 20, 3), np.uint8)
    expected = crop_pixel_by_pixel(picture, rectangle, (4, 4))
    np.testing.assert_array_equal(receptive_crop(picture, rectangle, (4, 4)), expected)


def test_a_crop_is_a_square_whatever_the_field_and_white_where_no_image_could_be_read():
    assert receptive_crop(None, (0, 0, 4, 4), (4, 4)).min() == 255
    picture = np.full((30, 90, 3), 7, np.uint8)
    drawn = receptive_crop(picture, (0, 0, 30, 90), (30, 90))
    assert drawn.shape == (SIDE, SIDE, 3)
    assert (drawn[24:48] == 7).all()
    assert (drawn[:24] == GREY).all()
    assert (drawn[48:] == GREY).all()
    assert fitted(np.full((500, 300, 3), 9, np.uint8), SIDE).shape == (SIDE, SIDE, 3)
    assert field_size(np.array([[[1, 2, 4, 3], [-1, -1, -1, -1]]])) == (3, 1)


def test_images_are_read_once_as_long_as_they_have_room(survey):
    source = Counted(bad=(4,))
    images = DecodedImages(source, survey[0], limit=6 * 3 * 8 * 8)
    images.keep([3, 1, 2, 4, 9])
    assert images[4] is None
    np.testing.assert_array_equal(images[3], np.moveaxis((source.images[3] * 255).round(), 0, -1))
    assert source.read_of.tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0]
    images.keep([9, 10, 11])
    assert source.read_of[9] == 1
    assert len(images._known) <= 6


def test_a_units_page_has_the_surveys_values_and_the_crops_of_their_images(survey):
    source = Counted()
    book = book_of(survey, source)
    pages, examples = UnitExamples(book), examples_of(book, "act2")
    page = pages.page("act2", 3)
    side, across = page["crops"]["width"], page["crops"]["across"]
    sheet = decoded(page["crops"]["image"])
    place = 0
    for kind, name in enumerate(examples.kinds):
        items = page["kinds"][kind]
        assert items["kind"] == name
        for rank, item in enumerate(items["items"]):
            assert item["slot"] == place
            assert item["value"] == examples.values["act2"][kind, 3, rank]
            assert item["image"] == examples.indices["act2"][kind, 3, rank]
            assert item["rectangle"] == [0, 0, 1, 1]
            top, left = place // across * side, place % across * side
            tile = sheet[top : top + side, left : left + side].astype(float)
            image = np.moveaxis(source.images[item["image"]], 0, -1) * 255
            shown = tile.reshape(8, side // 8, 8, side // 8, 3).mean(axis=(1, 3))
            assert np.corrcoef(shown.ravel(), image.ravel())[0, 1] > 0.7  # colours are coarser than brightness in WebP
            place += 1
    assert place == page["crops"]["count"]
    assert source.read_of.max() == 1


def test_without_images_a_page_has_no_crops_or_those_of_the_survey(survey):
    page = UnitExamples(book_of(survey)).page("act2", 3)
    assert page["crops"] is None
    assert page["kinds"][0]["items"]
    model, results = survey
    pictured = crosslens.method("top_examples", layers=LAYERS, count=3, units=(3,), attribution="none")
    held = pictured.with_pictures(results["top_examples"], model, Counted())
    book = replace(book_of(survey), survey=crosslens.survey.survey.Survey(results._entries, {"top_examples": held}))
    assert UnitExamples(book).page("act2", 3)["crops"]["count"] == page["kinds"][-1]["items"][-1]["slot"] + 1
    assert UnitExamples(book).page("act2", 2)["crops"] is None


def test_chosen_units_are_spread_and_a_longer_choice_begins_with_the_shorter_one(survey):
    book = book_of(survey)
    order = unit_order(book, "act2")
    assert sorted(order) == list(range(6))
    assert [chosen_units(book_of(survey, units=n), "act2") for n in range(7)] == [order[:n] for n in range(7)]
    assert chosen_units(book_of(survey, units=None), "act2") == order
    assert chosen_units(replace(book, only=("act2", 5)), "act2") == (5,)
    assert chosen_units(replace(book, only=("act2", 5)), "fc") == ()
    classes, counts = np.unique(survey[1].images["class"], return_counts=True)
    assert unit_order(book, "fc")[0] == classes[counts.argmax()]
    assert sorted(unit_order(book, "fc")) == list(range(5))
    dead = survey[1]["unit_statistics"].rows_of("act2")
    gone = survey[1]["unit_statistics"].columns["dead"][dead]
    assert set(order[len(order) - gone.sum() :]) == set(np.flatnonzero(gone))


def test_positive_pictures_excite_their_unit_and_negative_ones_silence_it():
    model = TinyModel(relu=True)
    made = optimised.Optimisation(model, "act2", Shown(steps=12)).pictures([0, 4])
    grey = model.forward(np.full((1, 3, 8, 8), 0.5, np.float32), ["conv2"])["conv2"]
    for unit, pictures in made.items():
        values = [
            float(model.forward(picture[None], ["conv2"])["conv2"][0, unit].mean())
            for picture in (pictures.negative, pictures.positive, *pictures.diverse)
        ]
        assert values[0] < grey[0, unit].mean() < values[1]
        assert len(pictures.diverse) == optimised.DIVERSE
        assert min(values[2:]) > values[0]
        at = model.forward(np.stack([pictures.positive, pictures.negative]), ["conv2"])["conv2"][:, unit]
        assert pictures.values["positive"] == pytest.approx(at[0].max(), rel=1e-5)
        assert pictures.values["negative"] == pytest.approx(at[1].min(), rel=1e-5)


class Stopped(TinyModel):
    """Ctrl-C at the fourth step."""

    steps = 0

    def _linearize(self, *args):
        Stopped.steps += 1
        if Stopped.steps == 4:
            raise KeyboardInterrupt
        return super()._linearize(*args)


def test_pictures_that_were_interrupted_are_not_taken_for_finished_ones():
    with pytest.raises(KeyboardInterrupt):
        optimised.Optimisation(Stopped(relu=True), "act2", Shown(steps=12)).pictures([0])


def test_a_unit_that_nothing_excites_has_no_picture_and_the_others_keep_theirs():
    model = TinyModel(relu=True)
    kernel = model.weights("fc")["kernel"].copy()
    kernel[1] = 0
    silent = model._with_weights({"fc": {"kernel": kernel}})
    book = Book(silent, crosslens.survey.survey.Survey({}, {}), None, Shown(steps=4), "tiny", ("fc",))
    made = visualisations.visualisations(book, "fc", [0, 1])
    assert made[1]["positive"] is None
    assert made[1]["values"] == {"positive": None, "negative": None}
    assert made[1]["diversity"] == []
    assert "nothing excites this unit" in made[1]["settings"]
    assert made[0]["positive"].startswith("data:image/webp")
    assert made[0]["values"]["positive"] is not None


def test_a_build_that_goes_on_makes_nothing_twice(survey, tmp_path, monkeypatch):
    source, folder = Counted(), DataFolder(tmp_path)
    book = book_of(survey, source)
    made = []
    for room, name in (
        (visualisations, "visualisations"),
        (visualisations, "attributions"),
        (unit_pages, "unit_facts"),
    ):
        whole = getattr(room, name)
        monkeypatch.setattr(room, name, lambda *a, w=whole, n=name: made.append((n, *a[1:])) or w(*a))

    def stopped(done, total, what):
        if done == 6:
            raise KeyboardInterrupt

    every = [*unit_pages.leaves(book, folder), *visualisations.leaves(book, folder)]
    assert [leaf.key for leaf in every[-4:]] == [
        f"{kind}/{book.ids['act1']}/{unit}" for kind in ("attributions", "visualisations") for unit in (0, 2)
    ]
    with pytest.raises(KeyboardInterrupt):
        write_leaves(visualisations.leaves(book, folder), folder, stopped)
    for _ in range(2):
        write_leaves(unit_pages.leaves(book, folder), folder, quiet)
        write_leaves(visualisations.leaves(book, folder), folder, quiet)
    units = {(n, layer, unit) for n, layer, *rest in made if rest for unit in rest[0]}
    assert sum(len(rest[0]) for _, _, *rest in made if rest) == len(units) == 2 * 3 * 2
    assert sum(name == "unit_facts" for name, *_ in made) == 3
    assert estimate(book, folder) == ""
    assert estimate(replace(book, shown=Shown(units=None)), folder).endswith("for the other 9 units")
    assert seconds_left(book, folder) == 0
    assert seconds_left(book, DataFolder(tmp_path / "none")) is None


def test_attributions_and_tiles_are_those_of_the_unit(survey, tmp_path):
    folder = DataFolder(tmp_path)
    book = book_of(survey, Counted(), units=1)
    write_leaves(unit_pages.leaves(book, folder), folder, quiet)
    write_leaves(visualisations.leaves(book, folder), folder, quiet)
    number, unit = book.ids["act2"], chosen_units(book, "act2")[0]
    maps, page = (value_of(folder, f"{kind}/{number}/{unit}") for kind in ("attributions", "units"))
    assert maps["method"] == "guided_backprop"
    assert maps["sheet"]["count"] == page["examples"]["crops"]["count"]
    sheet, shown = unit_tiles(book, folder, "act2")
    assert shown == ["visualisation" if each == unit else "example" for each in range(6)]
    assert sheet["count"] == 6
    assert unit_tiles(book, DataFolder(tmp_path / "none"), "act2") == (None, [""] * 6)
    assert attributions.can_be_attributed(book, "act2")
    assert not attributions.can_be_attributed(book_of(survey), "act2")
