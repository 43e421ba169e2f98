"""The view of a model in [0, 1]."""

import numpy as np
from crosslens.method.unit_range import UnitRange, images_for, in_unit_range
from crosslens.model import INPUT, OUTPUT, Model
from crosslens.model.backend import BackendModel
from crosslens.testing.tiny import TinyModel

FROM_OTHERS = {
    "forward", "vjp", "linearize", "compiled_pullback", "randomised", "layer", "layer_name", "elements", "digest",
    "takes_default_preprocessing",
}  # fmt: skip
"""What `Model` computes from the rest."""


def test_every_part_of_a_model_is_the_models_own_in_the_view():
    parts = {name for name in dir(Model) if not name.startswith("_")}
    annotated = set(BackendModel.__annotations__) | set(Model.__annotations__)  # given in its __init__
    assert parts - annotated <= set(vars(UnitRange)) | FROM_OTHERS, "delegate it in UnitRange"


def test_the_view_is_the_network_after_the_map_with_the_gradient_of_both():
    model = TinyModel()
    model.input = model.input.within((-2.0, 6.0))
    view = in_unit_range(model)
    unit = np.random.default_rng(0).random((2, *model.input.example_shape), dtype=np.float32)
    own = -2 + 8 * unit
    np.testing.assert_allclose(view.forward(unit)[OUTPUT], model.forward(own)[OUTPUT], rtol=1e-5)
    np.testing.assert_allclose(images_for(view, own), unit, atol=1e-6)
    dy = {OUTPUT: np.ones_like(model.forward(own)[OUTPUT])}
    want = 8 * model.vjp(own, dy).gradients[INPUT]
    np.testing.assert_allclose(view.vjp(unit, dy).gradients[INPUT], want, rtol=1e-5)
    with view.linearize(unit, [OUTPUT, INPUT]) as at:
        np.testing.assert_allclose(at.vjp(dy)[INPUT], want, rtol=1e-5)
        np.testing.assert_allclose(at.inside[INPUT], unit, atol=1e-6)
    assert in_unit_range(TinyModel()).input.bounds == (0.0, 1.0)
