"""A kernel and the rectifier behind it as one product: as one after the other, and as the equation."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.backends.onnx.autodiff.rectifiers import never_negative
from crosslens.backends.onnx.ir.graph import Graph, Type, node_of
from crosslens.model import ABSORBED, Branch, KernelRule
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .networks import close, exported

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 3, 8, 8)).astype(np.float32)
ACTS = {"relu": F.relu, "relu6": lambda x: F.relu6(4 * x) / 4, "clip at 1": lambda x: x.clamp(0, 1)}
EPSILON = 0.3


class Network(nn.Module):
    """Two convolutions with rectifiers behind, the second read twice, a pooling and a matrix."""

    def __init__(self, act):
        super().__init__()
        torch.manual_seed(0)
        self.act, self.first, self.second = act, nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.last = nn.Linear(6, 4)

    def forward(self, x):
        x = self.act(self.first(x))
        y = self.second(x)
        return self.last((F.max_pool2d(self.act(y), 2)).mean((2, 3)) + y.mean((2, 3)))


def own(kernel, bias):
    return (Branch(bias=bias, weight=0.7),)


def two(kernel, bias):
    """Kernels of their own, one side each."""
    above, below = kernel.clip(min=0), kernel.clip(max=0)
    return (
        Branch((("positive", above), ("negative", below)), 1.5, bias.clip(min=0)),
        Branch((("positive", below), ("negative", above)), -0.5, bias.clip(max=0), side="positive"),
        Branch((("any", kernel),), 3.0, side="negative"),
    )


def changed(model, local=(), branches=own):
    named = {name: model.weights(name) for name in model.layers}
    kernels = {
        name: KernelRule(branches(weights["kernel"], weights["bias"]), EPSILON, local=name in local)
        for name, weights in named.items()
        if "kernel" in weights
    }
    assert len(kernels) == 3
    return model.modified(kernels=kernels, slope="ratio"), [*kernels]


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("branches", [own, two])
def test_one_product_is_both_rules_one_after_the_other(name, local, branches):
    """Where the gradient between them is asked for, they are taken one after the other."""
    model = exported(Network(ACTS[name]), (3, 8, 8))
    kernels = [layer for layer in model.layers if "kernel" in model.weights(layer)]
    model, kernels = changed(model, kernels[:1] if local else (), branches)
    dy = RNG.normal(size=(3, 4)).astype(np.float32)
    joint = model.vjp(X, {OUTPUT: dy}, wrt=[INPUT, ABSORBED]).gradients
    apart = model.vjp(X, {OUTPUT: dy}, wrt=[INPUT, ABSORBED, *kernels]).gradients
    close(joint[INPUT], apart[INPUT], by=2e-6)
    close(joint[ABSORBED], apart[ABSORBED], by=1e-5)
    with model.linearize(X, [OUTPUT], wrt=[ABSORBED, INPUT]) as at:
        again = at.vjp({OUTPUT: dy})
    close(again[INPUT], apart[INPUT], by=2e-6)
    close(again[ABSORBED], apart[ABSORBED], by=1e-5)


@pytest.mark.parametrize("name", ACTS)
def test_relevance_through_both_is_the_equation(name):
    """One layer of three numbers: r w x / (y + epsilon) where y > 0, else 0."""

    class One(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.only = nn.Linear(3, 5)

        def forward(self, x):
            return ACTS[name](self.only(x))

    net, x = One(), RNG.normal(size=(4, 3)).astype(np.float32) * 2
    model = exported(net, (3,))
    layer = next(layer for layer in model.layers if "kernel" in model.weights(layer))
    rule = KernelRule((Branch(),), EPSILON)
    got = model.modified(kernels={layer: rule}, slope="ratio").vjp(x, {OUTPUT: np.ones((4, 5), np.float32)}).gradients
    w, b = (p.detach().double().numpy() for p in (net.only.weight, net.only.bias))
    y = x.astype(np.float64) @ w.T + b
    r = ACTS[name](torch.tensor(y)).numpy()
    want = np.where(y > 0, r / (np.abs(y) + EPSILON), 0) @ w
    close(got[INPUT], want, by=1e-5)


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("stabiliser", [EPSILON, 0.0])
def test_kernels_of_a_rule_share_the_rectified_relevance(name, stabiliser):
    """A matrix v of positive weights on positive inputs: r v / (x v + epsilon), r 0 where the rectifier stops."""

    class One(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.only = nn.Linear(3, 5)

        def forward(self, x):
            return ACTS[name](self.only(x))

    net, x = One(), (RNG.random(size=(4, 3)) + 0.5).astype(np.float32)
    model = exported(net, (3,))
    layer = next(layer for layer in model.layers if "kernel" in model.weights(layer))
    v = RNG.random(size=(5, 3)).astype(np.float32)
    changed = model.modified(kernels={layer: KernelRule((Branch((("any", v),)),), stabiliser)}, slope="ratio")
    got = changed.vjp(x, {OUTPUT: np.ones((4, 5), np.float32)}, wrt=[INPUT, ABSORBED]).gradients
    r = net(torch.from_numpy(x)).detach().double().numpy()
    assert (r == 0).any()
    assert (r > 0).any()
    shared = x.astype(np.float64) @ v.T
    close(got[INPUT], r / (shared + stabiliser) @ v, by=1e-5)
    lost = (r * stabiliser / (shared + stabiliser)).sum(1)
    close(got[ABSORBED], np.stack([0 * lost, lost], 1), by=1e-5)


def test_what_is_never_negative_is_known_by_operator_and_shows_nothing_below_zero():
    nodes = [("Relu", "x", "a"), ("MaxPool", "a", "b"), ("Identity", "x", "c"), ("Add", "a x", "d"),
             ("Add", "a a", "e"), ("Mul", "e less", "f"), ("Clip", "x less", "g"),
             ("Clip", "x more", "h"), ("Max", "x h", "i"),
             ("Min", "a i", "j"), ("Min", "a x", "k"), ("Clip", "x more less", "l")]  # fmt: skip
    made = [
        helper.make_node(op, read.split(), [y], **({"kernel_shape": [2, 2]} if op == "MaxPool" else {}))
        for op, read, y in nodes
    ]
    constants = {"less": np.float32(-0.5), "more": np.float32(0.25)}
    infos = [helper.make_tensor_value_info(name, 1, None) for name in ("x", *(y for *_, y in nodes))]
    tensors = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
    proto = helper.make_graph(made, "signs", infos[:1], infos[1:], tensors)
    file = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    graph = Graph([node_of(node, {"": 18}) for node in made], constants, {"x": Type(1)}, [], {"": 18})
    known = never_negative(graph)
    values = dict(zip((y for *_, y in nodes), ReferenceEvaluator(file).run(None, {"x": X}), strict=True))
    assert known == {name for name, value in values.items() if value.min() >= 0} == set("abehij")
