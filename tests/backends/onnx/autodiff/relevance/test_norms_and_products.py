"""norms="stop" and products="half" against torch in float64 with the deviation detached and products halved by hand."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.model import InputSpec
from onnx import helper, numpy_helper
from torch import nn

from .networks import close, exported, gradient

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 5, 4)).astype(np.float32)
SCALE, OFFSET = RNG.normal(size=(2, 6)).astype(np.float32)
LAST, LAST_OFFSET = RNG.normal(size=(2, 4)).astype(np.float32)


def standardised(x, axes, epsilon, *, centred=True, stop=True):
    mean = x.mean(axes, keepdim=True) if centred else 0.0
    deviation = ((x - mean).square().mean(axes, keepdim=True) + epsilon).sqrt()
    return (x - mean) / (deviation.detach() if stop else deviation)


def by_channel(values, x):
    return torch.tensor(values, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 2))


def last(values, x):
    return torch.tensor(values, dtype=x.dtype)


def group(x, stop):
    h = standardised(x.reshape(2, 3, -1), (2,), 1e-2, stop=stop)
    return h.reshape(x.shape) * by_channel(SCALE, x) + by_channel(OFFSET, x)


def lrn(x, stop):
    pads = torch.nn.functional.pad(x.square(), (0, 0, 0, 0, 1, 1))
    s = (0.7 + 0.4 / 3 * sum(pads[:, i : i + x.shape[1]] for i in range(3))) ** 0.6
    return x / (s.detach() if stop else s)


def length(x, p, stop):
    size = x.abs().pow(p).sum(1, keepdim=True).pow(1 / p)
    return x / (size.detach() if stop else size)


NORMS = {
    "LayerNormalization": ((LAST, LAST_OFFSET), {"axis": -1, "epsilon": 1e-2}, 18, lambda x, stop: standardised(
        x, (3,), 1e-2, stop=stop) * last(LAST, x) + last(LAST_OFFSET, x)),
    "RMSNormalization": ((LAST,), {"axis": -1, "epsilon": 1e-2}, 23, lambda x, stop: standardised(
        x, (3,), 1e-2, centred=False, stop=stop) * last(LAST, x)),
    "InstanceNormalization": ((SCALE, OFFSET), {"epsilon": 1e-2}, 18, lambda x, stop: standardised(
        x, (2, 3), 1e-2, stop=stop) * by_channel(SCALE, x) + by_channel(OFFSET, x)),
    "GroupNormalization": ((SCALE, OFFSET), {"num_groups": 3, "epsilon": 1e-2}, 21, group),
    "MeanVarianceNormalization": ((), {"axes": [1, 3]}, 18, lambda x, stop: standardised(x, (1, 3), 0, stop=stop)),
    "LRN": ((), {"size": 3, "alpha": 0.4, "beta": 0.6, "bias": 0.7}, 18, lrn),
    "LpNormalization": ((), {"axis": 1, "p": 2}, 18, lambda x, stop: length(x, 2, stop)),
    "LpNormalization#1": ((), {"axis": 1, "p": 1}, 18, lambda x, stop: length(x, 1, stop)),
}  # fmt: skip


def one_node(op, x, constants, opset, **attributes):
    names = [f"c{i}" for i in range(len(constants))]
    node = helper.make_node(op.split("#")[0], ["x", *names], ["y"], name="layer", **attributes)
    infos = [helper.make_tensor_value_info(n, 1, ["N", *x.shape[1:]]) for n in ("x", "y")]
    tensors = [numpy_helper.from_array(np.asarray(c), n) for n, c in zip(names, constants, strict=True)]
    graph = helper.make_graph([node], "one", infos[:1], infos[1:], tensors)
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return wrap(file, input_shape=InputSpec.latent(x.shape[1:]))


@pytest.mark.parametrize("op", NORMS)
def test_the_deviation_of_a_normalisation_is_held_constant(op):
    constants, attributes, opset, by_torch = NORMS[op]
    model = one_node(op, X, constants, opset, **attributes)
    dy = RNG.normal(size=X.shape).astype(np.float32)
    for changed, stop in ((model, False), (model.modified(norms="stop"), True)):
        close(changed.vjp(X, {OUTPUT: dy}).gradients[INPUT], gradient(lambda u, s=stop: by_torch(u, s), X, dy), by=5e-5)


@pytest.mark.parametrize("root", [lambda v: v**0.5, torch.sqrt, lambda v: 1 / torch.rsqrt(v), lambda v: 1 / v**-0.5])
def test_where_it_is_written_out_nothing_passes_the_root(root):
    class Written(nn.Module):
        stop = False

        def forward(self, x):
            centre = x - x.mean(-1, keepdim=True)
            deviation = root(centre.pow(2).mean(-1, keepdim=True) + 0.1)
            return centre / (deviation.detach() if self.stop else deviation)

    net, dy = Written(), RNG.normal(size=X.shape).astype(np.float32)
    model = exported(net, X.shape[1:]).modified(norms="stop")
    net.stop = True
    close(model.vjp(X, {OUTPUT: dy}).gradients[INPUT], gradient(net, X, dy))


@pytest.mark.parametrize(
    "over", [lambda v: v.rsqrt(), lambda v: v**-0.5, lambda v: 1 / v.sqrt()], ids=["rsqrt", "power", "reciprocal"]
)
def test_a_product_with_an_inverse_deviation_is_not_halved(over):
    """Nothing passes the root, so all comes back by x; of x * x, before it, nothing does."""

    class Written(nn.Module):
        stop = False

        def forward(self, x):
            inverse = over(x.pow(2).mean(-1, keepdim=True) + 0.1)
            return x * (inverse.detach() if self.stop else inverse)

    net, dy = Written(), RNG.normal(size=X.shape).astype(np.float32)
    model = exported(net, X.shape[1:]).modified(norms="stop", products="half")
    net.stop = True
    close(model.vjp(X, {OUTPUT: dy}).gradients[INPUT], gradient(net, X, dy))


class Attention(nn.Module):
    """Two products of tokens, one of a gate with maps, one with a constant, one activation function written out."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))
        self.scale = nn.Parameter(torch.randn(4))

    def forward(self, x, half=None):
        half = half or (lambda y: y)
        q, k, v = self.q(x), self.k(x) * self.scale, self.v(x)
        mixed = half(torch.softmax(half(q @ k.transpose(1, 2)), -1) @ v)
        gated = half(mixed * torch.sigmoid(mixed.mean(1, keepdim=True)))
        square = gated * gated
        square = half(square)
        kept = torch.nn.functional.silu(square)
        return kept + half(torch.einsum("ntd,nsd->nts", kept, q)).sum(2, keepdim=True)


def test_both_gradients_of_a_product_of_two_that_vary_are_halved():
    net, x = Attention(), RNG.normal(size=(2, 5, 4)).astype(np.float32)
    dy = RNG.normal(size=(2, 5, 4)).astype(np.float32)
    model = exported(net, (5, 4))
    half = lambda y: y / 2 + (y / 2).detach()  # noqa: E731 - y, of which half the gradient comes back
    for changed, by in ((model, None), (model.modified(products="half"), half)):
        close(changed.vjp(x, {OUTPUT: dy}).gradients[INPUT], gradient(lambda u, by=by: net.double()(u, by), x, dy))


def test_the_three_options_combine():
    """Ratio, stopped deviation and halved products at once: silu(LayerNorm(x)) * gate, relevance is conserved."""

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.norm, self.gate = nn.LayerNorm(4, elementwise_affine=False), nn.Linear(4, 4, bias=False)

        def forward(self, x):
            return torch.nn.functional.silu(self.norm(x)) * self.gate(x)

    x = RNG.normal(size=(2, 4)).astype(np.float32)
    model = exported(Both(), (4,)).modified(slope="ratio", norms="stop", products="half")
    pull = model.vjp(x, {OUTPUT: np.ones((2, 4), np.float32)}, capture=[OUTPUT])
    np.testing.assert_allclose((x * pull.gradients[INPUT]).sum(1), pull.activations[OUTPUT].sum(1), rtol=1e-5)


def test_a_mean_that_is_used_elsewhere_keeps_its_gradient():
    """LayerNormalization gives its mean and inverse deviation too; only what passes the deviation is stopped."""
    node = helper.make_node("LayerNormalization", ["x", "s"], ["h", "mean", "inverse"], axis=-1, epsilon=1e-2)
    nodes = [node, helper.make_node("Mul", ["mean", "three"], ["m"]), helper.make_node("Add", ["h", "m"], ["a"])]
    nodes += [helper.make_node("Mul", ["inverse", "three"], ["i"]), helper.make_node("Add", ["a", "i"], ["y"])]
    infos = [helper.make_tensor_value_info(n, 1, ["N", 4]) for n in ("x", "y")]
    tensors = [numpy_helper.from_array(v, n) for n, v in (("s", LAST), ("three", np.full(1, 3, np.float32)))]
    graph = helper.make_graph(nodes, "mean", infos[:1], infos[1:], tensors)
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model = wrap(file, input_shape=InputSpec.latent((4,)))
    x, dy = RNG.normal(size=(2, 2, 4)).astype(np.float32)

    def by_torch(u):
        return standardised(u, (1,), 1e-2) * last(LAST, u) + 3 * u.mean(1, keepdim=True)

    close(model.modified(norms="stop").vjp(x, {OUTPUT: dy}).gradients[INPUT], gradient(by_torch, x, dy))


def test_a_split_of_which_the_first_part_is_not_read_is_no_normalisation():
    class Second(nn.Module):
        def forward(self, x):
            return torch.tanh(x.split(2, 1)[1])

    x, dy = RNG.normal(size=(2, 2, 4)).astype(np.float32)
    model = exported(Second(), (4,))
    want = model.vjp(x, {OUTPUT: dy[:, :2]}).gradients[INPUT]
    assert want.any()
    np.testing.assert_array_equal(model.modified(norms="stop").vjp(x, {OUTPUT: dy[:, :2]}).gradients[INPUT], want)
