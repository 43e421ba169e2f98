"""The prior of patches in a target, on each backend: what it adds to a class is what it is worth in NumPy."""

from types import SimpleNamespace

import crosslens
import numpy as np
import pytest
from crosslens.objective import logit, patch_mixture
from crosslens.testing import same

from ..conformance.plans import images
from ..conformance.zoo import BUILDERS, net


def mixture(size):
    """Two random Gaussians of patches (3, 2, 2) without their mean."""
    rng = np.random.default_rng(0)
    factors = np.tril(rng.normal(size=(2, 11, 11))) * 0.05 + np.eye(11) * 0.3
    return SimpleNamespace(
        weights=np.array([0.7, 0.3]),
        means=rng.normal(size=(2, 11)) * 0.1,
        cholesky=factors,
        patch_shape=np.array([3, 2, 2]),
        picture_size=np.array(size),
    )


@pytest.mark.parametrize("backend", BUILDERS)
def test_gradient_and_pictures_are_those_of_the_sum(backend):
    model, x = net(backend, "smooth").model, images(2)
    prior = patch_mixture(mixture(x.shape[2:]))
    gradient = crosslens.method("gradient")
    both, alone = (np.asarray(gradient(model, x, each).values) for each in (logit(1) + 0.05 * prior, logit(1)))
    wanted = prior.cotangents({crosslens.INPUT: x.astype(np.float64)})[crosslens.INPUT]
    same(both - alone, 0.05 * wanted, rtol=1e-4)
    climb = crosslens.method("activation_maximisation", steps=3, shift=0, zoom=0, turn=0)
    made = climb(model, x, logit(1) + 0.05 * prior)
    assert np.isfinite(np.asarray(made.images)).all()
    value = prior.value({crosslens.INPUT: x}) * 0.05 + np.asarray(model.forward(x)[crosslens.OUTPUT])[:, 1]
    same(made.history[0], value, rtol=1e-3)
