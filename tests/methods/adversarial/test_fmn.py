"""FMN: the projection onto pixels, and what its radius follows."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.methods.adversarial.fmn import nearest_in_l0
from crosslens.model import OUTPUT
from crosslens.plugins import method
from crosslens.testing import TinyModel


def test_the_nearest_picture_in_l0_changes_the_pixels_that_change_most():
    rng = np.random.default_rng(0)
    images = rng.random((3, 3, 4, 5), dtype=np.float32)
    x = images + rng.normal(0, 0.4, images.shape).astype(np.float32)
    got = nearest_in_l0(images, x, np.array([1.0, 4.0, 20.0]), (0.0, 1.0))
    for n, count in enumerate((1, 4, 20)):
        inside = x[n].clip(0, 1)
        size = ((inside - images[n]) ** 2).sum(axis=0)
        kept = size >= np.sort(size.ravel())[::-1][count - 1]
        np.testing.assert_array_equal(got[n], np.where(kept, inside, images[n]))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1", "l0"])
def test_more_steps_come_nearer_and_stay_within_the_bounds(norm):
    x = np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32)
    few, many = (method("fmn", norm=norm, steps=steps)(TinyModel(), x) for steps in (8, 60))
    assert many.success.all()
    assert many.images.min() >= 0
    assert many.images.max() <= 1
    assert (many.distance <= np.where(few.success, few.distance, np.inf) * 1.001).all()


def test_a_class_is_reached():
    x = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
    model = TinyModel()
    wanted = tuple(model.forward(x)[OUTPUT].argsort(axis=1)[:, -2].tolist())
    for name in ("fmn", "carlini_wagner"):
        result = method(name, towards=wanted)(model, x)
        reached = model.forward(result.images)[OUTPUT].argmax(axis=1) == np.array(wanted)
        np.testing.assert_array_equal(result.success, reached)
        assert reached.all()


def test_an_unknown_norm_is_refused():
    with pytest.raises(ParameterError, match=r"norm.*l3"):
        method("fmn", norm="l3")(TinyModel(), np.full((1, 3, 8, 8), 0.5, np.float32))
