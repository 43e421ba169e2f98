"""Gradients of an objective through a model: right, and by the cheapest way."""

import numpy as np
import pytest
from crosslens.model import INPUT, Linearization, Pullback
from crosslens.objective import (
    channel,
    layer,
    logit,
    probability,
    pullback,
    total_variation,
)
from crosslens.testing import TinyModel


@pytest.mark.parametrize(
    "objective", [logit(2), probability(2), channel("act2", 3), layer("conv2") - total_variation()]
)
def test_pullback_is_the_derivative_of_the_value_through_the_network(objective):
    model = TinyModel(size=6)
    x = np.random.default_rng(0).random((2, 3, 6, 6)).astype(np.float32)
    pull, value = pullback(model, x, objective)

    def at(image):
        return objective.value(model.forward(image, objective.layers)).astype(np.float64)

    np.testing.assert_allclose(value, at(x), rtol=1e-5)
    dx = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    slope = (at(x + 1e-2 * dx) - at(x - 1e-2 * dx)).sum() / 2e-2
    np.testing.assert_allclose((pull.gradients[INPUT] * dx).sum(), slope, rtol=5e-3)


class Counting(TinyModel):
    """A model that notes which of its two passes ran."""

    def _vjp(self, *args) -> Pullback:
        self.__dict__.setdefault("ran", []).append("vjp")
        return super()._vjp(*args)

    def _linearize(self, *args) -> Linearization:
        self.__dict__.setdefault("ran", []).append("linearize")
        return super()._linearize(*args)


def test_a_linear_objective_takes_the_fused_pass_and_another_does_not():
    x = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    fused, split = Counting(), Counting()
    pullback(fused, x, logit(1))
    pullback(split, x, probability(1))
    assert fused.ran[0] == "vjp"
    assert split.ran == ["linearize"]
