"""Every derivative rule against torch's float64 autograd on the same operator."""

import zlib

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

RTOL = 1e-5


def rand(*shape, low=None, seed=0):
    rng = np.random.default_rng([seed, *shape])
    x = rng.standard_normal(shape)
    return np.asarray(np.abs(x) + low if low is not None else x, np.float32)


def close(got, want):
    scale = np.abs(want).max() or 1.0
    np.testing.assert_allclose(got, want, rtol=RTOL, atol=RTOL * scale)


def check(vjp_of_node, op, inputs, function, *, wrt=None, constants=(), **how):
    """The rule's gradients are those of `function` in torch float64, for a random cotangent."""
    wrt = wrt or [n for n, v in inputs.items() if v is not None and n not in constants and v.dtype == np.float32]
    exact = {
        n: torch.tensor(v, dtype=torch.float64 if v.dtype == np.float32 else None, requires_grad=n in wrt)
        for n, v in inputs.items()
        if v is not None
    }
    y = function(*exact.values())
    seed = zlib.crc32(op.encode())
    dy = np.random.default_rng(seed).standard_normal(tuple(y.shape))
    dy = np.asarray(dy, np.float32)
    want = torch.autograd.grad(y, [exact[n] for n in wrt], torch.tensor(dy, dtype=torch.float64))
    got = vjp_of_node(op, inputs, {"y": dy}, wrt=wrt, constants=constants, **how)
    for name, gradient in zip(wrt, want, strict=True):
        assert got[name].shape == tuple(gradient.shape)
        close(got[name], gradient.numpy())


X = rand(2, 3, 4, 5)
UNARY = {
    "Relu": (X, {}, torch.relu),
    "Sigmoid": (X, {}, torch.sigmoid),
    "Tanh": (X, {}, torch.tanh),
    "Exp": (X, {}, torch.exp),
    "Log": (rand(3, 4, low=0.2), {}, torch.log),
    "Sqrt": (rand(3, 4, low=0.2), {}, torch.sqrt),
    "Reciprocal": (rand(3, 4, low=0.3), {}, torch.reciprocal),
    "Abs": (X, {}, torch.abs),
    "Neg": (X, {}, torch.neg),
    "Erf": (X, {}, torch.erf),
    "Softplus": (X, {}, F.softplus),
    "Softsign": (X, {}, F.softsign),
    "Elu": (X, {"alpha": 0.7}, lambda x: F.elu(x, 0.7)),
    "Selu": (X, {}, F.selu),
    "LeakyRelu": (X, {"alpha": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
    "HardSigmoid": (3 * X, {"alpha": 1 / 6}, F.hardsigmoid),
    "HardSwish": (3 * X, {}, F.hardswish),
    "Softmax": (X, {"axis": 1}, lambda x: torch.softmax(x, 1)),
    "LogSoftmax": (X, {"axis": -2}, lambda x: torch.log_softmax(x, -2)),
    "GlobalAveragePool": (X, {}, lambda x: x.mean((2, 3), keepdim=True)),
    "GlobalMaxPool": (X, {}, lambda x: x.amax((2, 3), keepdim=True)),
    "Identity": (X, {}, torch.clone),
    "Dropout": (X, {}, torch.clone),
    "Flatten": (X, {"axis": -2}, lambda x: x.flatten(0, 1).flatten(1)),
    "Transpose": (X, {"perm": [2, 0, 3, 1]}, lambda x: x.permute(2, 0, 3, 1)),
}


@pytest.mark.parametrize("op", UNARY)
def test_rule_of_one_input_is_torch_autograd(vjp_of_node, op):
    x, how, function = UNARY[op]
    check(vjp_of_node, op, {"x": x}, function, **how)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_both_forms(vjp_of_node, approximate):
    check(
        vjp_of_node, "Gelu", {"x": X}, lambda x: F.gelu(x, approximate=approximate), opset=20, approximate=approximate
    )


def test_transpose_without_perm_reverses(vjp_of_node):
    check(vjp_of_node, "Transpose", {"x": X}, lambda x: x.permute(3, 2, 1, 0))


BINARY = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Div": torch.div,
    "Pow": torch.pow,
    "Max": torch.maximum,
    "Min": torch.minimum,
}


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize(
    "shapes", [((2, 3), (2, 3)), ((2, 3, 4), (3, 1)), ((4,), (2, 3, 4)), ((2, 1, 4), (1, 3, 1)), ((), (2, 3))]
)
def test_arithmetic_sums_back_what_was_broadcast_either_way(vjp_of_node, op, shapes):
    a, b = (rand(*s, low=0.5, seed=i) for i, s in enumerate(shapes))
    check(vjp_of_node, op, {"x": a, "b": b}, BINARY[op])


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5])
def test_pow_with_a_constant(vjp_of_node, exponent):
    x = {"x": rand(3, 4, low=0.3), "b": np.float32(exponent)}
    check(vjp_of_node, "Pow", x, lambda x, b: x**b, constants=["b"])


def test_pow_with_exponent_two_at_negative_and_zero(vjp_of_node):
    x = np.array([-1.5, 0, 2], np.float32)
    got = vjp_of_node("Pow", {"x": x, "b": np.float32(2)}, {"y": np.ones(3, np.float32)}, constants=["b"])
    np.testing.assert_array_equal(got["x"], 2 * x)


@pytest.mark.parametrize("op", ["Sum", "Mean"])
def test_sum_and_mean_of_three_tensors_that_broadcast(vjp_of_node, op):
    inputs = {"x": rand(2, 3, 4), "b": rand(3, 1), "c": rand(1, 4)}
    share = 3 if op == "Mean" else 1
    check(vjp_of_node, op, inputs, lambda x, b, c: (x + b + c) / share)


@pytest.mark.parametrize("bounds", [(0, 6), (0, None), (None, 0.5), (-0.5, 0.5), (None, None)])
def test_clip_is_torch_clamp_away_from_its_bounds(vjp_of_node, bounds):
    low, high = (None if b is None else np.float32(b) for b in bounds)
    inputs = {"x": 4 * X, "low": low, "high": high}
    constants = [n for n in ("low", "high") if inputs[n] is not None]

    def clamp(x, *_):
        return x.clone() if low is high is None else x.clamp(low, high)

    check(vjp_of_node, "Clip", inputs, clamp, wrt=["x"], constants=constants)


def test_relu6_gives_nothing_at_both_bounds_as_torch_has_it(vjp_of_node):
    x = np.array([-1, 0, 1e-30, 3, 6, 7], np.float32)
    inputs = {"x": x, "low": np.float32(0), "high": np.float32(6)}
    got = vjp_of_node("Clip", inputs, {"y": np.ones(6, np.float32)}, constants=["low", "high"])
    exact = torch.tensor(x, requires_grad=True)
    F.relu6(exact).sum().backward()
    np.testing.assert_array_equal(got["x"], exact.grad.numpy())


def test_relu_gives_nothing_at_zero_and_all_above_it(vjp_of_node):
    x = np.array([-2, 0, 1e-37, 1e30], np.float32)
    got = vjp_of_node("Relu", {"x": x}, {"y": np.full(4, 2, np.float32)})
    np.testing.assert_array_equal(got["x"], [0, 0, 2, 2])


@pytest.mark.parametrize("slope", [rand(3, 1, 1), rand(1)])
def test_prelu(vjp_of_node, slope):
    check(vjp_of_node, "PRelu", {"x": X, "s": slope}, lambda x, s: torch.where(x > 0, x, x * s))


CONVS = {
    "plain": ((2, 3, 7, 6), (4, 3, 3, 3), {}),
    "padded": ((1, 16, 7, 6), (20, 16, 3, 3), {"pads": [1, 1, 1, 1]}),
    "padded more than the kernel reaches": ((1, 16, 5, 5), (4, 16, 1, 1), {"pads": [1, 1, 1, 1]}),
    "asymmetric": ((1, 16, 8, 8), (4, 16, 3, 3), {"pads": [0, 1, 2, 0]}),
    "stride with remainder": ((1, 16, 8, 9), (4, 16, 3, 3), {"strides": [2, 3], "pads": [1, 0, 1, 0]}),
    "stride larger than the kernel": ((1, 3, 9, 10), (4, 3, 1, 2), {"strides": [3, 4]}),
    "dilated": ((1, 16, 9, 9), (4, 16, 3, 3), {"dilations": [2, 3], "pads": [1, 2, 1, 2]}),
    "dilated and strided": ((1, 16, 10, 11), (4, 16, 3, 2), {"dilations": [2, 1], "strides": [2, 2]}),
    "groups": ((2, 8, 6, 6), (12, 2, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    "depthwise": ((1, 16, 7, 7), (16, 1, 3, 3), {"group": 16, "pads": [1, 1, 1, 1]}),
    "depthwise, stride 2, same": ((1, 16, 8, 8), (16, 1, 3, 3), {"group": 16, "pads": [0, 0, 1, 1], "strides": [2, 2]}),
    "depthwise with two outputs each": ((1, 6, 7, 7), (12, 1, 3, 3), {"group": 6, "strides": [2, 1]}),
    "one axis": ((2, 16, 9), (5, 16, 4), {"strides": [2], "pads": [1, 2]}),
    "three axes": ((1, 16, 5, 4, 4), (3, 16, 2, 3, 1), {"pads": [1, 1, 0, 0, 1, 0]}),
}


def conv(x, w, b=None, *, transposed=False, **how):
    """torch's convolution with ONNX's attributes; asymmetric padding is done first."""
    rank = w.ndim - 2
    pads = how.get("pads", [0] * 2 * rank)
    sides = [p for axis in reversed(range(rank)) for p in (pads[axis], pads[axis + rank])]
    run = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    dilation, stride = how.get("dilations", 1), how.get("strides", 1)
    return run(F.pad(x, sides), w, b, stride=stride, dilation=dilation, groups=how.get("group", 1))


@pytest.mark.parametrize("case", CONVS)
@pytest.mark.parametrize("fixed", [True, False], ids=["constant kernel", "computed kernel"])
def test_conv(vjp_of_node, case, fixed):
    shape, kernel, how = CONVS[case]
    inputs = {"x": rand(*shape), "w": rand(*kernel, seed=1), "b": rand(kernel[0], seed=2)}
    constants = ["w", "b"] if fixed else []
    check(vjp_of_node, "Conv", inputs, lambda x, w, b: conv(x, w, b, **how), constants=constants, **how)


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_conv_with_automatic_padding(vjp_of_node, auto, stride):
    x, w = rand(1, 16, 7, 8), rand(4, 16, 3, 4, seed=1)
    total = [0, 0] if auto == "VALID" else [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in ((7, 3), (8, 4))]
    small, large = [t // 2 for t in total], [t - t // 2 for t in total]
    pads = large + small if auto == "SAME_LOWER" else small + large
    how = {"strides": [stride, stride]}
    check(
        vjp_of_node, "Conv", {"x": x, "w": w}, lambda x, w: conv(x, w, pads=pads, **how), constants=["w"],
        auto_pad=auto, **how,
    )  # fmt: skip


TRANSPOSED = {
    "plain": ((2, 3, 4, 5), (3, 4, 3, 3), {}),
    "DCGAN": ((1, 8, 4, 4), (8, 6, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "output padding": ((1, 3, 4, 5), (3, 4, 3, 3), {"strides": [2, 3], "output_padding": [1, 2], "pads": [1, 1, 1, 1]}),
    "groups and dilation": ((1, 6, 4, 5), (6, 2, 2, 3), {"group": 3, "dilations": [2, 2], "strides": [1, 2]}),
    "one axis": ((2, 3, 5), (3, 4, 4), {"strides": [3]}),
}


@pytest.mark.parametrize("case", TRANSPOSED)
@pytest.mark.parametrize("fixed", [True, False], ids=["constant kernel", "computed kernel"])
def test_conv_transpose(vjp_of_node, case, fixed):
    shape, kernel, how = TRANSPOSED[case]
    rank = len(kernel) - 2
    inputs = {"x": rand(*shape), "w": rand(*kernel, seed=1), "b": rand(kernel[1] * how.get("group", 1), seed=2)}

    def function(x, w, b):
        run = (F.conv_transpose1d, F.conv_transpose2d)[rank - 1]
        return run(
            x, w, b, how.get("strides", 1), how.get("pads", [0] * rank)[:rank], how.get("output_padding", 0),
            how.get("group", 1), how.get("dilations", 1),
        )  # fmt: skip

    check(vjp_of_node, "ConvTranspose", inputs, function, constants=["w", "b"] if fixed else [], **how)


POOLS = {
    "tiles": ((1, 3, 6, 4), [2, 2], {"strides": [2, 2]}),
    "tiles with remainder": ((2, 3, 7, 9), [2, 3], {"strides": [2, 3]}),
    "overlapping": ((1, 3, 7, 8), [3, 3], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "stride one": ((1, 3, 6, 6), [3, 3], {"pads": [1, 1, 1, 1], "strides": [1, 1]}),
    "gaps": ((1, 3, 8, 8), [2, 2], {"strides": [3, 3]}),
}


@pytest.mark.parametrize("case", POOLS)
@pytest.mark.parametrize("ties", [False, True])
def test_max_pool_gives_to_the_first_maximum(vjp_of_node, case, ties):
    shape, kernel, how = POOLS[case]
    x = np.round(rand(*shape)).astype(np.float32) if ties else rand(*shape)
    pad = how.get("pads", [0])[0]
    check(
        vjp_of_node,
        "MaxPool",
        {"x": x},
        lambda x: F.max_pool2d(x, kernel, how["strides"], pad),
        kernel_shape=kernel,
        **how,
    )


def test_max_pool_of_a_constant_picture_gives_each_window_once(vjp_of_node):
    how = {"kernel_shape": [2, 2], "strides": [2, 2]}
    got = vjp_of_node(
        "MaxPool", {"x": np.zeros((1, 1, 4, 4), np.float32)}, {"y": np.ones((1, 1, 2, 2), np.float32)}, **how
    )
    np.testing.assert_array_equal(got["x"][0, 0], [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("case", POOLS)
@pytest.mark.parametrize("with_padding", [0, 1])
@pytest.mark.parametrize("ceil", [0, 1])
def test_average_pool(vjp_of_node, case, with_padding, ceil):
    shape, kernel, how = POOLS[case]
    pad = how.get("pads", [0])[0]
    check(
        vjp_of_node, "AveragePool", {"x": rand(*shape)},
        lambda x: F.avg_pool2d(x, kernel, how["strides"], pad, bool(ceil), count_include_pad=with_padding == 1),
        kernel_shape=kernel, count_include_pad=with_padding, ceil_mode=ceil, opset=20, **how,
    )  # fmt: skip


def test_batch_normalization_and_its_parameters(vjp_of_node):
    inputs = {"x": X, "s": rand(3), "o": rand(3, seed=1), "m": rand(3, seed=2), "v": rand(3, low=0.5)}

    def function(x, s, o, m, v):
        return F.batch_norm(x, m, v, s, o, eps=1e-3)

    check(vjp_of_node, "BatchNormalization", inputs, function, wrt=["x"], constants=list("somv"), epsilon=1e-3)
    check(vjp_of_node, "BatchNormalization", inputs, function, wrt=["x", "s", "o"], constants=list("mv"), epsilon=1e-3)


@pytest.mark.parametrize("axis", [-1, 1])
def test_layer_normalization(vjp_of_node, axis):
    shape = X.shape[axis:]
    inputs = {"x": X, "s": rand(*shape), "o": rand(*shape, seed=1)}
    check(vjp_of_node, "LayerNormalization", inputs, lambda x, s, o: F.layer_norm(x, shape, s, o), axis=axis)


def test_instance_normalization(vjp_of_node):
    inputs = {"x": X, "s": rand(3), "o": rand(3, seed=1)}
    check(vjp_of_node, "InstanceNormalization", inputs, lambda x, s, o: F.instance_norm(x, weight=s, bias=o))


@pytest.mark.parametrize("ta", [0, 1])
@pytest.mark.parametrize("tb", [0, 1])
@pytest.mark.parametrize("fixed", [True, False])
def test_gemm(vjp_of_node, ta, tb, fixed):
    inputs = {"x": rand(*((4, 2) if ta else (2, 4))), "b": rand(*((3, 4) if tb else (4, 3))), "c": rand(3)}

    def function(x, b, c):
        return 0.5 * (x.T if ta else x) @ (b.T if tb else b) + 2 * c

    constants = ["b", "c"] if fixed else []
    check(vjp_of_node, "Gemm", inputs, function, constants=constants, transA=ta, transB=tb, alpha=0.5, beta=2.0)


@pytest.mark.parametrize("shape", [(), (1,), (2, 1), (1, 3), (2, 3)])
def test_gemm_sums_back_its_bias(vjp_of_node, shape):
    inputs = {"x": rand(2, 4), "b": rand(4, 3), "c": rand(*shape)}
    check(vjp_of_node, "Gemm", inputs, lambda x, b, c: x @ b + c)


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((2, 1, 2, 3), (4, 3, 5)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (3,)),
        ((3,), (2, 3, 4)),
    ],
)
@pytest.mark.parametrize("fixed", [True, False])
def test_matmul(vjp_of_node, shapes, fixed):
    inputs = {"x": rand(*shapes[0]), "b": rand(*shapes[1], seed=1)}
    check(vjp_of_node, "MatMul", inputs, lambda x, b: x @ b, constants=["b"] if fixed else [])


def test_concat_with_a_negative_axis(vjp_of_node):
    check(vjp_of_node, "Concat", {"x": rand(2, 3, 4), "b": rand(2, 1, 4)}, lambda x, b: torch.cat([x, b], -2), axis=-2)


def test_split_of_which_one_part_is_unused(vjp_of_node):
    x, dy = rand(2, 6), rand(2, 3)
    got = vjp_of_node("Split", {"x": x}, {"y": dy, "z": None}, axis=-1, num_outputs=2)
    np.testing.assert_array_equal(got["x"], np.concatenate([dy, np.zeros((2, 3))], 1))


SLICES = {
    "middle": ([1], [3], [2], [1], np.s_[:, :, 1:3]),
    "negative axis and end": ([1], [-1], [-1], [1], np.s_[..., 1:-1]),
    "to the end": ([1, 0], [2**63 - 1, 1], [1, 0], [1, 1], np.s_[:1, 1:]),
    "step": ([0], [5], [3], [2], np.s_[..., 0:5:2]),
    "step with remainder": ([1], [5], [3], [3], np.s_[..., 1:5:3]),
}


@pytest.mark.parametrize("case", SLICES)
def test_slice(vjp_of_node, case):
    *numbers, where = SLICES[case]
    inputs = {"x": X, **{n: np.array(v) for n, v in zip("abcd", numbers, strict=True)}}
    check(vjp_of_node, "Slice", inputs, lambda x, *_: x[where], constants=list("abcd"))


def test_slice_backwards(vjp_of_node):
    inputs = {"x": X, "a": np.array([-1]), "b": np.array([-(2**63)]), "c": np.array([1]), "d": np.array([-1])}
    check(vjp_of_node, "Slice", inputs, lambda x, *_: x.flip(1), constants=list("abcd"))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [[0, 0, 1, 2, 0, 0, 2, 0], [0, 0, -1, 1, 0, 0, 0, -2]])
def test_pad(vjp_of_node, mode, pads):
    if mode != "constant" and min(pads) < 0:
        pads = [0, 0, 2, 0, 0, 0, 3, 1]
    torch_mode = {"edge": "replicate", "wrap": "circular"}.get(mode, mode)
    sides = [pads[3], pads[7], pads[2], pads[6]]
    inputs = {"x": X, "p": np.array(pads)}
    check(
        vjp_of_node, "Pad", inputs, lambda x, p: F.pad(x, sides, mode=torch_mode), constants=["p"], mode=mode, opset=19
    )


def test_reshape_squeeze_and_unsqueeze(vjp_of_node):
    for op, values in (("Reshape", [3, -1]), ("Unsqueeze", [0, -1])):
        inputs = {"x": rand(1, 3, 1, 4), "s": np.array(values)}
        check(
            vjp_of_node,
            op,
            inputs,
            lambda x, s, op=op: x.reshape(3, -1) if op == "Reshape" else x[None, ..., None],
            constants=["s"],
        )
    check(
        vjp_of_node,
        "Squeeze",
        {"x": rand(1, 3, 1, 4), "s": np.array([-2])},
        lambda x, s: x.squeeze(-2),
        constants=["s"],
    )


def test_expand(vjp_of_node):
    check(
        vjp_of_node,
        "Expand",
        {"x": rand(3, 1), "s": np.array([2, 1, 4])},
        lambda x, s: x.expand(2, 3, 4),
        constants=["s"],
    )


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceSum"])
@pytest.mark.parametrize("axes", [None, [1], [-1, 0]])
@pytest.mark.parametrize("keep", [0, 1])
def test_reductions(vjp_of_node, op, axes, keep):
    inputs = {"x": X, "a": None if axes is None else np.array(axes)}
    run = torch.mean if op == "ReduceMean" else torch.sum
    dims = list(range(4)) if axes is None else axes
    check(
        vjp_of_node, op, inputs, lambda x, a=None: run(x, dims, keepdim=bool(keep)), wrt=["x"],
        constants=[] if axes is None else ["a"], keepdims=keep,
    )  # fmt: skip


def test_where_takes_each_side(vjp_of_node):
    inputs = {"c": rand(2, 3) > 0, "x": rand(2, 3), "b": rand(3, seed=1)}
    check(vjp_of_node, "Where", inputs, torch.where)


@pytest.mark.parametrize("places", [[2, 0], [1, 1, 3], 2, [[0, 3], [1, 1]], [-1]])
@pytest.mark.parametrize("fixed", [True, False])
def test_gather(vjp_of_node, places, fixed):
    inputs = {"x": rand(2, 4, 3), "i": np.array(places)}

    def function(x, i):
        return x[:, i]

    check(vjp_of_node, "Gather", inputs, function, wrt=["x"], constants=["i"] if fixed else [], axis=1)


RESIZES = {
    "nearest": (
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        "nearest",
        None,
    ),
    "linear": ({"mode": "linear", "coordinate_transformation_mode": "half_pixel"}, "bilinear", False),
    "linear, aligned": ({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "bilinear", True),
    "cubic": (
        {"mode": "cubic", "cubic_coeff_a": -0.75, "coordinate_transformation_mode": "half_pixel"},
        "bicubic",
        False,
    ),
}


@pytest.mark.parametrize("case", RESIZES)
@pytest.mark.parametrize("size", [(8, 10), (7, 3)])
def test_resize(vjp_of_node, case, size):
    how, mode, corners = RESIZES[case]
    inputs = {"x": X, "roi": None, "scales": None, "sizes": np.array([2, 3, *size])}
    check(
        vjp_of_node, "Resize", inputs, lambda x, sizes: F.interpolate(x, size, mode=mode, align_corners=corners),
        wrt=["x"], constants=["sizes"], **how,
    )  # fmt: skip


def test_cast_takes_the_cotangent_back_to_the_type_of_its_input(vjp_of_node):
    dy = rand(2, 3)
    got = vjp_of_node("Cast", {"x": rand(2, 3)}, {"y": dy.astype(np.float16)}, to=10)
    assert got["x"].dtype == np.float32
    np.testing.assert_array_equal(got["x"], dy.astype(np.float16).astype(np.float32))
