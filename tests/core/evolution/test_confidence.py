"""Confidence of every kind of output, and its direction, against torch's own gradient of log(p / (1 - p))."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import ModelError
from crosslens.evolution.confidence import Confidence
from crosslens.model import OUTPUT
from crosslens.testing import TinyModel
from torch import nn

PICTURES = np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32)
CLASSES = np.array([0, 2, 1, 2])


def body(count):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, count)
    ).eval()


class Function(nn.Module):
    """An end that has no logits before it, as its numbers were changed on the way."""

    def __init__(self, inner, function):
        super().__init__()
        self.inner, self.function = inner, function

    def forward(self, x):
        return self.function(self.inner(x))


def softmax(z):
    return z.softmax(1)


ENDS = {
    "logits": (None, softmax),
    "probabilities": (nn.Softmax(1), softmax),
    "log_probabilities": (nn.LogSoftmax(1), softmax),
    "independent": (nn.Sigmoid(), torch.sigmoid),
    "independent_logits": (None, torch.sigmoid),
}


def check(model, net, probabilities, classes, binary=False):
    """Against torch in float64."""
    got, direction = Confidence.of(model).ascent(PICTURES, classes)
    x = torch.from_numpy(PICTURES).double().requires_grad_()
    p = probabilities(net.double()(x))
    p = torch.cat([1 - p, p], 1) if binary else p
    chosen = p[range(len(classes)), classes]
    (wanted,) = torch.autograd.grad(torch.log(chosen / (1 - chosen)).sum(), x)
    net.float()
    np.testing.assert_allclose(got, chosen.detach(), rtol=1e-5)
    np.testing.assert_allclose(Confidence.of(model).values(PICTURES), p.detach(), rtol=1e-5)
    for mine, theirs in zip(direction.reshape(4, -1).astype(np.float64), wanted.reshape(4, -1).numpy(), strict=True):
        cosine = mine @ theirs / (np.linalg.norm(mine) * np.linalg.norm(theirs))
        assert cosine > 1 - 1e-6


@pytest.mark.parametrize("kind", ENDS)
def test_probabilities_and_direction_of_each_kind_of_output(kind):
    end, function = ENDS[kind]
    net = body(3)
    model = crosslens.wrap(
        nn.Sequential(*net, *([end] if end else [])), preprocess=None, input_shape=(3, 8, 8), output_kind=kind
    )
    check(model, net, function, CLASSES)


@pytest.mark.parametrize("kind", ["independent", "independent_logits"])
def test_one_number_is_two_classes(kind):
    net = body(1)
    ended = nn.Sequential(*net, nn.Sigmoid()) if kind == "independent" else net
    model = crosslens.wrap(ended, preprocess=None, input_shape=(3, 8, 8), output_kind=kind)
    check(model, net, torch.sigmoid, np.array([0, 1, 1, 0]), binary=True)


def mixed(z):
    return (z.softmax(1) + (2 * z).softmax(1)) / 2


MIXED = {
    "probabilities": (mixed, mixed),
    "log_probabilities": (lambda z: mixed(z).log(), mixed),
    "independent": (lambda z: (z.sigmoid() + (2 * z).sigmoid()) / 2,) * 2,
}
"""What the network ends in, and its probabilities: a mean of two, so that no layer holds logits."""


@pytest.mark.parametrize("kind", MIXED)
def test_where_no_layer_holds_the_logits_the_output_is_read(kind):
    function, probabilities = MIXED[kind]
    net = body(3)
    model = crosslens.wrap(Function(net, function), preprocess=None, input_shape=(3, 8, 8), output_kind=kind)
    assert model.output.before is None
    check(model, net, probabilities, CLASSES)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (
            "score",
            r"this network gives scores, not probabilities.*never sure of a class; wrap it with output_kind='log",
        ),
        ("maps", "never sure of a class; choose an output of classes, output="),
    ],
)
def test_outputs_without_classes_are_refused(kind, told):
    net = body(3) if kind == "score" else nn.Sequential(nn.Conv2d(3, 6, 3))
    with pytest.raises(ModelError, match=told):
        Confidence.of(crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8), output_kind=kind))


def test_nan_is_refused():
    net = body(3)
    with torch.no_grad():
        net[-1].bias[1] = float("nan")
    with pytest.raises(ModelError, match=r"gives NaN or infinite values at .* for pictures in .0, 1.: look at"):
        Confidence.of(crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8), output_kind="logits")).values(
            PICTURES
        )


def test_a_network_that_is_all_but_certain_still_has_a_direction():
    """p rounds to 1 in float32, where its own gradient is 0."""
    model = TinyModel()
    sure = model._with_weights({"fc": {"kernel": model.weights("fc")["kernel"] * np.float32(500)}})
    classes = sure.forward(PICTURES)[OUTPUT].argmax(axis=1)
    p, direction = Confidence.of(sure).ascent(PICTURES, classes)
    assert (p.astype(np.float32) == 1).all()
    assert (np.abs(direction).reshape(4, -1).max(axis=1) > 0).all()
