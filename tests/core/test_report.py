"""The page of a comparison: what stands in it, that it is self-contained, and that its pictures tell the truth."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

import crosslens
import numpy as np
import pytest
from crosslens.compare import Comparison, Prediction
from crosslens.report import page
from crosslens.report.markup import element, joined
from crosslens.report.verdict import LIMIT, agrees, verdict
from crosslens.result import Attribution, Synthesis
from crosslens.testing import TinyModel
from PIL import Image

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Tags, attributes and text; refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._open = [], [], []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]

    def pixels(self, alt):
        """The picture whose alternative text begins so."""
        (source,) = [image["src"] for image in self.all("img") if image["alt"].startswith(alt)]
        with Image.open(BytesIO(b64decode(source.removeprefix("data:image/png;base64,")))) as picture:
            return np.asarray(picture)


def provenance():
    return {
        "seconds": 0.5,
        "versions": {"numpy": "2"},
        "model": "abc123",
        "preprocess": {"scale": 1.0},
        "objective": "logit(1)",
        "date": "2026-01-01",
    }


def compared(values, *, models=("a", "b"), notes=(), titles=("cat.png",), labels=("cat", "cat")):
    """A comparison of one method with these maps (N, h, w), one array per model."""
    images = np.random.default_rng(0).random((len(values[0]), 3, 40, 48)).astype(np.float32)
    results = {
        ("grad_cam", model): Attribution(
            np.asarray(v, np.float32), images=images, method="grad_cam", provenance=provenance(), notes=notes
        )
        for model, v in zip(models, values, strict=True)
    }
    count = len(values[0])
    predictions = [
        Prediction(model, (labels.index(label),) * count, (0.75,) * count, (label,) * count)
        for model, label in zip(models, labels, strict=True)
    ]
    return Comparison(tuple(models), ("grad_cam",), results, tuple(predictions), titles)


@pytest.fixture
def maps():
    return np.random.default_rng(1).random((1, 4, 5)).astype(np.float32)


def test_it_needs_nothing_but_itself(maps):
    text = page(compared([maps, maps]))
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
    assert "url(" not in text
    assert not Page(text).all("script")
    assert not Page(text).all("link")


def test_every_picture_has_an_alternative_text_and_everything_that_scrolls_can_be_reached_by_keyboard(maps):
    found = Page(page(compared([maps, maps])))
    assert len(found.all("img")) == 5  # the original, two maps, their scale, one difference
    assert all(image["alt"] for image in found.all("img"))
    assert all(part["tabindex"] == "0" for part in found.all("div") if part.get("class") == "scroll")
    tips = [part for part in found.all("span") if part.get("class") == "tip"]
    explained = {part["id"] for part in found.all("span") if part.get("role") == "tooltip"}
    assert {tip["aria-describedby"] for tip in tips} == explained
    assert len(tips) == 3


def test_text_from_outside_never_becomes_markup(maps):
    nasty = '<script>alert("x")</script>'
    text = page(compared([maps, maps], models=(nasty, "b & c"), titles=(nasty,), labels=(nasty, nasty), notes=(nasty,)))
    found = Page(text)
    assert not found.all("script")
    assert nasty in "".join(found.words)
    assert any(image["alt"] == f"the picture {nasty}" for image in found.all("img"))


def test_a_dollar_in_a_label_is_no_place_to_fill(maps):
    assert "$100 bill" in page(compared([maps, maps], labels=("$100 bill", "$100 bill")))


def test_maps_of_one_picture_share_one_colour_scale(maps):
    """The weaker map looks weaker: as `overlay` draws it on the scale of both."""
    comparison = compared([maps, 0.5 * maps])
    found = Page(page(comparison))
    image = comparison.results["grad_cam", "a"].images[0]
    limit = float(np.quantile(np.concatenate([maps, 0.5 * maps]), 0.995))
    weak = crosslens.image.overlay(image, comparison.results["grad_cam", "b"].upsampled((40, 48))[0], limit)
    drawn = found.pixels("grad_cam on b")
    np.testing.assert_array_equal(drawn[:: drawn.shape[0] // 40, :: drawn.shape[1] // 48], weak)
    assert (drawn != found.pixels("grad_cam on a")).any()


def test_one_slightly_negative_value_does_not_change_one_models_colours_alone(maps):
    touched = maps.copy()
    touched[0, 0, 0] = -1e-7
    found = Page(page(compared([maps, touched])))
    difference = found.pixels("grad_cam on a").astype(int) - found.pixels("grad_cam on b")
    assert not difference[:, difference.shape[1] // 2 :].any()


def test_a_difference_is_red_where_the_first_is_larger_and_says_how_much_it_is_magnified(maps):
    other = maps.copy()
    other[0, :, :3] -= 0.001
    found = Page(page(compared([maps, other])))
    drawn = found.pixels("grad_cam: a minus b").astype(int)
    left, right = drawn[:, : drawn.shape[1] // 2], drawn[:, -drawn.shape[1] // 4 :]
    assert (left[..., 0] > left[..., 2]).all()
    assert (right == right[..., :1]).all()
    (text,) = [word for word in found.words if word.startswith("magnified")]
    assert float(text.split()[1].replace(",", "")) == pytest.approx(np.quantile([maps, other], 0.995) / 0.001, rel=0.05)


def test_equal_maps_are_said_not_to_differ(maps):
    assert "no difference" in Page(page(compared([maps, maps]))).words


def test_every_picture_of_a_batch_has_its_section(maps):
    batch = np.concatenate([maps, maps[:, ::-1]])
    found = Page(page(compared([batch, batch], titles=("cat.png", "dog.png"))))
    assert {"cat.png", "dog.png"} <= set(found.words)
    assert (found.pixels("grad_cam on a, cat.png") != found.pixels("grad_cam on a, dog.png")).any()


def test_values_that_are_no_maps_are_said_to_be_none():
    text = page(compared([np.ones((1, 6)), np.ones((1, 6))]))
    assert "These values are no maps" in text


def test_pictures_that_were_made_are_shown_without_a_colour_scale():
    made = {
        ("am", model): Synthesis(images=np.full((1, 3, 30, 30), shade, np.float32), provenance=provenance())
        for model, shade in (("a", 0.25), ("b", 0.75))
    }
    found = Page(page(Comparison(("a", "b"), ("am",), made)))
    assert (found.pixels("am on a") == 64).all()
    assert (found.pixels("am on b") == 191).all()
    assert not [image for image in found.all("img") if image["alt"].startswith("colour scale")]


def test_notes_and_provenance_are_told(maps):
    words = Page(page(compared([maps, maps], notes=("all zero",)))).words
    assert "grad_cam on a: all zero" in words
    assert "abc123" in words


def test_a_real_comparison_becomes_a_page(tmp_path):
    model = TinyModel()
    image = np.full((1, 3, 8, 8), 0.5, np.float32)
    chosen = [crosslens.method(name) for name in ("gradient", "grad_cam")]
    found = crosslens.compare([model, TinyModel(seed=1)], chosen, image)
    assert Page(found.save(tmp_path / "report.html").read_text(encoding="utf-8")).all("table")


@pytest.mark.parametrize(("distance", "agree"), [(0.99 * LIMIT, True), (1.01 * LIMIT, False)])
def test_maps_agree_below_one_percent_of_relative_l2(distance, agree):
    assert agrees({"relative_l2": distance}) is agree


def test_maps_that_cannot_be_measured_do_not_agree():
    assert not agrees({"relative_l2": float("nan")})
    assert not agrees({"relative_l2": float("inf")})


def test_the_verdict_is_no_where_maps_agree_but_predictions_do_not(maps):
    found = verdict(compared([maps, maps], labels=("cat", "a dog")))
    assert not found.agree
    assert "The models predict different classes." in found.text


def test_the_verdict_names_the_pairs_that_differ(maps):
    found = verdict(compared([maps, 2 * maps, maps], models=("a", "b", "c"), labels=("cat",) * 3))
    assert not found.agree
    assert "2 of 3 pairs of maps do not agree: grad_cam on a and b, grad_cam on b and c" in found.text


def test_elements_escape_children_and_attributes():
    assert element("p", "<", element("b", "&"), title='"') == '<p title="&quot;">&lt;<b>&amp;</b></p>'
    assert element("img", src="x") == '<img src="x">'
    assert joined("a<", "b") == "a&lt;b"
