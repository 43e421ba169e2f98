"""benchmarks.priors: the measures of made pictures, against sums by hand."""

import crosslens
import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.priors.measures import Reference, nearest


class Judge:
    """Logits: the mean of the left half and of the right half, times 10; features: the two means."""

    def forward(self, images, layers):
        middle = images.shape[-1] // 2
        means = np.stack([images[..., :middle].mean(axis=(1, 2, 3)), images[..., middle:].mean(axis=(1, 2, 3))], axis=1)
        return {name: {crosslens.OUTPUT: 10 * means, "features": means}[name] for name in layers}


def flat(left, right):
    """A picture whose halves have these values."""
    image = np.zeros((1, 28, 28), np.float32)
    image[..., :14], image[..., 14:] = left, right
    return image


def reference():
    training = np.stack([flat(1, 0), flat(0, 1)])
    held_out = np.stack([flat(0.9, 0), flat(0, 0.7)])
    return Reference(Judge(), training, held_out)


def test_accuracy_and_confidence_are_the_judges():
    made = np.stack([flat(0.5, 0.2), flat(0.1, 0.4), flat(0.3, 0.8)])
    got = reference().measures(made, np.array([0, 0, 1]))
    assert got.accuracy == pytest.approx(2 / 3)
    chances = [1 / (1 + np.exp(-gap)) for gap in (3, -3, 5)]
    assert got.confidence == pytest.approx(np.mean(chances), rel=1e-5)


def test_distances_are_to_the_nearest_over_those_of_held_out_pictures():
    got = reference().measures(np.stack([flat(0.5, 0), flat(0, 0.6)]), np.array([0, 1]))
    half = np.sqrt(28 * 14)
    assert got.pixels == pytest.approx((0.5 + 0.4) * half / ((0.1 + 0.3) * half), rel=1e-5)
    assert got.features == pytest.approx((0.5 + 0.4) / (0.1 + 0.3), rel=1e-5)


def test_the_held_out_pictures_themselves_are_at_one_and_have_their_spectrum():
    here = reference()
    got = here.measures(here.held_out[:1].repeat(2, axis=0), np.array([0, 0]))
    assert got.spectrum == pytest.approx(0, abs=1e-6)  # a step's slope does not depend on its height
    got = here.measures(here.held_out, np.array([0, 1]))
    assert (got.pixels, got.features) == pytest.approx((1, 1))


def test_nearest_is_the_least_of_all_distances():
    rng = np.random.default_rng(0)
    these, others = rng.normal(size=(501, 2, 3)), rng.normal(size=(40, 2, 3))
    slow = [min(np.linalg.norm(a - b) for b in others) for a in these]
    np.testing.assert_allclose(nearest(these, others), slow, rtol=1e-9)
