"""An objective of its own for each image of a batch; its values are in test_autograd.py."""

import numpy as np
import pytest
from crosslens.errors import TargetError
from crosslens.model import OUTPUT
from crosslens.objective import channel, class_scores, each, interpolate, layer, logit, probability

RNG = np.random.default_rng(5)
HERE = {"maps": RNG.normal(size=(3, 4, 5, 6)), "tokens": RNG.normal(size=(3, 6, 4)), OUTPUT: RNG.normal(size=(3, 5))}
THREE = each([logit(2), channel("maps", 1), layer("tokens") - probability(0)])


@pytest.mark.parametrize(("start", "stop"), [(1, 2), (1, 3)])
def test_selecting_images_selects_their_objectives(start, stop):
    part = {key: value[start:stop] for key, value in HERE.items()}
    np.testing.assert_allclose(THREE.select(start, stop).value(part), THREE.value(HERE)[start:stop])
    assert THREE.count == 3


def test_the_class_scores_of_all_terms_are_listed():
    assert class_scores(THREE) == [logit(2), probability(0)]


def test_interpolation_at_several_places_is_for_as_many_images():
    assert interpolate("maps", 1, 3, [0.0, 0.5, 1.0]).count == 3
    assert interpolate("maps", 1, 3, 0.5).count is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: each([]), "at least one objective, each for a single image; 0 were given"),
        (lambda: each([logit([1, 2])]), r"1 were given, .* is for 2 images"),
        (lambda: each([logit(1)] * 2).value(HERE), "2 objectives for 3 images; give one for each image"),
        (lambda: (each([logit(1)] * 2) + logit([1, 2, 3])).count, "are for different numbers of images: 2 and 3"),
    ],
)
def test_other_numbers_of_images_are_refused(wrong, message):
    with pytest.raises(TargetError, match=message):
        wrong()
