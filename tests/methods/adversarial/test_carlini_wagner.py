"""Carlini and Wagner's attack: the bounds, the confidence, and what is refused."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.model import OUTPUT
from crosslens.plugins import method
from crosslens.testing import TinyModel


def margins(model, pictures, leave):
    z = model.forward(pictures)[OUTPUT].astype(float)
    own = z[np.arange(len(z)), leave]
    z[np.arange(len(z)), leave] = -np.inf
    return z.max(axis=1) - own


def test_pictures_stay_within_the_bounds():
    """Images at the bounds, whose w would be infinite."""
    x = np.random.default_rng(0).choice([0.0, 1.0], (3, 3, 8, 8)).astype(np.float32)
    result = method("carlini_wagner")(TinyModel(), x)
    assert result.success.all()
    assert result.images.min() >= 0
    assert result.images.max() <= 1


def test_the_confidence_is_a_margin_that_pictures_keep():
    model, x = TinyModel(), np.random.default_rng(0).random((3, 3, 8, 8), dtype=np.float32)
    plain, sure = (method("carlini_wagner", searches=6, steps=60, confidence=k)(model, x) for k in (0.0, 0.5))
    assert (margins(model, plain.images, plain.leave) > 0).all()
    assert (margins(model, sure.images, sure.leave) >= 0.5 - 1e-5).all()
    assert (sure.distance > plain.distance).all()


def test_no_progress_ends_a_search():
    """With a first c too small to matter nothing changes, and each search ends at its first checks."""
    x = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
    result = method("carlini_wagner", searches=2, steps=100, constant=1e-12, abort_early=True)(TinyModel(), x)
    assert (result.queries < 50).all()
    assert not result.success.any()


def test_wrong_use_is_refused():
    x = np.full((1, 3, 8, 8), 0.5, np.float32)
    with pytest.raises(ParameterError, match=r"steps.*0"):
        method("carlini_wagner", steps=0)(TinyModel(), x)
    with pytest.raises(ParameterError, match="confidence"):
        method("carlini_wagner", confidence=-1.0)(TinyModel(), x)
