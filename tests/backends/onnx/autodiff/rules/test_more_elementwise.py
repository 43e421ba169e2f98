"""Rules of elementwise operators and reductions against torch's float64 autograd."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812


def rand(*shape, low=None, seed=0):
    x = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return np.asarray(np.abs(x) + low if low is not None else x, np.float32)


def agrees(vjp_of_node, op, inputs, function, *, constants=(), **how):
    """Gradients of the first input by the rule and by torch in float64, for a random cotangent."""
    exact = [torch.tensor(v, dtype=torch.float64 if v.dtype == np.float32 else None) for v in inputs.values()]
    y = function(exact[0].requires_grad_())
    dy = rand(*y.shape, seed=len(op))
    (want,) = torch.autograd.grad(y, exact[0], torch.tensor(dy, dtype=torch.float64))
    got = vjp_of_node(op, inputs, {"y": dy}, constants=constants, **how)["x"]
    assert got.shape == tuple(want.shape)
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-5 * (np.abs(want.numpy()).max() or 1))


X = rand(2, 3, 4, 5)
UNIT = np.tanh(X) * np.float32(0.9)
UNARY = {
    "Celu": (X, {"alpha": 0.7}, lambda x: F.celu(x, 0.7)),
    "ThresholdedRelu": (X, {"alpha": 0.5}, lambda x: F.threshold(x, 0.5, 0)),
    "Mish": (3 * X, {}, F.mish),
    "Swish": (3 * X, {"opset": 24, "alpha": 1.5}, lambda x: x * torch.sigmoid(1.5 * x)),
    "Shrink": (X, {"lambd": 0.4, "bias": 0.4}, lambda x: F.softshrink(x, 0.4)),
    "Sin": (3 * X, {}, torch.sin),
    "Cos": (3 * X, {}, torch.cos),
    "Tan": (UNIT, {}, torch.tan),
    "Asin": (UNIT, {}, torch.asin),
    "Acos": (UNIT, {}, torch.acos),
    "Atan": (X, {}, torch.atan),
    "Sinh": (X, {}, torch.sinh),
    "Cosh": (X, {}, torch.cosh),
    "Asinh": (X, {}, torch.asinh),
    "Acosh": (rand(3, 4, low=1.2), {}, torch.acosh),
    "Atanh": (UNIT, {}, torch.atanh),
    "DepthToSpace": (rand(2, 12, 3, 5), {"blocksize": 2, "mode": "CRD"}, lambda x: F.pixel_shuffle(x, 2)),
    "MeanVarianceNormalization": (
        X,
        {"axes": [1, -1]},
        lambda x: (x - x.mean((1, 3), keepdim=True)) / (x.std((1, 3), keepdim=True, correction=0) + 1e-9),
    ),
}


@pytest.mark.parametrize("op", UNARY)
def test_rule_of_one_input_is_torch_autograd(vjp_of_node, op):
    x, how, function = UNARY[op]
    agrees(vjp_of_node, op, {"x": x}, function, **how)


def test_depth_to_space_with_blocks_first_and_its_inverse(vjp_of_node):
    """Mode DCR: (N, b, b, C, H, W) becomes (N, C, H, b, W, b)."""

    def spread(x):
        n, c, h, w = x.shape
        return x.reshape(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * w)

    def gathered(x):
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, w // 2)

    agrees(vjp_of_node, "DepthToSpace", {"x": rand(2, 12, 3, 5)}, spread, blocksize=2)
    agrees(vjp_of_node, "SpaceToDepth", {"x": rand(2, 3, 6, 10)}, gathered, blocksize=2)


def product(x, dims, keep):
    for dim in sorted((d % x.ndim for d in dims), reverse=True):
        x = x.prod(dim, keepdim=keep)
    return x


REDUCTIONS = {
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceProd": product,
    "ReduceL1": lambda x, d, k: x.abs().sum(d, keepdim=k),
    "ReduceL2": lambda x, d, k: torch.linalg.vector_norm(x, dim=d, keepdim=k),
    "ReduceSumSquare": lambda x, d, k: (x * x).sum(d, keepdim=k),
    "ReduceLogSum": lambda x, d, k: x.sum(d, keepdim=k).log(),
    "ReduceLogSumExp": torch.logsumexp,
}


@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.parametrize("axes", [None, [1], [-1, 0]])
@pytest.mark.parametrize("keep", [0, 1])
def test_reduction_is_torch_autograd(vjp_of_node, op, axes, keep):
    x = rand(2, 3, 4, low=0.5) if op == "ReduceLogSum" else rand(2, 3, 4)
    inputs = {"x": x} if axes is None else {"x": x, "a": np.array(axes)}
    dims = axes or [0, 1, 2]
    agrees(
        vjp_of_node, op, inputs, lambda x: REDUCTIONS[op](x, dims, bool(keep)), constants=list(inputs)[1:],
        keepdims=keep,
    )  # fmt: skip


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"])
def test_reduction_at_ties_and_zeros_is_torch_autograd(vjp_of_node, op):
    x = np.array([[2, 0, 3, 2], [0, 0, 1, -2], [1, 3, 3, -2], [0, 0, 0, 0]], np.float32)
    agrees(
        vjp_of_node, op, {"x": x, "a": np.array([1])}, lambda x: REDUCTIONS[op](x, [1], False), constants=["a"],
        keepdims=0,
    )  # fmt: skip


@pytest.mark.parametrize("op", REDUCTIONS)
def test_reduction_of_no_axes_passes_the_cotangent_on(vjp_of_node, op):
    x = rand(2, 3, low=1)
    got = vjp_of_node(op, {"x": x, "a": np.zeros(0, np.int64)}, {"y": x}, constants=["a"], noop_with_empty_axes=1)
    np.testing.assert_array_equal(got["x"], x)


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("exclusive", [0, 1])
def test_cumsum(vjp_of_node, reverse, exclusive):
    def function(x):
        x = x.flip(-2) if reverse else x
        y = x.cumsum(-2) - (x if exclusive else 0)
        return y.flip(-2) if reverse else y

    agrees(
        vjp_of_node, "CumSum", {"x": X, "a": np.array(-2)}, function, constants=["a"], reverse=reverse,
        exclusive=exclusive,
    )  # fmt: skip


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [-1, 0, 2])
def test_trilu(vjp_of_node, upper, k):
    cut = torch.triu if upper else torch.tril
    agrees(vjp_of_node, "Trilu", {"x": X, "k": np.array(k)}, lambda x: cut(x, k), constants=["k"], upper=upper)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("largest", [0, 1])
def test_topk_gives_to_the_chosen(vjp_of_node, axis, largest):
    want = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    values = want.topk(2, axis, bool(largest)).values
    dy = rand(*values.shape)
    values.backward(torch.tensor(dy, dtype=torch.float64))
    got = vjp_of_node(
        "TopK", {"x": X, "k": np.array([2])}, {"y": dy, "places": None}, constants=["k"], axis=axis, largest=largest
    )
    np.testing.assert_array_equal(got["x"], want.grad.numpy().astype(np.float32))


@pytest.mark.parametrize("repeats", [[1, 1, 2], [2, 3, 1], [1, 1, 1]])
def test_tile_sums_over_the_copies(vjp_of_node, repeats):
    agrees(
        vjp_of_node, "Tile", {"x": rand(2, 3, 4), "r": np.array(repeats)}, lambda x: x.tile(repeats), constants=["r"]
    )
