import numpy as np
import pytest
from crosslens.testing import TinyModel

SMALL = {"width": 4, "blocks": 1}


@pytest.fixture(scope="session")
def loss_network():
    return TinyModel(size=16)


@pytest.fixture(scope="session")
def photographs():
    """Sixteen pictures of patches, (16, 3, 20, 20)."""
    patches = np.random.default_rng(0).random((16, 3, 5, 5), dtype=np.float32)
    return patches.repeat(4, axis=2).repeat(4, axis=3)


@pytest.fixture(scope="session")
def styles():
    return list(np.random.default_rng(1).random((2, 3, 16, 16), dtype=np.float32))
