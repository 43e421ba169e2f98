"""Sites of a small network: what is written, what is kept, what is refused, what a notebook shows."""

import json
import re
from html import unescape

import crosslens
import numpy as np
import pytest
from crosslens.data import ArraySource
from crosslens.errors import LayerError, ModelError, ParameterError
from crosslens.explorer.book import Shown
from crosslens.model import InputSpec
from crosslens.model.preprocessing import Preprocess
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((12, 3, 8, 8), np.float32)
HOSTILE = '"><img src=x onerror=alert(1)>'
SMALL = {"units": 2, "pictures": 3, "size": 8, "steps": 2, "maps": ("gradient",)}


class Labelled(ArraySource):
    """Images with labels and ids that a browser would run as HTML."""

    @property
    def ids(self):
        return [f"<script>alert({n})</script>" for n in range(len(self))]

    def read(self, start, stop, model):
        samples = super().read(start, stop, model)
        records = tuple({"label": HOSTILE} for _ in samples.records)
        return type(samples)(samples.indices, tuple(self.ids[n] for n in samples.indices), samples.images, records)


def tiny():
    """With a class of a hostile name."""
    model = TinyModel()
    model.labels = [HOSTILE, *model.labels[1:]]
    return model


def value(path):
    return json.loads(re.fullmatch(r'/\* \w+ \*/ crosslens\.put\("[^"]+", (.*)\);\n', path.read_text(), re.DOTALL)[1])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A site, its folder, and the survey that was made for it."""
    place = tmp_path_factory.mktemp("explorer")
    site = crosslens.explore(tiny(), Labelled(IMAGES), layers=("conv1", "act2"), store=place / "survey", **SMALL)
    site.save(place / "site")
    return site, place / "site"


def test_a_site_has_a_page_for_each_thing(made):
    _, folder = made
    page = value(folder / "data" / "site.js")
    names = [each["name"] for each in page["layers"]]
    assert names == ["<input>", "conv1", "act1", "conv2", "act2", "pool", "fc", "<output>"]
    assert [each["name"] for each in page["layers"] if each["page"]] == ["conv1", "act2"]
    assert page["data"]["images"] == page["images"]["count"] == len(IMAGES)
    assert len(page["pictures"]) == 3
    assert len(page["points"]) >= 1
    assert page["classes"][0] == HOSTILE
    for key in ("network", "layers/1", "layers/4", "units/1/0", "units/4/5", "points/0", "images/0", "thumbnails/0"):
        assert (folder / "data" / f"{key}.js").is_file(), key
    for number in (1, 4):
        assert len(page["layers"][number]["pictured"]) == 2


def test_no_data_and_no_page_holds_markup_of_strangers(made):
    _, folder = made
    for path in (folder / "data").rglob("*.js"):
        assert "<" not in path.read_text(), path
    assert "<img" not in (folder / "index.html").read_text()
    assert value(folder / "data" / "images" / "0.js")["ids"][3] == "<script>alert(3)</script>"


def test_examples_of_a_unit_are_those_of_the_survey(made):
    site, folder = made
    examples = site.book.survey["top_examples"]
    kinds = {
        each["kind"]: each["items"] for each in value(folder / "data" / "units" / "4" / "5.js")["examples"]["kinds"]
    }
    most = list(examples.kinds).index("most")
    for rank, item in enumerate(kinds["most"]):
        assert item["image"] == int(examples.indices["act2"][most, 5, rank])
        assert item["value"] == pytest.approx(float(examples.values["act2"][most, 5, rank]), rel=1e-3)


def test_saving_again_makes_nothing_again_and_more_units_are_added(made):
    site, folder = made
    before = {path: path.stat().st_mtime_ns for path in (folder / "data").rglob("*.js") if path.stem != "site"}
    site.save(folder)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    more = crosslens.explore(site.book.survey, **{**SMALL, "units": "all"})
    more.save(folder)
    layers = value(folder / "data" / "site.js")["layers"]
    assert [len(layers[number]["pictured"]) for number in (1, 4)] == [4, 6]
    kept = [path for path, time in before.items() if path.stat().st_mtime_ns == time]
    assert {path.parent.name for path in kept} >= {"pictures", "points", "images"}


def test_a_model_without_images_has_filters_and_visualisations(tmp_path):
    site = crosslens.explore(TinyModel(), layers=("conv2",), **SMALL)
    site.save(tmp_path / "site")
    page = value(tmp_path / "site" / "data" / "site.js")
    assert page["data"] is page["images"] is page["thumbnails"] is None
    assert page["layers"][3]["pictured"]
    unit = value(tmp_path / "site" / "data" / "units" / "3" / "0.js")
    assert unit["examples"] is None
    assert len(unit["nearest"]) == 5


def test_a_folder_that_holds_something_else_is_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ParameterError, match="holds other things than a site: name a new folder"):
        crosslens.explore(TinyModel()).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_site_of_another_network_or_of_other_images_is_kept(made, tmp_path):
    _, folder = made
    before = {path: path.read_bytes() for path in folder.rglob("*.js")}
    with pytest.raises(ParameterError, match="is a site of another network, 'tiny'"):
        crosslens.explore(TinyModel(seed=1), layers=("conv1",), **SMALL).save(folder)
    with pytest.raises(ParameterError, match="is a site of other images"):
        crosslens.explore(tiny(), IMAGES[:6], layers=("conv1",), store=tmp_path / "survey", **SMALL).save(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.js")} == before


def test_a_report_is_not_taken_for_a_site(tmp_path):
    comparison = crosslens.compare([TinyModel(), TinyModel(seed=1)], "gradient", IMAGES[:1])
    comparison.save(tmp_path / "index.html")
    before = (tmp_path / "index.html").read_bytes()
    with pytest.raises(ParameterError, match="holds other things than a site"):
        crosslens.explore(TinyModel()).save(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == before


def test_a_site_that_was_stopped_at_its_first_file_goes_on(tmp_path, monkeypatch):
    from crosslens.explorer import app

    site = crosslens.explore(TinyModel(), layers=("conv1",), **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(app, "FILES", ("explorer.js", "no such file"))
        with pytest.raises(FileNotFoundError):
            site.save(tmp_path / "site")
    assert site.save(tmp_path / "site").is_file()


def test_two_architectures_side_by_side_say_why_their_maps_cannot_be_compared(tmp_path):
    other = TinyModel(tokens=True)
    site = crosslens.explore(TinyModel(), layers=("conv1",), beside=other, **{**SMALL, "maps": ("grad_cam",)})
    site.save(tmp_path / "site")
    page = value(tmp_path / "site" / "data" / "site.js")
    assert page["beside"] == ["tiny", "tiny (2)"]
    assert value(tmp_path / "site" / "data" / "beside.js")["verdict"]
    assert page["layers"][1]["pictured"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"units": -1}, "units is -1; give a whole number, at least 0 or 'all'"),
        ({"pictures": "many"}, "pictures is 'many'"),
        ({"steps": 0}, "steps is 0; give a whole number, at least 1"),
        ({"unit": 3}, "no option 'unit'"),
    ],
)
def test_wrong_options_are_refused_before_the_work(options, said):
    with pytest.raises(ParameterError, match=re.escape(said)):
        Shown.of(options)


def test_a_survey_knows_its_own_network_and_images_only(made):
    site, _ = made
    folder = site.book.survey.folder
    with pytest.raises(ModelError, match="which was no file: give the network, model="):
        crosslens.explore(folder)
    with pytest.raises(ModelError, match="this network is not the one of the survey"):
        crosslens.explore(folder, model=TinyModel(seed=1))
    other = TinyModel(preprocess=Preprocess(mean=(0.5,), std=(0.5,)))
    with pytest.raises(ModelError, match="the survey was made with preprocess"):
        crosslens.explore(folder, model=other)
    with pytest.raises(ParameterError, match="does not hold the images of the survey"):
        crosslens.explore(folder, IMAGES[:3], model=tiny())
    assert crosslens.explore(folder, Labelled(IMAGES), model=tiny()).book.layers == ("conv1", "act2")


def test_a_survey_in_memory_knows_its_own_network_and_images_only():
    survey = crosslens.sweep(TinyModel(), IMAGES, ["unit_statistics"])
    assert crosslens.explore(survey, IMAGES).book.layers
    with pytest.raises(ModelError, match="is not the network of the survey"):
        crosslens.explore(survey, model=TinyModel(seed=1))
    with pytest.raises(ParameterError, match="does not hold the images of the survey"):
        crosslens.explore(survey, IMAGES[:3])


def test_a_network_of_volumes_is_refused_in_a_line():
    class Volumes(TinyModel):
        def __init__(self):
            super().__init__()
            self.input = InputSpec((1, 8, 8, 8))

    with pytest.raises(ModelError, match="explore shows networks of pictures; this one takes volumes"):
        crosslens.explore(Volumes())


def test_a_notebook_shows_the_page_of_a_unit_with_its_data_inside(made):
    site, _ = made
    shown = site.unit("act2", 1)._repr_html_()
    page = unescape(re.search(r'srcdoc="([^"]*)"', shown)[1])
    assert 'crosslens.put("units/4/1"' in page
    assert 'data-start="#/unit/4/1"' in page
    assert "<img src=x" not in page
    with pytest.raises(LayerError, match="units of layer 'conv2' have no pages here; those of conv1, act2 have"):
        site.unit("conv2", 0)
    with pytest.raises(ParameterError, match="layer 'act2' has units 0 to 5; 6 is none"):
        site.unit("act2", 6)
    with pytest.raises(ParameterError, match="layer 'act2' has units 0 to 5; 'x' is none"):
        site.unit("act2", "x")


@pytest.mark.parametrize(
    "address", ["#/", "#/layer/4", "#/unit/4/5", "#/pictures", "#/picture/0", "#/points", "#/layer/2"]
)
def test_its_pages_open_in_a_browser_without_a_word_on_the_console(made, browser, address):
    _, browser.folder = made
    browser.open(address)
    assert not browser.errors()
    assert browser.count("img[src='x']") == 0


def test_a_page_in_a_cell_opens_at_its_unit(made, browser, tmp_path):
    site, _ = made
    (tmp_path / "index.html").write_text(site.unit("act2", 1)._repr_html_())
    browser.folder = tmp_path
    browser.open("", ready="iframe")
    browser.driver.switch_to.frame(0)
    browser.wait("main h1")
    assert "act2" in browser.texts("main h1")[0]
    assert browser.count(".visual img") >= 1
    browser.driver.switch_to.default_content()
    assert not browser.errors()
