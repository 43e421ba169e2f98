"""Extremal and meaningful perturbations: their losses against the papers, and what they find where it is planted."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.methods.perturbation import meaningful_perturbation
from crosslens.methods.perturbation._initial_masks import discs
from crosslens.methods.perturbation._masked_image import blend
from crosslens.methods.perturbation.extremal import area_loss
from crosslens.methods.perturbation.meaningful_perturbation import MeaningfulPerturbation
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import Objective
from crosslens.operators import SmoothMax
from crosslens.plugins import method
from crosslens.testing import TinyModel

SIDE = 32
PLANTED = (slice(6, 16), slice(14, 26))
"""The only part of the picture that the planted target looks at, 12 % of it."""


class Planted(Objective):
    """The mean brightness of one window."""

    layers = frozenset({INPUT})
    linear = True

    def __init__(self):
        self.w = np.zeros((3, SIDE, SIDE), np.float32)
        self.w[:, *PLANTED] = 1 / self.w[:, *PLANTED].size

    def value(self, activations):
        return (activations[INPUT] * self.w).sum(axis=(1, 2, 3))

    def cotangents(self, activations):
        return {INPUT: np.broadcast_to(self.w, activations[INPUT].shape).astype(np.float32)}


@pytest.fixture
def model():
    return TinyModel(size=SIDE)


@pytest.fixture
def white():
    return np.ones((1, 3, SIDE, SIDE), np.float32)


@pytest.fixture
def photo():
    return np.random.default_rng(0).random((1, 3, SIDE, SIDE)).astype(np.float32)


def inside(values, margin=0):
    """The share of the values that lies within the planted window, or as near to it as a mask is soft."""
    rows, columns = (slice(s.start - margin, s.stop + margin) for s in PLANTED)
    return values[rows, columns].sum() / values.sum()


def slope(loss, x, place, h=1e-4):
    up, down = x.copy(), x.copy()
    up[place] += h
    down[place] -= h
    return (loss(up) - loss(down)) / (2 * h)


def test_extremal_preserves_the_planted_region(model, white):
    result = method("extremal", areas=0.12, fill="black", steps=150)(model, white, Planted())
    assert abs(result.values[0].mean() - 0.12) < 0.02
    assert inside(result.values[0], margin=2) > 0.9
    assert result.masked[0] > 0.75
    np.testing.assert_allclose([result.scores[0], result.blank[0]], [1, 0], atol=1e-5)


def test_extremal_deletes_the_planted_region(model, white):
    result = method("extremal", areas=0.12, fill="black", steps=150, variant="delete")(model, white, Planted())
    assert abs(result.values[0].mean() - 0.12) < 0.02
    assert inside(result.values[0], margin=2) > 0.9
    assert result.masked[0] < 0.25


@pytest.mark.parametrize("variant", ["preserve", "delete"])
def test_extremal_starts_from_the_disc_that_decides_most(model, white, variant):
    """After a step that moves nothing the mask is that disc: its centre lies in what the target looks at."""
    settings = {"areas": 0.05, "fill": "black", "steps": 1, "learning_rate": 1e-9, "variant": variant}
    mask = method("extremal", **settings)(model, white, Planted()).values[0]
    rows, columns = np.mgrid[:SIDE, :SIDE]
    place = [(mask * axis).sum() / mask.sum() for axis in (rows, columns)]
    assert PLANTED[0].start <= place[0] < PLANTED[0].stop
    assert PLANTED[1].start <= place[1] < PLANTED[1].stop


@pytest.mark.parametrize(("area", "size"), [(0.1, (64, 64)), (0.1, (96, 64)), (0.3, (64, 64)), (0.03, (64, 96))])
def test_every_disc_to_begin_with_lies_within_the_picture_and_has_the_area(area, size):
    """One that the border cuts off would have half the area in a corner and end there."""
    smooth = SmoothMax(size, 2, 6.0)
    full = smooth.apply(np.ones(smooth.grid, np.float32))
    shown = [(smooth.apply(grid) / full).mean() for grid in discs(smooth, area)]
    np.testing.assert_allclose(shown, area, rtol=0.15)


@pytest.mark.parametrize("area", [0.05, 0.2, 0.5])
def test_the_area_is_respected(model, photo, area):
    values = method("extremal", areas=area, steps=150)(model, photo, 2).values[0]
    assert abs(values.mean() - area) < 0.03
    assert ((values > 0.1) & (values < 0.9)).mean() < 0.35, "a mask is nearly binary"
    assert 0 <= values.min() <= values.max() <= 1


def test_an_area_that_is_missed_is_told(model, photo):
    """A hundredth is less than the softest spot of a mask."""
    spot, tenth = (method("extremal", steps=3, areas=area)(model, photo, 2).notes for area in (0.01, 0.1))
    assert "of the image, not 1.0%: raise steps, now 3" in spot[-1]
    assert tenth == ()


def test_several_areas_give_the_mean_of_their_masks(model, photo):
    each = [method("extremal", areas=a, steps=10)(model, photo, 2).values for a in (0.1, 0.3)]
    both = method("extremal", areas=(0.1, 0.3), steps=10)(model, photo, 2).values
    np.testing.assert_allclose(both, (each[0] + each[1]) / 2, rtol=1e-4, atol=1e-6)


def test_the_area_loss_is_the_distance_of_the_sorted_mask_to_zeros_then_ones():
    mask = np.random.default_rng(0).random((5, 8))
    loss, gradient = area_loss(mask, 0.3)
    wanted = np.r_[np.zeros(28), np.ones(12)]
    by_hand = lambda m: float(np.mean((np.sort(m.ravel()) - wanted) ** 2))  # noqa: E731
    np.testing.assert_allclose(loss, [by_hand(mask)], rtol=1e-9)
    for place in [(0, 0), (2, 5), (4, 7)]:
        np.testing.assert_allclose(gradient[place], slope(by_hand, mask, place), rtol=1e-6)


def test_pixels_of_equal_value_are_pulled_alike():
    """A flat mask has no order; if one were made up, it would draw a region of its own."""
    _, gradient = area_loss(np.full((6, 6), 0.5), 0.25)
    np.testing.assert_allclose(gradient, 2 * (0.5 - 0.25) / 36)


def test_meaningful_perturbation_deletes_the_planted_region(model, white):
    options = {"cell": 2, "smooth": 1.0, "jitter": 0, "steps": 150, "area": 1e-3, "variation": 0.0}
    result = method("meaningful_perturbation", fill="black", **options)(model, white, Planted())
    assert inside(result.values[0], margin=4) > 0.95
    assert result.masked[0] < 0.2
    assert not any("of the target" in note for note in result.notes)
    assert 0 <= result.values.min() <= result.values.max() <= 1


def test_a_mask_costs_its_area_and_its_variation():
    tried = MeaningfulPerturbation(area=0.3, variation=0.7, beta=3.0)
    mask = np.random.default_rng(0).random((4, 5))

    def price(m):
        apart = np.abs(np.diff(m, axis=0)) ** 3, np.abs(np.diff(m, axis=1)) ** 3
        return 0.3 * np.abs(1 - m).sum() + 0.7 * (apart[0].sum() + apart[1].sum())

    total, gradient = tried._price(mask)
    np.testing.assert_allclose(total, [price(mask)], rtol=1e-9)
    for place in np.ndindex(4, 5):
        np.testing.assert_allclose(gradient[place], slope(price, mask, place), rtol=1e-5, atol=1e-8)


def test_where_deleting_costs_more_than_the_target_nothing_is_deleted(model, white):
    options = {"cell": 2, "jitter": 0, "steps": 40, "fill": "black"}
    dear = method("meaningful_perturbation", area=1.0, **options)(model, white, Planted())
    np.testing.assert_allclose(dear.values, 0, atol=1e-6)
    np.testing.assert_allclose(dear.masked, dear.scores, rtol=1e-5)
    assert any("a mask leaves 100% of the target" in note and "lower area, now 1," in note for note in dear.notes)


@pytest.mark.parametrize("levels", [2, 3, 8])
def test_a_blend_is_linear_between_neighbouring_levels(levels):
    rng = np.random.default_rng(0)
    stack, mask, dy = rng.random((levels, 3, 4, 5)), rng.random((4, 5)), rng.normal(size=(1, 3, 4, 5))
    mask[0, 0], mask[0, 1] = 0.0, 1.0
    image, back = blend(stack, mask)
    depths = np.linspace(1, 0, levels)
    for y, x in np.ndindex(4, 5):
        expected = [np.interp(mask[y, x], depths[::-1], stack[::-1, c, y, x]) for c in range(3)]
        np.testing.assert_allclose(image[0, :, y, x], expected, rtol=1e-9)
    gradient = back(dy)
    for place in [(1, 1), (2, 3), (3, 4)]:
        by_hand = slope(lambda m: float((blend(stack, m)[0] * dy).sum()), mask, place, 1e-7)
        np.testing.assert_allclose(gradient[place], by_hand, rtol=1e-5)
    assert (gradient[0, :2] != 0).all(), "a mask at its bound can leave it"


@pytest.mark.parametrize("name", ["extremal", "meaningful_perturbation"])
def test_what_the_network_says_behind_the_mask_is_told(model, photo, name):
    result = method(name, steps=2, fill="grey")(model, photo, 2)
    assert result.blank[0] == pytest.approx(model.forward(0 * photo + 0.5)[OUTPUT][0, 2], rel=1e-5)
    kept = result.values if name == "extremal" else 1 - result.values
    shown = (photo * kept[:, None] + 0.5 * (1 - kept[:, None])).astype(np.float32)
    assert result.masked[0] == pytest.approx(model.forward(shown)[OUTPUT][0, 2], rel=1e-4)


def test_a_target_that_the_image_does_not_raise_is_told(model, white):
    result = method("meaningful_perturbation", steps=2, fill="white")(model, white, Planted())
    assert result.notes == ("the target of 1 of 1 images is no higher than where all is perturbed",)


class Jagged(Planted):
    """The same with a slope that changes its sign with every millionth of a pixel's brightness."""

    linear = False

    def cotangents(self, activations):
        x = activations[INPUT].astype(np.float64)
        return {INPUT: (self.w * (1 + 10 * np.sign(np.sin(1e6 * x)))).astype(np.float32)}


def test_a_mask_that_rounding_decides_says_so(model, photo):
    found = method("meaningful_perturbation", steps=25, fill="black", cell=2, smooth=1.0)
    (note,) = found(model, photo, Jagged()).notes
    assert note.startswith("rounding decides this mask: starts 1e-06 apart are more than 0.01 apart after 20 steps")
    assert found(model, photo, Planted()).notes == ()


def test_the_look_at_rounding_leaves_the_mask_as_it_is(model, photo, monkeypatch):
    """The second descent draws its own shifts: without it, and cut short, the first ends in the same bits."""
    found = method("meaningful_perturbation", steps=6, fill="black")
    expected = found(model, photo, Planted()).values
    monkeypatch.setattr(meaningful_perturbation, "EARLY", 1)
    np.testing.assert_array_equal(found(model, photo, Planted()).values, expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("extremal", {"areas": 0.0}, "areas is 0.0; it must be a number or several numbers, above 0 and below 1"),
        ("extremal", {"areas": (0.1, 1.0)}, r"areas is \(0.1, 1.0\)"),
        ("extremal", {"areas": ()}, "areas is empty; give a share of the image, or several"),
        ("extremal", {"variant": "dual"}, "variant is 'dual'; it must be preserve or delete"),
        ("extremal", {"smooth": 0.0}, "smooth is 0.0; it must be a number, above 0 and below 1"),
        ("extremal", {"weight": 0.0}, "weight is 0.0; it must be a number, above 0"),
        ("extremal", {"blur": 0.0}, "blur is 0.0; it must be a number, above 0"),
        ("extremal", {"learning_rate": -1.0}, "learning_rate is -1.0; it must be a number, above 0"),
        ("meaningful_perturbation", {"learning_rate": 0.0}, "learning_rate is 0.0; it must be a number, above 0"),
        ("meaningful_perturbation", {"learning_rate": float("nan")}, "learning_rate is nan"),
        ("extremal", {"steps": 0}, "steps is 0; it must be a whole number, at least 1"),
        ("meaningful_perturbation", {"cell": 0}, "cell is 0; it must be a whole number, at least 1"),
        ("meaningful_perturbation", {"beta": 0.5}, "beta is 0.5; it must be a number, at least 1"),
        ("meaningful_perturbation", {"jitter": -1}, "jitter is -1; it must be a whole number, at least 0"),
    ],
)
def test_wrong_parameters_are_refused(model, photo, name, options, message):
    with pytest.raises(ParameterError, match=message):
        method(name, **options)(model, photo, 2)


def test_ctrl_c_stops_the_work_and_leaves_no_trace(model, photo):
    def stop(done, total, what):
        raise KeyboardInterrupt

    expected = method("extremal", steps=2)(model, photo, 2).values
    with pytest.raises(KeyboardInterrupt):
        method("extremal", steps=2)(model, photo, 2, progress=stop)
    np.testing.assert_array_equal(method("extremal", steps=2)(model, photo, 2).values, expected)
