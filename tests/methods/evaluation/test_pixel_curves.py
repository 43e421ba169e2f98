"""Deletion and insertion from the paper, one pixel after the other, and what must hold at their ends."""

from dataclasses import dataclass
from itertools import pairwise

import crosslens
import numpy as np
import pytest
from crosslens.errors import ParameterError, PluginError
from crosslens.method import Method
from crosslens.model import OUTPUT
from crosslens.objective import channel
from crosslens.plugins import method
from crosslens.result import Attribution
from crosslens.testing import TinyModel


@dataclass(frozen=True, kw_only=True)
class Given(Method):
    """A method that says what it is told."""

    name = "given"
    maps: object = None

    def run(self, model, images, objective, progress):
        return Attribution(self.maps[: images.shape[0]])


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)


MAPS = np.random.default_rng(1).normal(size=(2, 8, 8)).astype(np.float32)


def share(model, image, target):
    """The class's probability, by the softmax written out."""
    e = np.exp(model.forward(image[None].astype(np.float32))[OUTPUT][0].astype(np.float64))
    return e[target] / e.sum()


def curve_from_the_paper(model, before, after, maps, target):
    """Algorithm 1 of Petsiuk et al.'s appendix: one more pixel at each step, the largest value first."""
    image, scores = before.copy(), [share(model, before, target)]
    for flat in sorted(range(64), key=lambda i: -maps.ravel()[i]):
        y, x = divmod(flat, 8)
        image[:, y, x] = after[:, y, x]
        scores.append(share(model, image, target))
    return scores


@pytest.mark.parametrize("name", ["deletion", "insertion"])
def test_it_is_the_paper_s_algorithm(images, name):
    model, grey = TinyModel(), np.full((3, 8, 8), 0.5, np.float32)
    result = method(name, method=Given(maps=MAPS), steps=64, fill="grey")(model, images, target=3)
    for n in range(2):
        ends = (images[n], grey) if name == "deletion" else (grey, images[n])
        expected = curve_from_the_paper(model, *ends, MAPS[n], 3)
        np.testing.assert_allclose(result.values[n, 0], expected, rtol=1e-4)
        area = sum((a + b) / 2 / 64 for a, b in pairwise(expected))
        assert result.areas[n, 0] == pytest.approx(area, rel=1e-4)
    assert result.figures() == {"area under probability": pytest.approx(result.areas.mean())}


@pytest.mark.parametrize(("name", "first", "last"), [("deletion", 0, -1), ("insertion", -1, 0)])
@pytest.mark.parametrize("fill", ["black", "mean", "blurred"])
def test_the_ends_are_the_image_and_the_baseline(images, name, first, last, fill):
    from crosslens.method.fills import fill_image

    model = TinyModel()
    values = method(name, fill=fill, steps=7)(model, images, target=1).values
    for n in range(2):
        assert values[n, 0, first] == pytest.approx(share(model, images[n], 1), rel=1e-5)
        empty = fill_image(fill, images[n : n + 1], model, 0)[0]
        assert values[n, 0, last] == pytest.approx(share(model, empty, 1), rel=1e-5)


def test_positions_are_the_shares_of_pixels_that_changed(images):
    result = method("deletion", steps=3)(TinyModel(), images)
    assert result.positions == (0.0, 21 / 64, 42 / 64, 1.0)
    assert result.axis == "share of pixels deleted"


def test_the_best_order_falls_fastest(images):
    """Deleting where the loss is largest, pixel by pixel, beats deleting where it is smallest."""
    model = TinyModel()
    drops = np.empty((1, 8, 8), np.float32)
    for y, x in np.ndindex(8, 8):
        image = images[0].copy()
        image[:, y, x] = 0
        drops[0, y, x] = share(model, images[0], 2) - share(model, image, 2)
    good, bad = (method("deletion", method=Given(maps=s * drops))(model, images[:1], target=2) for s in (1, -1))
    assert good.areas[0, 0] < bad.areas[0, 0]


def test_by_magnitude_the_sign_does_not_count(images):
    one, other = (
        method("deletion", method=Given(maps=maps), magnitude=True)(TinyModel(), images) for maps in (MAPS, abs(MAPS))
    )
    np.testing.assert_array_equal(one.values, other.values)


def test_a_unit_is_followed_in_its_own_unit(images):
    model = TinyModel()
    result = method("deletion", method="gradient", steps=4)(model, images, channel("act2", 3))
    np.testing.assert_allclose(result.values[:, 0, 0], model.forward(images, ["act2"])["act2"][:, 3].mean(axis=(1, 2)))
    assert result.series == ("channel",)


def test_a_network_that_ends_in_a_softmax_gets_no_second_one(images):
    class Softmaxed(TinyModel):
        def _run(self, x, replace):
            found = super()._run(x, replace)
            e = np.exp(found["fc"])
            return {**found, OUTPUT: replace.get(OUTPUT, e / e.sum(axis=1, keepdims=True))}

    result = method("deletion", method=Given(maps=MAPS), steps=2)(Softmaxed(), images, target=1)
    assert result.values[0, 0, 0] == pytest.approx(share(TinyModel(), images[0], 1), rel=1e-5)
    assert result.series == ("probability",)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 0}, ParameterError, "steps is 0; it must be a whole number, at least 1"),
        ({"steps": 65}, ParameterError, "steps is 65"),
        ({"method": "grad_can"}, PluginError, "Did you mean 'grad_cam'"),
        ({"method": "activation_maximisation"}, ParameterError, "deletion judges a method that explains images"),
        ({"method": "insertion"}, ParameterError, "insertion gives a Scores, not an attribution to judge"),
        ({"fill": "blak"}, ParameterError, "no fill 'blak'"),
    ],
)
def test_what_it_cannot_judge_is_refused(images, options, error, message):
    with pytest.raises(error, match=message):
        method("deletion", **options)(TinyModel(), images)


def test_results_of_batches_are_joined_and_saved(images, tmp_path):
    model = TinyModel()
    model.batch_size = 1
    result = method("insertion", steps=4)(model, images)
    assert result.values.shape == (2, 1, 5)
    assert result.save(tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with np.load(result.save(tmp_path / "curve.npz")) as saved:
        np.testing.assert_array_equal(saved["values"], result.values)
        assert '"axis": "share of pixels inserted"' in str(saved["record"])


def test_plot_draws_the_curve_of_the_image_asked_for(images):
    from matplotlib.figure import Figure

    result = method("deletion", steps=4)(TinyModel(), images)
    axes = result.plot(Figure().add_subplot(), index=1)
    (line,) = axes.get_lines()
    np.testing.assert_allclose(line.get_xdata(), result.positions)
    np.testing.assert_allclose(line.get_ydata(), result.values[1, 0])


def test_models_can_be_compared_by_their_curves(images):
    compared = crosslens.compare([TinyModel(), TinyModel()], method("deletion", steps=4), images)
    (row,) = compared.rows()
    assert row["max_relative_difference"] == 0
