"""DeepFool: what it refuses, and what it counts."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.plugins import method
from crosslens.testing import TinyModel


def test_a_class_to_reach_is_refused():
    x = np.full((1, 3, 8, 8), 0.5, np.float32)
    with pytest.raises(ParameterError, match=r"reaches none in particular; leave towards out, or use carlini_wagner"):
        method("deep_fool", towards=2)(TinyModel(), x)


def test_each_step_takes_a_gradient_for_each_candidate():
    """Two queries a step, at the picture and of the next one, and one of the image itself."""
    x = np.random.default_rng(0).random((3, 3, 8, 8), dtype=np.float32)
    result = method("deep_fool", candidates=3)(TinyModel(), x)
    steps = (result.queries - 1) / 2
    np.testing.assert_array_equal(result.gradients, 3 * steps)
