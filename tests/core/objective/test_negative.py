"""The negative of a unit, read at the layer before its rectifier."""

import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.objective import (
    negative,
    preactivation,
)
from crosslens.testing import TinyModel


def test_the_negative_of_a_rectified_unit_is_that_of_the_layer_before_its_rectifier():
    model = TinyModel(relu=True)
    assert preactivation(model, "act2") == "conv2"
    assert preactivation(model, "conv2") == "conv2"
    objective = negative(model, "act2", 3)
    x = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    activations = model.forward(x, ["conv2"])
    np.testing.assert_allclose(objective.value(activations), -activations["conv2"][:, 3].mean(axis=(1, 2)), rtol=1e-6)


def test_a_unit_without_a_layer_before_its_rectifier_is_refused():
    class Fused(TinyModel):
        @property
        def layers(self):
            return {name: made for name, made in super().layers.items() if name != "conv2"}

    with pytest.raises(LayerError, match="layer 'act2' has no negative values, and no layer holds the values before"):
        negative(Fused(relu=True), "act2", 3)


@pytest.mark.parametrize("cap", [None, 0.2])
def test_a_capped_rectifier_is_one(cap):
    class Capped(TinyModel):
        def _run(self, x, replace):
            activations = super()._run(x, replace)
            return {**activations, "act1": np.clip(activations["conv1"], 0, cap)}

    assert preactivation(Capped(relu=True), "act1") == "conv1"
