"""Every method on networks as people write them, in three frameworks: it runs, or it refuses in one line.

`make conformance` runs the whole matrix; without CROSSLENS_WHOLE_MATRIX a fixed third of it runs, each method on each
backend, each network by each method.
"""

import os
from functools import cache
from importlib import import_module

import crosslens
import numpy as np
import pytest
from crosslens import INPUT, OUTPUT
from crosslens.arrays import as_numpy
from crosslens.errors import CrosslensError
from crosslens.plugins import image_methods, method_class
from crosslens.testing import same
from crosslens.testing.promises.method import target_for, values_of

from .awkward.weights import SCALE, SIZE

BACKENDS = ("torch", "keras", "onnx")
NETWORKS = (
    *("functional", "channels_last", "sigmoid", "regression", "two_inputs"),
    *("volume", "batch_mixing", "random", "segmentation", "recurrent"),
)
ALIKE = [name for name in NETWORKS if name not in {"random", "batch_mixing"}]
"""Those that are one network in three frameworks."""
METHODS_HERE = image_methods()
TARGETS = {"segmentation": "neuron:<output>:1:3:4", "sigmoid": 0, "regression": 0}
WHOLE = bool(os.environ.get("CROSSLENS_WHOLE_MATRIX"))


def shape_of(network):
    return (1, SIZE // 2, SIZE, SIZE) if network == "volume" else (3, SIZE, SIZE)


@cache
def model(network, backend):
    net = import_module(f".awkward.{backend}", __package__).build(network)
    held = {"inputs": {"scale": SCALE}} if network == "two_inputs" else {}
    return crosslens.wrap(net, preprocess=None, input_shape=shape_of(network), **held)


def images(network, count=2):
    return np.random.default_rng(5).random((count, *shape_of(network)), dtype=np.float32)


@cache
def run(name, network, backend):
    kind = method_class(name)
    target = target_for(kind, TARGETS.get(network, 1))
    given = images(network) if kind.needs_images else None
    return crosslens.method(name, **kind.example)(model(network, backend), given, target)


def cases():
    for i, name in enumerate(METHODS_HERE):
        for j, network in enumerate(NETWORKS):
            for k, backend in enumerate(BACKENDS):
                if WHOLE or (i + j + k) % 3 == 0:
                    yield pytest.param(name, network, backend, id=f"{name}-{network}-{backend}")


@pytest.mark.parametrize(("name", "network", "backend"), list(cases()))
def test_a_method_runs_or_refuses_in_one_line(name, network, backend):
    try:
        result = run(name, network, backend)
    except CrosslensError as error:
        text = str(error)
        assert "\n" not in text, text
        assert 20 < len(text) < 700, text
        return
    assert np.isfinite(as_numpy(values_of(result))).all()
    assert "\n" not in repr(result)


@pytest.mark.parametrize("network", ALIKE)
def test_the_awkward_networks_are_one_network_in_three_frameworks(network):
    x = images(network)
    outputs = [model(network, backend).forward(x)[OUTPUT] for backend in BACKENDS]
    gradients = [model(network, backend).vjp(x, {OUTPUT: np.ones_like(outputs[0])}).gradients for backend in BACKENDS]
    for output, gradient in zip(outputs[1:], gradients[1:], strict=True):
        same(output, outputs[0], rtol=1e-5, what="output")
        same(gradient[INPUT], gradients[0][INPUT], rtol=1e-4, what="gradient")


@pytest.mark.parametrize("name", ["gradient", "integrated_gradients", "occlusion", "grad_cam", "layer_cam", "rise"])
@pytest.mark.parametrize("network", ALIKE)
def test_values_agree_across_frameworks(name, network):
    """Where the first framework runs it, all do, and with the same values; where one refuses, all do."""
    found = []
    for backend in BACKENDS:
        try:
            found.append(as_numpy(values_of(run(name, network, backend))))
        except CrosslensError as error:
            found.append(str(error))
    assert len({type(each) for each in found}) == 1, found
    if not isinstance(found[0], str):
        for values in found[1:]:
            same(values, found[0], rtol=1e-4, what=f"{name} of {network}")


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_other_inputs_hold_is_recorded(backend):
    """Two results of one network with other values held are not to be taken for repetitions of each other."""
    net = import_module(f".awkward.{backend}", __package__).build("two_inputs")
    records = []
    for scale in (SCALE, 2 * SCALE):
        held = crosslens.wrap(net, preprocess=None, input_shape=(3, SIZE, SIZE), inputs={"scale": scale})
        records.append(crosslens.method("gradient")(held, images("two_inputs"), 1).provenance["inputs"])
    assert records[0]["scale"]["shape"] == [1, SCALE.shape[1]]
    assert records[0] != records[1]
