"""What was done to a tensor is named, and an epsilon is found from what a normalisation does."""

from types import SimpleNamespace

import numpy as np
import pytest
from crosslens.alignment.epsilon import epsilon_from_gains, fitted_epsilon
from crosslens.alignment.suspect import Suspect
from crosslens.alignment.weight_faults import tensor_fault, weight_fault

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(8, 6, 3, 3)).astype(np.float32)
DENSE = RNG.normal(size=(7, 7)).astype(np.float32)


def eight_bits(values):
    step = np.abs(values).max() / 127
    return ((values / step).round() * step).astype(np.float32)


def one_changed(values):
    values = values.copy()
    values[3, 2, 1, 0] += 0.5
    return values


@pytest.mark.parametrize(
    ("right", "change", "kind", "words"),
    [
        (KERNEL, lambda k: k.swapaxes(2, 3), "transposed", "height and width are exchanged"),
        (KERNEL, lambda k: k[..., ::-1, ::-1], "transposed", "turned by 180 degrees"),
        (DENSE, lambda k: k.T, "transposed", "inputs and outputs are exchanged"),
        (KERNEL, lambda k: k.ravel().reshape(3, 3, 6, 8).transpose(3, 2, 0, 1), "transposed", "stored in another"),
        (KERNEL, lambda k: k[[1, 0, 2, 3, 4, 5, 6, 7]], "channels", "its output channels swapped: 2 of 8, [0, 1]"),
        (KERNEL, lambda k: k[:, [0, 1, 2, 5, 4, 3]], "channels", "its input channels swapped: 2 of 6, [3, 5]"),
        (KERNEL, lambda k: k.astype(np.float16).astype(np.float32), "float16", "rounded to float16"),
        (np.tile(KERNEL, (2, 2, 1, 1)) + 0.1, eight_bits, "int8", "rounded to 8 bits"),
        (KERNEL, one_changed, "weights", "differs: 1 of 432 values"),
        (KERNEL, lambda k: k[:, :5], "weights", "has shape (8, 5, 3, 3) for (8, 6, 3, 3)"),
    ],
)
def test_what_was_done_to_a_tensor_is_named(right, change, kind, words):
    fault = tensor_fault(right, np.ascontiguousarray(change(right)))
    assert fault is not None
    assert fault[0] == kind
    assert words in fault[1]


def test_the_place_that_changed_most_is_given():
    assert tensor_fault(KERNEL, one_changed(KERNEL))[1].endswith("most at [3, 2, 1, 0]")


def test_equal_tensors_have_no_fault():
    assert tensor_fault(KERNEL, KERNEL * np.float32(1 + 1e-7)) is None


def normalisation(x, norm, epsilon):
    """y = scale (x - mean) / sqrt(variance + epsilon) + offset, by channel (Ioffe and Szegedy 2015)."""
    by_channel = {name: v[None, :, None, None] for name, v in norm.items()}
    root = np.sqrt(by_channel["variance"] + epsilon)
    return by_channel["scale"] * (x - by_channel["mean"]) / root + by_channel["offset"]


NORM = {
    "scale": RNG.uniform(0.5, 2, 8).astype(np.float32),
    "offset": RNG.normal(size=8).astype(np.float32),
    "mean": RNG.normal(size=8).astype(np.float32),
    "variance": RNG.uniform(0.01, 1, 8).astype(np.float32),
}
MAPS = RNG.normal(size=(2, 8, 5, 5)).astype(np.float32)


@pytest.mark.parametrize("epsilon", [1e-2, 1e-3, 1e-5])
def test_an_epsilon_is_found_from_what_a_normalisation_does(epsilon):
    activations = {"conv": MAPS, "norm": normalisation(MAPS, NORM, epsilon).astype(np.float32)}
    assert fitted_epsilon(activations, "norm", NORM) == pytest.approx(epsilon, rel=0.05)
    gains = NORM["scale"].astype(np.float64) / np.sqrt(NORM["variance"].astype(np.float64) + epsilon)
    assert epsilon_from_gains(gains, NORM) == pytest.approx(epsilon, rel=1e-6)


def test_a_layer_that_does_not_normalise_the_one_before_it_has_no_epsilon():
    assert fitted_epsilon({"conv": MAPS, "norm": MAPS**2}, "norm", NORM) is None
    assert fitted_epsilon({"norm": MAPS}, "norm", NORM) is None


def suspect(weights_a, weights_b, of_a, of_b):
    """A pair of layers named "norm" in both networks, with these weights and activations by layer."""
    models = SimpleNamespace(
        a=SimpleNamespace(weights=lambda layer: weights_a.get(layer, {})),
        b=SimpleNamespace(weights=lambda layer: weights_b.get(layer, {})),
        of_a=of_a,
        of_b=of_b,
    )
    pair = SimpleNamespace(a="norm", b="norm")
    return Suspect(models, pair, tuple(of_a), tuple(of_b), (), of_a["norm"], of_b["norm"])


def test_another_epsilon_with_equal_weights_is_named():
    weights = {"conv": {"kernel": KERNEL}, "norm": NORM}
    of_a, of_b = ({"conv": MAPS, "norm": normalisation(MAPS, NORM, e).astype(np.float32)} for e in (1e-3, 1e-5))
    cause = weight_fault(suspect(weights, weights, of_a, of_b))
    assert (cause.kind, cause.layer) == ("epsilon", "norm")
    assert "the reference has 0.001 (fitted)" in cause.text
    assert weight_fault(suspect(weights, weights, of_a, of_a)) is None


def folded(epsilon, scale=1.0, shift=0.0):
    """The kernel and bias of convolution and normalisation in one."""
    gain = NORM["scale"].astype(np.float64) / np.sqrt(NORM["variance"].astype(np.float64) + epsilon)
    kernel = gain[:, None, None, None] * KERNEL * np.reshape(scale, (-1, 1, 1, 1))
    return {"kernel": kernel.astype(np.float32), "bias": (NORM["offset"] - gain * NORM["mean"] + shift).astype("f4")}


@pytest.mark.parametrize(
    ("epsilon", "change", "kind", "layer"),
    [
        (1e-5, {}, "epsilon", "norm"),
        (1e-3, {"scale": np.arange(1.0, 9.0)}, "weights", "conv"),
        (1e-3, {"shift": 0.1}, "weights", "norm"),
    ],
)
def test_faults_in_a_folded_normalisation_are_named(epsilon, change, kind, layer):
    of_a = {"conv": MAPS, "norm": normalisation(MAPS, NORM, 1e-3).astype(np.float32)}
    plain = {"conv": {"kernel": KERNEL}, "norm": NORM}
    cause = weight_fault(suspect(plain, {"norm": folded(epsilon, **change)}, of_a, {"norm": of_a["norm"]}))
    assert (cause.kind, cause.layer) == (kind, layer), cause.text


def test_a_normalisation_folded_rightly_has_no_fault():
    of_a = {"conv": MAPS, "norm": normalisation(MAPS, NORM, 1e-3).astype(np.float32)}
    plain = {"conv": {"kernel": KERNEL}, "norm": NORM}
    assert weight_fault(suspect(plain, {"norm": folded(1e-3)}, of_a, {"norm": of_a["norm"]})) is None
