"""Convolutions by SciPy with padding at the wrong end: where the windows start is found from the values alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from crosslens.alignment.padding_faults import padding_fault, window_starts
from crosslens.alignment.suspect import Suspect
from crosslens.model.preprocessing import Preprocess
from scipy.signal import correlate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 8, 8)).astype(np.float32)
KERNEL = RNG.normal(size=(5, 3, 3, 3)).astype(np.float32)
BIAS = RNG.normal(size=5).astype(np.float32)


def convolution(x, pads, stride):
    """By SciPy, `pads` being rows above, columns to the left; as many after as a 3 x 3 kernel needs."""
    above, left = pads
    padded = np.pad(x, ((0, 0), (0, 0), (above, 2 - above), (left, 2 - left)))
    maps = [[correlate(image, kernel, mode="valid")[0] for kernel in KERNEL] for image in padded]
    return (np.array(maps)[:, :, ::stride, ::stride] + BIAS[:, None, None]).astype(np.float32)


def suspect(expected, actual, kind="Conv"):
    layers = {"conv": SimpleNamespace(kind=kind)}
    model = SimpleNamespace(
        layers=layers, weights=lambda layer: {"kernel": KERNEL, "bias": BIAS}, preprocess=Preprocess()
    )
    models = SimpleNamespace(a=model, b=model, x=X, of_a={"conv": expected}, of_b={"conv": actual})
    pair = SimpleNamespace(a="conv", b="conv")
    return Suspect(models, pair, ("conv",), ("conv",), (), expected, actual)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pads", [(1, 1), (0, 0), (1, 0), (2, 1)])
def test_where_the_windows_start_is_found(pads, stride):
    right, other = convolution(X, (1, 1), stride), convolution(X, pads, stride)
    assert window_starts(suspect(right, other)) == ((1, 1), pads)


def test_padding_at_the_other_end_is_named():
    cause = padding_fault(suspect(convolution(X, (1, 1), 2), convolution(X, (0, 0), 2)))
    assert (cause.kind, cause.layer) == ("padding", "conv")
    assert cause.text.startswith(
        "wrong padding: 0 rows above and 0 columns to the left, the reference has 1 and 1; with the same weights"
    )


def test_maps_that_differ_along_the_border_only_have_another_border():
    right = convolution(X, (1, 1), 1)
    inner = slice(1, -1)
    other = right + 1
    other[:, :, inner, inner] = right[:, :, inner, inner]
    assert padding_fault(suspect(right, other)).text == (
        "wrong padding: the maps differ along the border only, inside they agree"
    )


def test_values_that_no_padding_gives_are_not_a_padding_s_fault():
    right = convolution(X, (1, 1), 2)
    assert window_starts(suspect(right, 1.1 * right)) is None
    assert padding_fault(suspect(right, 1.1 * right)) is None


def test_a_layer_without_windows_has_no_padding():
    assert padding_fault(suspect(convolution(X, (1, 1), 2), convolution(X, (0, 0), 2), kind="Softplus")) is None


def test_same_padding_at_a_stride_is_named_with_what_to_do():
    """With kernel 3 and stride 2 TensorFlow's "same" pads 0 before and 1 after; torch's padding=1 pads 1 and 1."""
    text = padding_fault(suspect(convolution(X, (1, 1), 2), convolution(X, (0, 0), 2))).text
    assert "padding='same' of TensorFlow pads more after" in text
    assert text.endswith("put ZeroPadding2D((1, 1)) before, and padding='valid'")
    turned = padding_fault(suspect(convolution(X, (0, 0), 2), convolution(X, (1, 1), 2))).text
    assert turned.endswith("pad the input so (torch: F.pad), and padding=0 here")


def pooling(x, reduce, before):
    """Windows of 3 x 3 at stride 2, over what lies in the maps, one window after the other."""
    rows = [[slice(max(0, 2 * i - before), 2 * i - before + 3) for i in range(4)] for _ in range(2)]
    return np.stack([[reduce(x[:, :, r, c], axis=(2, 3)) for c in rows[1]] for r in rows[0]]).transpose(2, 3, 0, 1)


@pytest.mark.parametrize("reduce", [np.max, np.mean])
def test_pooling_that_starts_elsewhere_is_named(reduce):
    right, other = pooling(X, reduce, 1), pooling(X, reduce, 0)
    of_a = {"act": X, "pool": right}
    model = SimpleNamespace(
        layers={name: SimpleNamespace(kind=kind) for name, kind in {"act": "ReLU", "pool": "MaxPool2d"}.items()},
        weights=lambda layer: {}, preprocess=Preprocess(),
    )  # fmt: skip
    models = SimpleNamespace(a=model, b=model, x=X, of_a=of_a, of_b=of_a)
    pairs = {name: SimpleNamespace(a=name, b=name) for name in of_a}
    cause = padding_fault(Suspect(models, pairs["pool"], ("pool",), ("pool",), (pairs["act"],), right, other))
    assert (cause.kind, cause.layer) == ("padding", "pool")
    assert cause.text.startswith("wrong padding: 0 rows above and 0 columns to the left, the reference has 1 and 1")
