"""Kernel rules against the equation of `crosslens.model.kernel_rules`, written slowly in float64 with torch."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.model import ABSORBED, Branch, InputSpec, KernelRule
from crosslens.objective import channel
from onnx import helper, numpy_helper
from torch.nn import functional as F  # noqa: N812

RNG = np.random.default_rng(0)
SIDES = {"any": lambda z: z == z, "positive": lambda z: z > 0, "negative": lambda z: z < 0}


def floats(values):
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def quotient(a, b):
    return torch.where(b == 0, torch.zeros_like(a), a / torch.where(b == 0, torch.ones_like(b), b))


def stabilised(v, stabiliser):
    return v + stabiliser * torch.where(v >= 0, 1.0, -1.0)


def column(values, like, channels_last):
    return floats(values).reshape((-1,) if channels_last else (-1, *[1] * (like.ndim - 2)))


def constants(values, x, border, channels_last):
    """One number for each channel, 0 in the border, set place by place."""
    u = column(values, x, channels_last).expand(x.shape).clone()
    for axis, (before, after) in enumerate(border, 1 if channels_last else 2):
        for place in range(x.shape[axis]):
            if place < before or place >= x.shape[axis] - after:
                u.select(axis, place).zero_()
    return u


def by_the_equation(x, dy, kernel, bias, rule, linear, channels_last=False):
    """(dx, absorbed); `linear(u, kernel)` is the map without bias, in torch, at kernels in the layout of `weights`."""
    x, dy, kernel = floats(x), floats(dy), floats(kernel)

    def back(w, r):
        u = x.clone().requires_grad_()
        return torch.autograd.grad(linear(u, w), u, r)[0]

    y = linear(x, kernel) + column(bias, dy, channels_last)
    ones = np.ones(len(bias))
    gain, shift = (
        column(ones * more if value is None else value, dy, channels_last)
        for more, value in ((1, rule.gain), (0, rule.shift))
    )
    z = gain * y + shift
    relevance = quotient(z * dy, gain.expand(dy.shape))
    dx, by_bias, passed = torch.zeros_like(x), 0.0, torch.zeros_like(dy)
    for branch in rule.branches:
        r = torch.where(SIDES[branch.side](z), relevance, 0.0)
        kernels = [(i, floats(k)) for i, k in branch.kernels]
        parts = {"any": x, "positive": x.clamp(min=0), "negative": x.clamp(max=0)}
        us = [parts[i] if isinstance(i, str) else constants(i, x, rule.border, channels_last) for i, _ in kernels]
        own = column(branch.bias if branch.bias is not None else 0 * ones, dy, channels_last)
        y_i = sum((linear(u, k) for u, (_, k) in zip(us, kernels, strict=True)), own) if kernels else z
        s = branch.weight * quotient(r, stabilised(y_i, rule.stabiliser))
        by_bias += (s * own).flatten(1).sum(1)
        passed += s * y_i
        if not kernels:
            exact = not rule.stabiliser and len(rule.branches) == 1 and branch.side == "any"
            flow = branch.weight * dy if exact else gain * s
            dx += back(kernel, flow) * (x if rule.local else 1)
        for u, (inputs, k) in zip(us, kernels, strict=True):
            mask = {"any": 1.0, "positive": (x > 0).double(), "negative": (x < 0).double()}
            m = u if rule.local else mask[inputs] if isinstance(inputs, str) else 0.0
            dx += m * back(k, s)
    kept = (relevance - passed).flatten(1).sum(1)
    return dx.numpy(), torch.stack([by_bias, kept], 1).numpy()


def network(op, x, constants, shape, **attributes):
    """A file with one operator, its constants by name, read in order."""
    node = helper.make_node(op, ["x", *constants], ["y"], name="layer", **attributes)
    infos = [helper.make_tensor_value_info(n, 1, ["N", *s]) for n, s in (("x", x.shape[1:]), ("y", shape))]
    tensors = [numpy_helper.from_array(v, n) for n, v in constants.items()]
    graph = helper.make_graph([node], "one", infos[:1], infos[1:], tensors)
    return wrap(onnx_file(graph), input_shape=InputSpec.latent(x.shape[1:]))


def onnx_file(graph):
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def conv(x_shape, w_shape, *, transposed=False, **how):
    """(model, linear map in torch, x, kernel in the layout of `weights`, bias)."""
    x = RNG.normal(size=x_shape).astype(np.float32)
    w = RNG.normal(size=w_shape).astype(np.float32)
    groups, dims = how.get("groups", 1), len(w_shape) - 2
    bias = RNG.normal(size=w_shape[1] * groups if transposed else w_shape[0]).astype(np.float32)
    torch_op = getattr(F, f"conv{'_transpose' if transposed else ''}{dims}d")

    def linear(u, kernel):
        if transposed:  # (out, in / g) to (in, out / g)
            out, inner, *size = kernel.shape
            kernel = kernel.reshape(groups, out // groups, inner, *size).transpose(1, 2)
            kernel = kernel.reshape(groups * inner, out // groups, *size)
        return torch_op(u, kernel, **how)

    names = {"stride": "strides", "padding": "pads", "dilation": "dilations", "output_padding": "output_padding"}
    attributes = {names[k]: list(v) * (2 if k == "padding" else 1) for k, v in how.items() if k != "groups"}
    kernel = w
    if transposed:
        inner, out, *size = w.shape
        kernel = w.reshape(groups, inner // groups, out, *size).swapaxes(1, 2).reshape(groups * out, -1, *size)
    y = linear(floats(x), floats(kernel))
    op = "ConvTranspose" if transposed else "Conv"
    model = network(op, x, {"w": w, "b": bias}, y.shape[1:], group=groups, **attributes)
    np.testing.assert_array_equal(model.weights("layer")["kernel"], kernel)
    return model, linear, x, kernel, bias


def dense(*, op="Gemm", tokens=(), turned=True):
    x = RNG.normal(size=(3, *tokens, 6)).astype(np.float32)
    kernel, bias = RNG.normal(size=(4, 6)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
    if op == "MatMul":
        model = network(op, x, {"w": kernel.T.copy()}, (*tokens, 4))
        bias = 0 * bias
    else:
        w = {"w": kernel if turned else kernel.T.copy(), "b": bias}
        model = network(op, x, w, (4,), transB=int(turned))
    return model, lambda u, k: u @ k.T, x, kernel, bias


MAPS = {
    "conv": lambda: conv((2, 3, 9, 8), (4, 3, 3, 3), padding=(1, 1)),
    "conv with a remainder": lambda: conv((2, 3, 10, 9), (4, 3, 3, 2), stride=(3, 2), padding=(1, 0)),
    "many channels": lambda: conv((1, 20, 5, 5), (18, 20, 3, 3), padding=(1, 1)),
    "groups": lambda: conv((2, 4, 8, 8), (6, 2, 3, 3), groups=2, padding=(1, 1)),
    "depthwise with strides": lambda: conv((2, 4, 9, 9), (4, 1, 3, 3), groups=4, stride=(2, 2), padding=(1, 1)),
    "dilation": lambda: conv((2, 3, 11, 10), (4, 3, 3, 3), dilation=(2, 3), padding=(2, 1)),
    "volume": lambda: conv((2, 2, 5, 6, 7), (3, 2, 2, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
    "transposed": lambda: conv((2, 3, 5, 4), (3, 4, 3, 3), transposed=True, stride=(2, 3), padding=(1, 0),
                               output_padding=(1, 2)),
    "transposed groups": lambda: conv((2, 4, 5, 4), (4, 3, 3, 3), transposed=True, groups=2, stride=(2, 2)),
    "1-D": lambda: conv((2, 3, 9), (4, 3, 4), stride=(2,), padding=(1,)),
    "transposed 1-D": lambda: conv((2, 3, 6), (3, 4, 4), transposed=True, stride=(2,), padding=(1,)),
    "dense": dense,
    "dense, kernel not turned": lambda: dense(turned=False),
    "tokens": lambda: dense(op="MatMul", tokens=(5,)),
    "matrix": lambda: dense(op="MatMul"),
}  # fmt: skip


def own(**more):
    return lambda k, b, c: KernelRule((Branch(bias=b),), **more)


def parts(k):
    return ("positive", np.maximum(k, 0)), ("negative", np.minimum(k, 0))


def gain_of(k):
    gain = RNG.normal(size=k.shape[0]).astype(np.float32)
    gain[1] = 0
    return gain


def constant(channels):
    return RNG.normal(size=channels).astype(np.float32)


RULES = {
    "own": own(),
    "own, stabilised": own(stabiliser=0.25),
    "own with a gain": lambda k, b, c: KernelRule((Branch(),), 0.1, gain_of(k), RNG.normal(size=len(b))),
    "own with a gain and a bias": lambda k, b, c: KernelRule(
        (Branch(bias=RNG.normal(size=len(b)), weight=-0.5),), 0.5, gain_of(k)
    ),
    "own, one side, local": lambda k, b, c: KernelRule((Branch(side="negative", weight=-2.0),), 0.1, local=True),
    "positive": lambda k, b, c: KernelRule((Branch(parts(k), bias=np.maximum(b, 0)),), 1e-6),
    "positive kernel, any input": lambda k, b, c: KernelRule((Branch((("any", np.abs(k)),), bias=np.abs(b)),), 0.25),
    "alpha-beta": lambda k, b, c: KernelRule(
        (Branch(parts(k), 2.0, np.maximum(b, 0)),
         Branch((("positive", np.minimum(k, 0)), ("negative", np.maximum(k, 0))), -1.0, np.minimum(b, 0))),
        1e-3,
    ),
    "sides with a gain": lambda k, b, c: KernelRule(
        (Branch((("any", k + np.maximum(k, 0)),), side="positive"), Branch(side="negative"), Branch(weight=0.5)),
        1e-2, gain_of(k), RNG.normal(size=len(b)),
    ),
    "flat, local": lambda k, b, c: KernelRule((Branch(((np.ones(c), np.ones_like(k)),)),), local=True),
    "box, local": lambda k, b, c: KernelRule(
        (Branch((("any", k), (constant(c), -np.maximum(k, 0)), (constant(c), -np.minimum(k, 0))), bias=b),), 1e-2,
        local=True),
    "constants, not local": lambda k, b, c: KernelRule((Branch((("any", k), (constant(c), k)), bias=b),), 1e-2),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", MAPS)
def test_a_kernel_rule_is_the_table_of_the_equation(kind, rule):
    model, linear, x, kernel, bias = MAPS[kind]()
    table = RULES[rule](kernel, bias, x.shape[-1] if x.ndim == 2 or kind == "tokens" else x.shape[1])
    dy = RNG.normal(size=model.forward(x)[OUTPUT].shape).astype(np.float32)
    want = by_the_equation(x, dy, kernel, bias, table, linear, channels_last=kind in {"tokens"})
    changed = model.modified(kernels={"layer": table})
    got = changed.vjp(x, {OUTPUT: dy}, wrt=[INPUT, ABSORBED]).gradients
    with changed.linearize(x, [OUTPUT], wrt=[ABSORBED, INPUT]) as at:
        again = at.vjp({OUTPUT: dy})
    for found in (got, again):
        close(found[INPUT], want[0], np.abs(want[0]).max())
        close(found[ABSORBED], want[1], max(np.abs(want[1]).max(), np.abs(dy).sum()))
        assert found[ABSORBED].dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "border"),
    [("conv", ((1, 2), (0, 1))), ("conv with a remainder", ((2, 0), (1, 1))), ("1-D", ((1, 1),)),
     ("volume", ((0, 0), (1, 0), (0, 2))), ("tokens", ((2, 1),)), ("dense", ())],
)  # fmt: skip
def test_constants_are_zero_in_the_border_that_a_layer_before_has_put_around(kind, border):
    model, linear, x, kernel, bias = MAPS[kind]()
    rest = "tokens" in kind
    table = replace(
        RULES["box, local"](kernel, bias, x.shape[-1] if rest or x.ndim == 2 else x.shape[1]), border=border
    )
    dy = RNG.normal(size=model.forward(x)[OUTPUT].shape).astype(np.float32)
    want = by_the_equation(x, dy, kernel, bias, table, linear, channels_last=rest)
    got = model.modified(kernels={"layer": table}).vjp(x, {OUTPUT: dy}, wrt=[INPUT, ABSORBED]).gradients
    close(got[INPUT], want[0], np.abs(want[0]).max())
    close(got[ABSORBED], want[1], max(np.abs(want[1]).max(), np.abs(dy).sum()))
    bare = replace(table, border=())
    without = model.modified(kernels={"layer": bare}).vjp(x, {OUTPUT: dy}).gradients[INPUT]
    assert (not border) == np.allclose(without, got[INPUT], rtol=1e-3)


def close(got, want, size):
    np.testing.assert_allclose(got, want, rtol=2e-3, atol=2e-4 * size)


def test_without_stabiliser_an_output_of_zero_passes_nothing_but_one_own_branch_is_the_exact_gradient():
    """x = (1, -1) with kernel (1, 1) and no bias: y = 0; a kernel branch has R / 0 = 0, the gradient is (3, 3)."""
    kernel, x, dy = np.ones((1, 2), np.float32), np.array([[1, -1]], np.float32), np.full((1, 1), 3, np.float32)
    model = network("Gemm", x, {"w": kernel}, (1,), transB=1)
    for branches, want in (
        ((Branch((("any", kernel),)),), [0, 0]),
        ((Branch(), Branch()), [0, 0]),
        ((Branch(),), [3, 3]),
    ):
        changed = model.modified(kernels={"layer": KernelRule(branches)})
        np.testing.assert_array_equal(changed.vjp(x, {OUTPUT: dy}).gradients[INPUT], [want])


def test_equal_tables_share_sessions_and_others_do_not():
    """The table's content is the key: it is made anew for each call of a method."""
    model, _, x, kernel, _ = dense()
    dy = np.ones((3, 4), np.float32)

    def sessions(stabiliser, kernel):
        rule = KernelRule((Branch((("any", kernel.copy()),)),), stabiliser)
        model.modified(kernels={"layer": rule}).vjp(x, {OUTPUT: dy})
        return len(model._sessions)

    first = sessions(0.1, kernel)
    assert sessions(0.1, kernel) == first
    assert sessions(0.2, kernel) == first + 1
    assert sessions(0.1, 2 * kernel) == first + 2


def test_what_is_absorbed_counts_every_layer_with_a_rule_also_where_no_image_is_asked_for():
    """Two dense layers without stabiliser or bias in the rule: nothing; with a stabiliser of |z| each takes half."""
    one = np.ones((1, 1), np.float32)
    nodes = [helper.make_node("Gemm", [a, "w"], [b], name=b) for a, b in (("x", "h"), ("h", "y"))]
    infos = [helper.make_tensor_value_info(n, 1, ["N", 1]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "two", infos[:1], infos[1:], [numpy_helper.from_array(one, "w")])
    model = wrap(onnx_file(graph), input_shape=InputSpec.latent((1,)))
    changed = model.modified(kernels={name: KernelRule((Branch(),), 2.0) for name in ("h", "y")})
    x, dy = np.full((1, 1), 2, np.float32), np.full((1, 1), 8, np.float32)  # R = 16: 8 and 4 are lost, 4 arrive
    changed = pickle.loads(pickle.dumps(changed))
    for wrt in ([ABSORBED], [ABSORBED, INPUT]):
        got = changed.vjp(x, {OUTPUT: dy}, wrt=wrt).gradients
        np.testing.assert_allclose(got[ABSORBED], [[0, 12]], rtol=1e-6)
    np.testing.assert_allclose(got[INPUT] * x, [[4]], rtol=1e-6)
    compiled = changed.compiled_pullback(x, channel(OUTPUT, 0), wrt=[ABSORBED])
    pull = compiled[0] if compiled else pytest.fail("a channel is not compiled")
    np.testing.assert_allclose(pull.gradients[ABSORBED], [[0, 12 / 8]], rtol=1e-6)
    zeros = changed.vjp(x, {}, wrt=[ABSORBED]).gradients[ABSORBED]
    np.testing.assert_array_equal(zeros, [[0, 0]])
