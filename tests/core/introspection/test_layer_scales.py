"""Rectified layers by scale: one network as three frameworks list it gives the same places."""

import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.introspection.layer_scales import layer_of_units, rectified_scales
from crosslens.model import INPUT, OUTPUT, InputSpec, Layer, Model
from crosslens.model.preprocessing import Preprocess

CONV = {"kernel": np.zeros((1, 1, 3, 3))}


class Listed(Model):
    """Layers whose activations are given by their kind: "conv" is new and signed, others follow from the one before."""

    backend = "listed"

    def __init__(self, kinds: str, size=(16, 16)):
        self.input, self.preprocess = InputSpec((3, *size)), Preprocess()
        self.kinds = {f"{kind}_{i}": kind for i, kind in enumerate(kinds.split())}

    @property
    def layers(self):
        found = self._run(1)
        inner = {name: Layer(name, self.kinds[name], (None, *a.shape[1:])) for name, a in found.items()}
        return {INPUT: Layer(INPUT, "Input", (None, 3, 16, 16)), **inner, OUTPUT: Layer(OUTPUT, "Output", (None, 2))}

    def _run(self, count):
        found, a, convs = {}, np.zeros((count, 3, *self.input.size)), 0
        for name, kind in self.kinds.items():
            if kind in {"conv", "fused"}:
                convs += 1
                a = np.random.default_rng(convs).normal(size=(count, 2, *a.shape[2:]))
            if kind in {"relu", "fused"}:
                a = np.maximum(a, 0)
            elif kind == "silu":
                a = a / (1 + np.exp(-a))
            elif kind == "pool":
                a = a.reshape(*a.shape[:2], a.shape[2] // 2, 2, a.shape[3] // 2, 2).max(axis=(3, 5))
            found[name] = a
        return found

    def weights(self, layer):
        return CONV if self.kinds[layer] in {"conv", "fused"} else {}

    def _forward(self, x, capture, replace):
        found = self._run(x.shape[0])
        return {name: found[name] for name in capture}

    def _unused(self, *args, **kwargs):
        raise NotImplementedError

    versions = modified = _with_weights = _linearize = _unused


MODULES = "conv relu conv relu pool conv bn relu dropout conv relu pool conv relu"
FUSED = "fused fused pool fused dropout fused pool fused"
NODES = "pad conv relu conv relu pool transpose pad conv relu transpose identity conv relu pool conv relu"
PICTURE = np.zeros((1, 3, 16, 16), np.float32)


@pytest.mark.parametrize("kinds", [MODULES, FUSED, NODES])
def test_every_framework_lists_the_same_activations(kinds):
    model, modules = Listed(kinds), Listed(MODULES)
    scales = rectified_scales(model, PICTURE)
    assert [len(names) for names in scales] == [2, 2, 1]
    got, expected = model._run(1), modules._run(1)
    for names, theirs in zip(scales, rectified_scales(modules, PICTURE), strict=True):
        for name, other in zip(names, theirs, strict=True):
            np.testing.assert_array_equal(got[name], expected[other])


def test_names_are_in_execution_order():
    assert rectified_scales(Listed(MODULES), PICTURE) == [["relu_1", "relu_3"], ["relu_7", "relu_10"], ["relu_13"]]


@pytest.mark.parametrize(
    ("kinds", "place"), [(MODULES, "conv_9"), (FUSED, "fused_5"), ("conv silu conv silu", "conv_2")]
)
def test_units_are_shown_before_the_rectifier_where_that_is_a_layer(kinds, place):
    assert layer_of_units(Listed(kinds)) == place


def test_a_network_without_rectifiers_is_refused_with_layers_to_name():
    with pytest.raises(LayerError, match=r"no layer of this model has rectified maps .* name layers .* conv_0, silu_1"):
        rectified_scales(Listed("conv silu conv silu"), PICTURE)


def test_a_large_picture_is_looked_at_in_small():
    class Wide(Listed):
        def _forward(self, x, capture, replace):
            assert x.shape[2:] == (224, 224)
            return super()._forward(x, capture, replace)

    model = Wide(MODULES, (224, 224))
    model.input = InputSpec((3, None, None))
    rectified_scales(model, np.zeros((1, 3, 300, 400), np.float32))
