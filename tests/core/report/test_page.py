"""The page of a comparison: what stands in it, that it is self-contained, and that its pictures tell the truth."""

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace

import crosslens
import numpy as np
import pytest
from crosslens.comparison.comparison import Comparison
from crosslens.comparison.pictures import Scale
from crosslens.comparison.predictions import Prediction
from crosslens.comparison.rounding_noise import Noise
from crosslens.comparison.verdict import CEILING, LIMIT, TIMES_NOISE, judge
from crosslens.report.markup import element, join
from crosslens.report.page import page
from crosslens.report.pictures import coloured_map, room
from crosslens.result import Attribution, Synthesis
from crosslens.testing import TinyModel
from PIL import Image

VOID = {"meta", "img", "input"}


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
        return pixels_of(source)


def pixels_of(uri):
    """(H, W, 4), uint8"""
    with Image.open(BytesIO(b64decode(uri.removeprefix("data:image/png;base64,")))) as picture:
        return np.asarray(picture.convert("RGBA"))


def provenance():
    return {
        "seconds": 0.5,
        "versions": {"numpy": "2"},
        "model": "abc123",
        "preprocess": {"scale": 1.0},
        "objective": "logit(1)",
        "date": "2026-01-01",
    }


def comparison_of(values, *, models=("a", "b"), notes=(), titles=("cat.png",), labels=("cat", "cat")):
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
        Prediction(model, (labels.index(label),) * count, (0.75,) * count, (label,) * count, (0.75,) * count)
        for model, label in zip(models, labels, strict=True)
    ]
    return Comparison(tuple(models), ("grad_cam",), results, tuple(predictions), titles)


@pytest.fixture
def maps():
    return np.random.default_rng(1).random((1, 4, 5)).astype(np.float32)


def test_it_needs_nothing_but_itself(maps):
    text = page(comparison_of([maps, maps]).view)
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert not re.findall(r"url\((?!data:)", text)
    assert not Page(text).all("link")


def test_the_policy_lets_the_page_s_own_script_run_and_no_other(maps):
    text = page(comparison_of([maps, maps]).view)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    (policy,) = [tag["content"] for tag in Page(text).all("meta") if "http-equiv" in tag]
    assert f"script-src 'sha256-{allowed}'" in policy
    assert "default-src 'none'" in policy


def test_every_picture_has_an_alternative_text_and_everything_that_scrolls_can_be_reached_by_keyboard(maps):
    html = Page(page(comparison_of([maps, maps]).view))
    assert len(html.all("img")) == 4  # two maps, their scale, one difference
    assert all(image["alt"] for image in html.all("img"))
    photos = [part for part in html.all("div") if part.get("role") == "img"]
    assert [part["aria-label"] for part in photos] == ["the picture cat.png"]
    assert all(part["tabindex"] == "0" for part in html.all("div") if part.get("class", "").startswith("scroll"))
    tips = [part for part in html.all("button") if part.get("class") == "tip"]
    explained = {part["id"] for part in html.all("span") if part.get("role") == "tooltip"}
    assert {tip["aria-describedby"] for tip in tips} == explained
    assert len(tips) == 10


def test_text_from_outside_never_becomes_markup(maps):
    nasty = '<script>alert("x")</script>'
    text = page(
        comparison_of(
            [maps, maps], models=(nasty, "b & c"), titles=(nasty,), labels=(nasty, nasty), notes=(nasty,)
        ).view
    )
    html = Page(text)
    assert len(html.all("script")) == 1
    assert nasty in "".join(html.words)
    assert any(part.get("aria-label") == f"the picture {nasty}" for part in html.all("div"))


def test_a_dollar_in_a_label_is_not_a_placeholder(maps):
    assert "$100 bill" in page(comparison_of([maps, maps], labels=("$100 bill", "$100 bill")).view)


def test_maps_of_one_picture_share_one_colour_scale(maps):
    """The weaker map looks weaker: laid over grey it is, to one level, what `overlay` draws on the scale of both."""
    comparison = comparison_of([maps, 0.5 * maps])
    limit = float(np.quantile(np.concatenate([maps, 0.5 * maps]), 0.995))
    grey = np.full((3, *maps.shape[1:]), 0.5, np.float32)
    weak = crosslens.image.overlay(grey, 0.5 * maps[0], limit).astype(int)
    drawn = Page(page(comparison.view)).pixels("grad_cam on b").astype(float)
    cover = drawn[..., 3:] / 255
    np.testing.assert_allclose(cover * drawn[..., :3] + (1 - cover) * 127.5, weak, atol=2.5)


def test_one_slightly_negative_value_does_not_change_one_models_colours_alone(maps):
    touched = maps.copy()
    touched[0, 0, 0] = -1e-7
    html = Page(page(comparison_of([maps, touched]).view))
    difference = html.pixels("grad_cam on a").astype(int) - html.pixels("grad_cam on b")
    assert not difference[:, 1:].any()


def test_zero_has_a_colour_of_its_own_on_a_scale_of_both_signs():
    white = pixels_of(coloured_map(np.zeros((2, 2)), Scale(1.0, True), room(1)))[0, 0]
    np.testing.assert_array_equal(white, [247, 247, 247, round(0.1 * 255)])


def test_a_difference_is_red_where_the_first_is_larger_and_says_how_much_it_is_magnified(maps):
    other = maps.copy()
    other[0, :, :3] -= 0.001
    html = Page(page(comparison_of([maps, other]).view))
    drawn = html.pixels("grad_cam: a minus b").astype(int)
    left, right = drawn[:, :3, :3], drawn[:, 3:, :3]
    assert (left[..., 0] > left[..., 2]).all()
    assert (right == right[..., :1]).all()
    (text,) = [word for word in html.words if word.startswith("magnified")]
    assert float(text.split()[1].replace(",", "")) == pytest.approx(np.quantile([maps, other], 0.995) / 0.001, rel=0.05)


def test_the_strongest_value_of_a_large_map_survives_its_shrinking():
    values = np.zeros((1, 1030, 1030), np.float32)
    values[0, 700, 333], values[0, 5, 5] = 1, -1
    drawn = Page(page(comparison_of([values, values]).view)).pixels("grad_cam on a")
    assert drawn.shape[:2] == (344, 344)
    red, blue = drawn[700 // 3, 333 // 3, :3], drawn[5 // 3, 5 // 3, :3]
    assert red.tolist() == [103, 0, 31]
    assert blue.tolist() == [5, 48, 97]


def test_the_colours_of_maps_far_from_zero_start_at_their_least_value():
    """Between 5 and 5.2 all values would have one colour on a scale from 0."""
    values = np.linspace(5, 5.2, 20, dtype=np.float32).reshape(1, 4, 5)
    made = Page(page(comparison_of([values, values]).view))
    assert "least (5)" in made.words
    drawn = made.pixels("grad_cam on a")[..., :3].astype(int)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 20
    np.testing.assert_array_equal(drawn[0, 0], drawn.reshape(-1, 3)[drawn.sum(axis=2).argmin()])


def test_a_difference_of_gradients_is_magnified_against_the_signed_maps_it_is_of():
    """The maps are drawn as magnitudes in grey, which sum over the channels and are larger."""
    images = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    values = np.random.default_rng(1).normal(size=images.shape).astype(np.float32)
    results = {
        ("gradient", model): Attribution(sign * values, images=images, method="gradient", provenance=provenance())
        for model, sign in (("a", 1), ("b", -1))
    }
    made = Page(page(Comparison(("a", "b"), ("gradient",), results).view))
    assert "magnified 0.5 times" in made.words
    assert "Where they differ, signs included" in made.words


def test_equal_maps_are_said_not_to_differ(maps):
    assert "no difference" in Page(page(comparison_of([maps, maps]).view)).words


def test_every_image_of_a_batch_has_its_section(maps):
    batch = np.concatenate([maps, maps[:, ::-1]])
    html = Page(page(comparison_of([batch, batch], titles=("cat.png", "dog.png")).view))
    assert {"cat.png", "dog.png"} <= set(html.words)
    assert (html.pixels("grad_cam on a, cat.png") != html.pixels("grad_cam on a, dog.png")).any()


def test_values_that_are_not_maps_are_said_not_to_be():
    text = page(comparison_of([np.ones((1, 6)), np.ones((1, 6))]).view)
    assert "These values are not maps" in text


def test_pictures_that_were_made_are_shown_without_a_colour_scale():
    made = {
        ("am", model): Synthesis(images=np.full((1, 3, 30, 30), shade, np.float32), provenance=provenance())
        for model, shade in (("a", 0.25), ("b", 0.75))
    }
    html = Page(page(Comparison(("a", "b"), ("am",), made).view))
    assert (html.pixels("am on a")[..., :3] == 64).all()
    assert (html.pixels("am on b")[..., :3] == 191).all()
    assert not [image for image in html.all("img") if image["alt"].startswith("colour scale")]


def test_notes_and_provenance_are_told(maps):
    words = Page(page(comparison_of([maps, maps], notes=("all zero",)).view)).words
    assert "grad_cam on a: all zero" in words
    assert "abc123" in words


def test_a_real_comparison_becomes_a_page(tmp_path):
    model = TinyModel()
    image = np.full((1, 3, 8, 8), 0.5, np.float32)
    chosen = [crosslens.method(name) for name in ("gradient", "grad_cam")]
    comparison = crosslens.compare([model, TinyModel(seed=1)], chosen, image)
    assert Page(comparison.save(tmp_path / "report.html").read_text(encoding="utf-8")).all("table")


def noise(distance):
    return Noise("a", 1, {"relative_l2": distance})


@pytest.mark.parametrize(
    ("distance", "expected", "judgement"),
    [
        (0.99 * LIMIT, None, "agree"),
        (1.01 * LIMIT, None, "apart"),
        (0.99 * LIMIT, 1e-9, "agree"),
        (1.01 * LIMIT, 1e-3, "apart"),
        (0.03, 0.031 / TIMES_NOISE, "rounding"),
        (0.03, 0.029 / TIMES_NOISE, "apart"),
        (1.01 * CEILING, 1.0, "apart"),
        (float("nan"), 1.0, "apart"),
        (float("inf"), float("inf"), "apart"),
    ],
)
def test_maps_agree_below_a_percent_or_what_rounding_explains_and_never_beyond_the_ceiling(
    distance, expected, judgement
):
    assert judge({"relative_l2": distance}, None if expected is None else noise(expected)) == judgement


def test_what_only_rounding_explains_is_named_in_the_verdict(maps):
    made = replace(comparison_of([maps, 1.02 * maps]), noise={"grad_cam": noise(0.005)})
    verdict = made.view.verdict
    assert verdict.agree
    assert "More than 0.01 apart, but no more than rounding explains: grad_cam on a and b." in verdict.text


def test_the_verdict_is_no_where_maps_agree_but_predictions_do_not(maps):
    verdict = comparison_of([maps, maps], labels=("cat", "a dog")).view.verdict
    assert not verdict.agree
    assert "The models predict different classes: a and b agree on 0% of the pictures." in verdict.text


def test_the_verdict_names_the_pairs_that_differ(maps):
    verdict = comparison_of([maps, 2 * maps, maps], models=("a", "b", "c"), labels=("cat",) * 3).view.verdict
    assert not verdict.agree
    assert "2 of 3 pairs of maps do not agree: grad_cam on a and b, grad_cam on b and c" in verdict.text


def test_elements_escape_children_and_attributes():
    assert element("p", "<", element("b", "&"), title='"') == '<p title="&quot;">&lt;<b>&amp;</b></p>'
    assert element("img", src="x") == '<img src="x">'
    assert join("a<", "b") == "a&lt;b"


def test_many_pictures_stand_with_the_worst_first_and_the_first_three_open(maps):
    batch = np.concatenate([maps] * 6)
    other = batch.copy()
    other[4] *= 2
    other[1] *= 1.5
    text = page(comparison_of([batch, other], titles=tuple(f"{n}.png" for n in range(6))).view)
    html = Page(text)
    cases = [part for part in html.all("details") if part.get("class") == "case"]
    assert ["open" in part for part in cases] == [True] * 3 + [False] * 3
    order = [part["id"] for part in html.all("div") if part.get("id", "").startswith("picture-")]
    assert order[:2] == ["picture-4", "picture-1"]
    assert {link["href"] for link in html.all("a") if link["href"].startswith("#picture-")} == {
        f"#picture-{n}" for n in range(6)
    }


def test_the_walk_through_the_layers_is_drawn_with_the_first_fault_marked(maps):
    steps = [
        SimpleNamespace(a=f"conv{n}", b=f"node{n}", error=10.0 ** (n - 6), own=1e-7, noise=1e-6, agreement=1.0)
        for n in range(4)
    ]
    walk = SimpleNamespace(models=("a", "b"), steps=steps, first=steps[2], text="They part at conv2.")
    html = Page(page(replace(comparison_of([maps, maps]), divergences=(walk,)).view))
    assert "first: conv2" in html.words
    assert html.words.count("They part at conv2.") == 1
    heights = [float(dot["cy"]) for dot in html.all("circle")]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[1] == pytest.approx(heights[2] - heights[3], abs=0.2)  # a decade is a decade
    assert len(set(heights)) == 4
