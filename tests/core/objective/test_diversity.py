"""Diversity of a batch: one image, layers of zeros, sums with other objectives; its formula is in test_autograd.py."""

import numpy as np
import pytest
from crosslens.errors import TargetError
from crosslens.model import OUTPUT
from crosslens.objective import diversity, logit

RNG = np.random.default_rng(5)
MAPS, LOGITS = RNG.normal(size=(3, 4, 5, 6)), RNG.normal(size=(3, 5))


def test_a_single_image_has_the_diversity_0():
    one = {"maps": MAPS[:1]}
    assert diversity("maps").value(one) == [0]
    assert not diversity("maps").cotangents(one)["maps"].any()


def test_a_layer_of_zeros_has_nothing_in_common_with_another_image():
    zeros = {"maps": np.concatenate([np.zeros((1, 4, 5, 6)), MAPS[:1]])}
    assert not diversity("maps").value(zeros).any()
    assert np.isfinite(diversity("maps").cotangents(zeros)["maps"]).all()


def test_it_is_multiplied_and_added_as_any_objective():
    here = {"maps": MAPS, OUTPUT: LOGITS}
    both = logit(1) + 2 * diversity("maps")
    np.testing.assert_allclose(both.value(here), LOGITS[:, 1] + 2 * diversity("maps").value(here), rtol=1e-12)


def test_its_batch_must_not_be_split():
    with pytest.raises(TargetError, match="compares the images of a batch with each other, so a batch must not be"):
        diversity("maps").select(0, 1)
