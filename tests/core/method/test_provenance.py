"""What a result records of parameters and layers: JSON, by which two runs can be told apart."""

import json
from dataclasses import dataclass

import numpy as np
from crosslens import method
from crosslens.method import Method, param
from crosslens.method.provenance import json_value, layer_parameters, named_layers, names_layers
from crosslens.testing import TinyModel


@dataclass(frozen=True, kw_only=True)
class Reads(Method):
    """A method that names layers in three parameters."""

    name = "reads"
    layer: str | None = param("conv1", "one")
    style_layers: tuple[str, ...] = param(("act1", "conv1"), "several")
    layer_weights: tuple[float, ...] = param((1.0, 2.0), "no layers")
    judged: Method | None = param(None, "a method of its own")

    def run(self, model, images, objective, progress):
        raise NotImplementedError


def test_values_are_recorded_as_json_can_hold_them():
    values = {"a": np.float32(0.5), "b": (1, np.int64(2)), "c": None, "d": {"e": True}}
    assert json.loads(json.dumps(json_value(values))) == {"a": 0.5, "b": [1, 2], "c": None, "d": {"e": True}}


def test_arrays_and_models_are_recorded_by_digest():
    array = np.arange(6.0).reshape(2, 3)
    assert json_value(array)["shape"] == [2, 3]
    assert json_value(array) == json_value(array.T.copy().T) != json_value(array + 1)
    assert json_value(TinyModel()) == {"model": TinyModel().digest} != json_value(TinyModel(seed=1))


def test_parameters_that_hold_layers_are_told_by_their_names():
    assert [names_layers(n) for n in ("layer", "style_layers", "layer_weights", "player")] == [True, True, False, False]
    assert layer_parameters(Reads()) == ("layer", "style_layers")


def test_layers_are_named_once_those_of_a_judged_method_included():
    assert named_layers(Reads()) == ("conv1", "act1")
    assert named_layers(Reads(layer=None, style_layers=(), judged=method("grad_cam", layer="act2"))) == ("act2",)
