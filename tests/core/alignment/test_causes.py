"""Faults planted by hand in a tiny network: the first layer that differs is given, and the cause is named."""

import numpy as np
import pytest
from crosslens.alignment.causes import HYPOTHESES, find_cause
from crosslens.alignment.matcher import match_layers
from crosslens.alignment.model_pair import ModelPair
from crosslens.model.preprocessing import Preprocess
from crosslens.testing import TinyModel

X = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)


def cause_between(a, b, layer):
    models = ModelPair(a, b, X)
    pairs = match_layers(models)
    return find_cause(models, pairs, [pair.a for pair in pairs].index(layer))


def with_kernel(model, layer, change):
    kernel = np.asarray(change(model.weights(layer)["kernel"].copy()), np.float32)
    return model._with_weights({layer: {"kernel": kernel}})


class Odd(TinyModel):
    """Whose activations of one layer are changed by a function, which no weight shows."""

    def __init__(self, layer, change, **options):
        super().__init__(**options)
        self.odd = layer, change

    def _run(self, x, replace):
        layer, change = getattr(self, "odd", ("", None))
        if layer in super()._run(x, {}) and layer not in replace:
            replace = {**replace, layer: change(super()._run(x, replace)[layer])}
        return super()._run(x, replace)


def nudge(kernel):
    kernel.flat[7] += 0.3
    return kernel


PLANTED = {
    "one weight changed": ("conv2", "weights", lambda: with_kernel(TinyModel(), "conv2", nudge)),
    "all weights scaled": ("conv1", "weights", lambda: with_kernel(TinyModel(), "conv1", lambda k: 1.01 * k)),
    "two output channels swapped": (
        "conv2",
        "channels",
        lambda: with_kernel(TinyModel(), "conv2", lambda k: k[[0, 2, 1, 3, 4, 5]]),
    ),
    "height and width exchanged": (
        "conv2",
        "transposed",
        lambda: with_kernel(TinyModel(), "conv2", lambda k: k.swapaxes(2, 3)),
    ),
    "maps in another order": ("conv2", "channels", lambda: Odd("conv2", lambda v: v[:, [0, 3, 2, 1, 4, 5]])),
    "a rectifier too many": ("conv2", "rectifier", lambda: Odd("conv2", lambda v: np.maximum(v, 0))),
    "activations in float16": (
        "conv1",
        "float16",
        lambda: Odd("conv1", lambda v: v.astype(np.float16).astype(np.float32)),
    ),
    "activations in bfloat16": (
        "conv1",
        "bfloat16",
        lambda: Odd("conv1", lambda v: (v.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)),
    ),
    "something that no hypothesis knows": ("act1", "unknown", lambda: Odd("act1", lambda v: v + 0.1 * np.sin(9 * v))),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_layer_and_the_kind_of_the_fault_are_named(name):
    layer, kind, faulty = PLANTED[name]
    cause = cause_between(TinyModel(), faulty(), layer)
    assert (cause.layer, cause.kind) == (layer, kind), cause.text


def test_a_rectifier_that_only_the_reference_has_is_missing():
    signed = Odd("act2", lambda v: v - 1)
    cut = Odd("act2", lambda v: np.maximum(v - 1, 0))
    cause = cause_between(cut, signed, "act2")
    assert cause.kind == "rectifier"
    assert cause.text == "a rectifier is missing: with max(x, 0) the second network's values are the reference's"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Preprocess(2.0, (1.0,), (1.0,), "BGR"), "channels are BGR, right is RGB"),
        (Preprocess(255.0, (1.0,)), "the range is 0..255, right is 0..2"),
        (Preprocess(2.0, (0.5,)), "mean is (0.5), right is (1)"),
        (Preprocess(2.0, (1.0,), (0.5,)), "std is (0.5), right is (1)"),
    ],
)
def test_what_is_wrong_with_a_preprocessing_is_said(wrong, words):
    right = TinyModel(preprocess=Preprocess(2.0, (1.0,)))
    cause = cause_between(right, TinyModel(preprocess=wrong), "conv1")
    assert (cause.kind, cause.layer) == ("preprocessing", "<input>")
    assert cause.text == f"wrong preprocessing: {words}; as the first model's the layer agrees"


def test_causes_that_explain_more_are_tested_first():
    """Swapped weights swap the maps too; the weights are the cause."""
    assert [each.__name__ for each in HYPOTHESES].index("weight_fault") < [each.__name__ for each in HYPOTHESES].index(
        "channel_order_fault"
    )


def test_networks_that_are_built_differently_are_not_said_to_have_the_same_weights():
    """No layer before the last one matches: as many classes, other maps."""
    wide = TinyModel(seed=1)
    wide._parameters["conv1"]["kernel"] = np.float32(np.random.default_rng(2).normal(0, 0.5, (7, 3, 3, 3)))
    wide._parameters["conv1"]["bias"] = np.zeros(7, np.float32)
    wide._parameters["conv2"]["kernel"] = np.float32(np.random.default_rng(3).normal(0, 0.5, (9, 7, 3, 3)))
    wide._parameters["conv2"]["bias"] = np.zeros(9, np.float32)
    wide._parameters["fc"]["kernel"] = np.float32(np.random.default_rng(4).normal(0, 0.5, (5, 9)))
    models = ModelPair(TinyModel(), wide, X)
    pairs = match_layers(models)
    cause = find_cause(models, pairs, len(pairs) - 1)
    assert cause.kind == "unknown"
    assert "weights: they are built differently there" in cause.text
