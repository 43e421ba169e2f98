"""Gradients that would not fit are refused before the work."""

from types import SimpleNamespace

import numpy as np
import pytest
from crosslens.errors import MemoryLimitError
from crosslens.limits import memory
from crosslens.model import OUTPUT, InputSpec
from crosslens.model.gradient_memory import LARGE, check_gradient_memory
from crosslens.testing.tiny import TinyModel

NETWORK = SimpleNamespace(elements=1000, input=InputSpec((1, 10, 10)))
"""What is asked of a model: a thousand activations for an image of 10 x 10 pixels."""


@pytest.fixture(autouse=True)
def _default_limit():
    yield
    memory.set_memory_limit(None)


def test_a_large_image_needs_as_many_activations_as_its_pixels_are_times_more():
    """4 bytes for ten activations a pixel, the image and its gradient."""
    x = np.broadcast_to(np.float32(0), (1, 1, 4096, 4096))
    needed = 4 * 12 * 4096 * 4096
    memory.set_memory_limit(memory.resident_memory() + 2 * needed)
    check_gradient_memory(NETWORK, x)
    memory.set_memory_limit(memory.resident_memory() + needed // 2)
    with pytest.raises(
        MemoryLimitError, match=r"^the gradient at an image of 4096 x 4096 pixels would take 805\.3 MB"
    ) as told:
        check_gradient_memory(NETWORK, x)
    assert "--resize short" in str(told.value)


def test_few_numbers_are_never_refused():
    memory.set_memory_limit(1)
    check_gradient_memory(NETWORK, np.zeros((LARGE // 100, 1, 10, 10), np.float32))


def test_a_model_refuses_before_it_computes():
    model, x = TinyModel(size=1600), np.zeros((1, 3, 1600, 1600), np.float32)
    memory.set_memory_limit(memory.resident_memory() + 10**6)
    with pytest.raises(MemoryLimitError, match="an image of 1600 x 1600 pixels"):
        model.vjp(x, {OUTPUT: np.zeros((1, 5), np.float32)})
    with pytest.raises(MemoryLimitError, match="an image of 1600 x 1600 pixels"):
        model.linearize(x, [OUTPUT])
