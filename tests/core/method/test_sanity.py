"""Sanity checks on results: what is refused, and what becomes a note."""

import numpy as np
import pytest
from crosslens import Attribution, Synthesis
from crosslens.errors import ModelError
from crosslens.method.sanity import refuse_nonfinite, sanity_notes
from crosslens.objective import logit
from crosslens.testing import TinyModel

IMAGES = np.full((2, 3, 8, 8), 0.5, np.float32)
MAPS = np.ones((2, 4, 4), np.float32)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_with_the_number_of_images(wrong):
    maps = MAPS.copy()
    maps[1, 2, 3] = wrong
    with pytest.raises(ModelError, match="the values of cam are NaN or infinite for 1 of 2 images"):
        refuse_nonfinite("cam", Attribution(maps))


def test_a_target_that_is_not_finite_is_named_as_the_cause():
    with pytest.raises(
        ModelError, match="the target is NaN or infinite for 2 of 2 images, so that cam can say nothing"
    ):
        refuse_nonfinite("cam", Attribution(MAPS, scores=np.float32([np.nan, np.inf])))


def test_pictures_that_were_made_are_checked_and_given_ones_are_not():
    broken = IMAGES * np.nan
    refuse_nonfinite("cam", Attribution(MAPS, images=broken))
    with pytest.raises(ModelError, match=r"maco \(images\)"):
        refuse_nonfinite("maco", Synthesis(images=broken, history=np.zeros((1, 2), np.float32)))


def test_maps_of_zeros_are_counted_in_a_note():
    maps = MAPS * np.float32([[[0]], [[1]]])
    notes = sanity_notes(TinyModel(), logit(1), Attribution(maps))
    assert notes == ("the values of 1 of 2 images are zero everywhere: the target does not react at all",)
    assert sanity_notes(TinyModel(), logit(1), Attribution(MAPS)) == ()
