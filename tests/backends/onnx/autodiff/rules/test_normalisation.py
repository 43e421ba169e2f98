"""Rules of normalisations and Lp poolings against torch's float64 autograd."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def check(vjp_of_node, op, inputs, function, *, constants=(), **how):
    """The rule's gradients are those of `function` in torch float64, for a random cotangent."""
    wrt = [n for n in inputs if n not in constants]
    exact = {n: torch.tensor(v, dtype=torch.float64, requires_grad=n in wrt) for n, v in inputs.items()}
    y = function(*exact.values())
    dy = rand(*y.shape, seed=len(op))
    want = torch.autograd.grad(y, [exact[n] for n in wrt], torch.tensor(dy, dtype=torch.float64))
    got = vjp_of_node(op, inputs, {"y": dy}, wrt=wrt, constants=constants, **how)
    for name, gradient in zip(wrt, want, strict=True):
        scale = gradient.abs().max().item()
        np.testing.assert_allclose(got[name], gradient.numpy(), rtol=2e-5, atol=2e-5 * scale)


X = rand(2, 6, 4, 5)


@pytest.mark.parametrize("opset", [18, 21])
@pytest.mark.parametrize(
    ("shape", "groups"), [((2, 6, 4, 5), 1), ((2, 6, 4, 5), 2), ((2, 6, 4, 5), 6), ((3, 6), 2), ((2, 6, 7), 3)]
)
def test_group_normalization_scales_groups_in_opset_18_and_channels_from_21_on(vjp_of_node, opset, shape, groups):
    per = groups if opset == 18 else 6
    inputs = {"x": 2 * rand(*shape) + 1, "s": rand(per), "b": rand(per, seed=1)}

    def function(x, s, b):
        s, b = (t.repeat_interleave(6 // per) for t in (s, b))
        return F.group_norm(x, groups, s, b, eps=1e-3)

    check(vjp_of_node, "GroupNormalization", inputs, function, opset=opset, num_groups=groups, epsilon=1e-3)
    check(
        vjp_of_node, "GroupNormalization", inputs, function, constants=["s", "b"], opset=opset, num_groups=groups,
        epsilon=1e-3,
    )  # fmt: skip


@pytest.mark.parametrize(("axis", "scale"), [(-1, (5,)), (2, (4, 5)), (1, (6, 4, 5)), (-2, (1,)), (-2, (4, 1))])
def test_rms_normalization_with_scales_that_broadcast(vjp_of_node, axis, scale):
    inputs = {"x": X, "s": rand(*scale)}
    dims = tuple(range(axis % 4, 4))

    def function(x, s):
        return x * (x.pow(2).mean(dims, keepdim=True) + 1e-2).rsqrt() * s

    check(vjp_of_node, "RMSNormalization", inputs, function, opset=23, axis=axis, epsilon=1e-2)


@pytest.mark.parametrize("axes", [[0, 2, 3], [1], [0, 1, -1]])
def test_mean_variance_normalization(vjp_of_node, axes):
    def function(x):
        return (x - x.mean(axes, keepdim=True)) / (x.std(axes, keepdim=True, correction=0) + 1e-9)

    check(vjp_of_node, "MeanVarianceNormalization", {"x": X + 1}, function, axes=axes)


def test_mean_variance_normalization_of_a_constant_channel_has_no_nan(vjp_of_node):
    x = np.full((1, 2, 3, 3), 0.5, np.float32)
    got = vjp_of_node("MeanVarianceNormalization", {"x": x}, {"y": X[:1, :2, :3, :3]}, axes=[0, 2, 3])
    np.testing.assert_array_equal(got["x"], 0)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("axis", [-1, 1])
def test_lp_normalization(vjp_of_node, p, axis):
    check(
        vjp_of_node, "LpNormalization", {"x": X}, lambda x: x / torch.linalg.vector_norm(x, p, axis, keepdim=True),
        p=p, axis=axis,
    )  # fmt: skip


@pytest.mark.parametrize("p", [1, 2])
def test_lp_normalization_of_zeros_has_gradient_zero(vjp_of_node, p):
    x = np.array([[0, 0, 0], [3, 4, 0]], np.float32)
    got = vjp_of_node("LpNormalization", {"x": x}, {"y": np.ones((2, 3), np.float32)}, p=p, axis=-1)["x"]
    np.testing.assert_array_equal(got[0], 0)
    assert np.isfinite(got[1]).all()


def lrn(x, size, alpha, beta, bias):
    """ONNX's definition, channel by channel."""
    rows = []
    for c in range(x.shape[1]):
        window = x[:, max(0, c - (size - 1) // 2) : c + -(-(size - 1) // 2) + 1]
        rows.append(x[:, c] / (bias + alpha / size * window.pow(2).sum(1)) ** beta)
    return torch.stack(rows, 1)


@pytest.mark.parametrize("size", [1, 3, 5, 7, 13])
@pytest.mark.parametrize("how", [{}, {"alpha": 0.9, "beta": 0.5, "bias": 2.0}])
def test_lrn_is_its_definition_in_float64(vjp_of_node, size, how):
    whole = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0, **how}
    check(vjp_of_node, "LRN", {"x": 3 * X}, lambda x: lrn(x, size, **whole), size=size, **how)


POOLS = {
    "tiles": ((1, 3, 6, 4), [2, 2], {"strides": [2, 2]}),
    "remainder": ((2, 3, 7, 9), [2, 3], {"strides": [2, 3]}),
    "overlapping and padded": ((1, 3, 7, 8), [3, 3], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "uneven padding": ((1, 3, 6, 6), [3, 2], {"pads": [0, 1, 2, 0]}),
    "one axis": ((2, 3, 9), [3], {"strides": [2]}),
    "three axes": ((1, 2, 4, 5, 4), [2, 2, 3], {"strides": [1, 2, 1]}),
}


def lp_pool(x, p, kernel, strides=None, pads=None):
    rank = len(kernel)
    pads, strides = pads or [0] * 2 * rank, strides or [1] * rank
    x = F.pad(x, [side for a in reversed(range(rank)) for side in (pads[a], pads[a + rank])]).abs() ** p
    for axis in range(rank):
        x = x.unfold(axis + 2, kernel[axis], strides[axis])
    return x.sum(tuple(range(-rank, 0))) ** (1 / p)


@pytest.mark.parametrize("case", POOLS)
@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_pool(vjp_of_node, case, p):
    shape, kernel, how = POOLS[case]
    check(
        vjp_of_node, "LpPool", {"x": rand(*shape)}, lambda x: lp_pool(x, p, kernel, **how), p=p, kernel_shape=kernel,
        **how,
    )  # fmt: skip


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 7)])
def test_global_lp_pool(vjp_of_node, p, shape):
    dims = tuple(range(2, len(shape)))

    def function(x):
        return torch.linalg.vector_norm(x, p, dims, keepdim=True)

    check(vjp_of_node, "GlobalLpPool", {"x": rand(*shape)}, function, p=p)


@pytest.mark.parametrize("op", ["LpPool", "GlobalLpPool"])
def test_lp_pools_of_zeros_have_gradient_zero(vjp_of_node, op):
    how = {"kernel_shape": [2, 2], "strides": [2, 2]} if op == "LpPool" else {}
    x = np.zeros((1, 2, 4, 4), np.float32)
    dy = np.ones((1, 2, 2, 2) if how else (1, 2, 1, 1), np.float32)
    for p in (1, 2, 3):
        np.testing.assert_array_equal(vjp_of_node(op, {"x": x}, {"y": dy}, p=p, **how)["x"], 0)
