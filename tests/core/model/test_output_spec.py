"""What the output of a network means, where its end is not a plain softmax or sigmoid."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens import OUTPUT
from crosslens.comparison.predictions import probabilities
from crosslens.errors import ModelError
from crosslens.model.output.link_functions import columns, link_gradient
from crosslens.objective.target import resolve_target
from crosslens.testing import TinyModel
from torch import nn
from torch.nn import functional

X = np.random.default_rng(0).random((2, 3, 12, 12), dtype=np.float32)


class Ended(nn.Module):
    def __init__(self, end, classes=5, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.fc, self.end = nn.Conv2d(3, 6, 3), nn.Linear(6, classes), end

    def forward(self, x):
        return self.end(self.fc(functional.silu(self.conv(x)).mean((2, 3))))


def wrapped(end, classes=5, **options):
    return crosslens.wrap(Ended(end, classes).eval(), preprocess=None, input_shape=(3, 12, 12), **options)


@pytest.mark.parametrize(
    ("end", "kind", "before"),
    [
        (nn.Softmax(1), "probabilities", "fc"),
        (lambda y: functional.softmax(y, -1)[:, :, None, None], "probabilities", "fc"),
        (lambda y: y[:, :, None, None], "logits", None),
        (lambda y: torch.softmax(y, 1) * 0.5 + 0.1, "probabilities", None),
        (nn.Hardsigmoid(), "independent", "fc"),
        (nn.LogSigmoid(), "log_probabilities", "fc"),
        (nn.Tanh(), "logits", None),
        (nn.ReLU(), "logits", None),
        (lambda y: y.softmax(0), "logits", None),
    ],
    ids=["module", "function", "1 x 1 maps", "mixed with a constant", "hard", "log sigmoid", "tanh", "relu", "batch"],
)
def test_the_meaning_is_found_by_what_the_end_computes(end, kind, before):
    spec = wrapped(end).output
    assert (spec.kind, spec.before, spec.count) == (kind, before, 5)


def test_a_module_s_softmax_is_known_in_half_precision():
    net = Ended(nn.Softmax(1)).eval().bfloat16()
    spec = crosslens.wrap(net, preprocess=None, input_shape=(3, 12, 12)).output
    assert (spec.kind, spec.activation) == ("probabilities", "softmax")


def test_a_softmax_inside_is_no_end():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.weigh, self.fc = nn.Conv2d(3, 6, 3), nn.Linear(100, 100), nn.Linear(6, 100)
            self.soft = nn.Softmax(1)

        def forward(self, x):
            maps = self.conv(x).flatten(2)
            return self.fc((maps * self.soft(self.weigh(maps.mean(1)))[:, None]).sum(2))

    assert crosslens.wrap(Attending().eval(), preprocess=None, input_shape=(3, 12, 12)).output.kind == "logits"


def test_where_no_layer_holds_the_logits_the_probability_is_explained_and_said_to_be():
    net = wrapped(lambda y: torch.softmax(y, 1) * 0.5 + 0.1)
    found = crosslens.method("gradient")(net, X, 2)
    np.testing.assert_allclose(found.scores, net.forward(X)[OUTPUT][:, 2])
    assert found.provenance["objective"] == "probability(2)"
    assert any("the probability is explained, not the logit: no layer holds what enters" in n for n in found.notes)


def test_outputs_are_read_as_probabilities_of_their_kind():
    z = np.random.default_rng(1).normal(0, 3, (4, 3)).astype(np.float32)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    for kind, output, expected in [
        ("logits", z, p),
        ("probabilities", p, p),
        ("log_probabilities", np.log(p), p),
        ("independent", p, p),
        ("independent_logits", z, 1 / (1 + np.exp(-z))),
        ("score", z, z),
    ]:
        spec = crosslens.model.output.output_spec.OutputSpec(kind, (3,))
        np.testing.assert_allclose(probabilities(output, spec), expected, rtol=1e-5)
    one = crosslens.model.output.output_spec.OutputSpec("independent", (1,))
    np.testing.assert_allclose(probabilities(p[:, :1], one), np.hstack([1 - p[:, :1], p[:, :1]]), rtol=1e-6)


@pytest.mark.parametrize("link", ["identity", "softmax", "sigmoid", "exp"])
@pytest.mark.parametrize("chosen", [0, 1])
def test_links_have_the_derivatives_of_autograd(link, chosen):
    z = np.random.default_rng(2).normal(0, 2, (3, 4)).astype(np.float64)
    t = torch.from_numpy(z).requires_grad_()
    {"identity": lambda t: t, "softmax": lambda t: t.softmax(1), "sigmoid": torch.sigmoid, "exp": torch.exp}[link](t)[
        :, chosen
    ].sum().backward()
    np.testing.assert_allclose(link_gradient(link, z, np.eye(4)[[chosen] * 3], binary=False), t.grad.numpy(), rtol=1e-9)


@pytest.mark.parametrize("link", ["identity", "sigmoid"])
def test_one_number_of_two_classes_has_opposite_derivatives(link):
    z = np.asarray([[-40.0], [0.3], [60.0]])
    both = columns(link, z, True, probability=link == "sigmoid")
    np.testing.assert_allclose(both[:, 1], z[:, 0] if link == "identity" else 1 / (1 + np.exp(-z[:, 0])))
    np.testing.assert_allclose(both[:, 0], -z[:, 0] if link == "identity" else 1 / (1 + np.exp(z[:, 0])))
    slopes = [link_gradient(link, z, np.eye(2)[[c] * 3], binary=True) for c in (0, 1)]
    np.testing.assert_allclose(slopes[0], -slopes[1])
    assert (slopes[1] > 0).all()


def test_an_output_kind_is_said_for_a_factory_s_model_too(monkeypatch):
    import sys
    import types

    made = types.ModuleType("made_here")
    made.tiny = TinyModel
    monkeypatch.setitem(sys.modules, "made_here", made)
    net = crosslens.wrap("made_here:tiny", output_kind="score")
    assert net.output.kind == "score"
    with pytest.raises(ModelError, match="which no sigmoid gives"):
        crosslens.wrap("made_here:tiny", output_kind="independent")


def test_a_model_s_meaning_is_found_at_the_first_use_and_kept():
    net, calls = TinyModel(), []
    run = net._forward
    net._forward = lambda *given: calls.append(1) or run(*given)
    resolve_target(1, net, 1)
    at_first = len(calls)
    for _ in range(3):
        resolve_target(1, net, 1)
    assert len(calls) == at_first
