"""Einsum's rule against torch's float64 autograd; operators of one file each that move elements about."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from onnx import helper, numpy_helper
from torch.nn import functional as F  # noqa: N812


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def check(vjp_of_node, op, inputs, function, *, wrt=None, constants=(), **how):
    """The rule's gradients are those of `function` in torch float64, for a random cotangent."""
    wrt = wrt or [n for n in inputs if n not in constants]
    exact = {n: torch.tensor(v, dtype=torch.float64 if n in wrt else None, requires_grad=n in wrt)
             for n, v in inputs.items()}  # fmt: skip
    y = function(*exact.values())
    dy = rand(*y.shape, seed=len(op))
    want = torch.autograd.grad(y, [exact[n] for n in wrt], torch.tensor(dy, dtype=torch.float64), allow_unused=True)
    got = vjp_of_node(op, inputs, {"y": dy}, wrt=wrt, constants=constants, **how)
    for name, gradient in zip(wrt, want, strict=True):
        assert got[name].shape == tuple(gradient.shape)
        np.testing.assert_allclose(got[name], gradient.numpy(), rtol=1e-5, atol=1e-5)


EQUATIONS = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,jk": [(2, 3), (3, 4)],
    "bhqd, bhkd -> bhqk": [(2, 2, 3, 4), (2, 2, 5, 4)],
    "bhwc,hkc->bhwk": [(2, 3, 4, 5), (3, 6, 5)],
    "i,j->ij": [(3,), (4,)],
    "i,i->": [(4,), (4,)],
    "ij->ji": [(2, 3)],
    "ji": [(2, 3)],
    "ij->i": [(2, 3)],
    "ij->": [(2, 3)],
    "ij,k->i": [(2, 3), (4,)],
    "...ij,...jk->...ik": [(5, 1, 2, 3), (1, 4, 3, 2)],
    "...ij,...jk": [(5, 4, 2, 3), (5, 4, 3, 2)],
    "i...->...i": [(2, 3, 4)],
    "...,...->...": [(2, 1), (2, 3)],
    "ij,jk->ik ": [(2, 1), (3, 4)],
    "ij,ij->j": [(2, 3), (1, 3)],
    "ii->i": [(3, 3)],
    "ii->": [(3, 3)],
    "iji,jk->ki": [(3, 2, 3), (2, 4)],
    "iii->i": [(3, 3, 3)],
    "ij,jk,kl->il": [(2, 3), (3, 4), (4, 5)],
    "bi,bj,ijk->bk": [(2, 3), (2, 4), (3, 4, 5)],
    "nchw,c->nhw": [(2, 3, 4, 5), (3,)],
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(vjp_of_node, equation):
    inputs = {
        name: rand(*shape, seed=n) for n, (name, shape) in enumerate(zip("xab", EQUATIONS[equation], strict=False))
    }
    check(
        vjp_of_node,
        "Einsum",
        inputs,
        lambda *operands: torch.einsum(equation.replace(" ", ""), *operands),
        equation=equation,
    )


def test_einsum_in_a_network_of_any_batch():
    """Outer products of channels, batch known by name only."""
    node = helper.make_node("Einsum", ["x", "w"], ["y"], equation="nchw,kc->nkhw")
    w = rand(4, 3)
    infos = [helper.make_tensor_value_info("x", 1, ("n", 3, 8, 8))], [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph([node], "g", *infos, [numpy_helper.from_array(w, "w")])
    model = wrap(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), preprocess=None)
    x, dy = np.abs(rand(2, 3, 8, 8)).clip(0, 1), rand(2, 4, 8, 8)
    got = model.vjp(x, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_allclose(got, np.einsum("nkhw,kc->nchw", dy, w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 4), (1, 4), ()])
def test_mod_with_a_divisor_that_broadcasts(vjp_of_node, shape):
    inputs = {"x": 5 * rand(3, 4), "b": np.asarray(np.abs(rand(*shape)) + 1, np.float32)}
    check(vjp_of_node, "Mod", inputs, torch.fmod, fmod=1)


@pytest.mark.parametrize(("batch", "time"), [(0, 1), (1, 0)])
def test_reverse_sequence(vjp_of_node, batch, time):
    x = rand(3, 3, 2)
    lengths = np.array([1, 3, 2])

    def function(x, lens):
        rows = [torch.cat([r[:n].flip(0), r[n:]]) for r, n in zip(x.unbind(batch), lens.tolist(), strict=True)]
        return torch.stack(rows, batch)

    how = {"batch_axis": batch, "time_axis": time}
    check(vjp_of_node, "ReverseSequence", {"x": x, "n": lengths}, function, constants=["n"], wrt=["x"], **how)


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize(("axis", "marks"), [(0, 2), (-1, 4), (1, 3), (None, 24), (None, 5)])
def test_compress(vjp_of_node, axis, marks, fixed):
    x, keep = rand(2, 3, 4), np.arange(marks) % 2 == 0

    def function(x, keep):
        places = keep.nonzero()[:, 0]
        return x.flatten()[places] if axis is None else x.index_select(axis, places)

    how = {} if axis is None else {"axis": axis}
    check(vjp_of_node, "Compress", {"x": x, "k": keep}, function, wrt=["x"], constants=["k"] if fixed else [], **how)


def test_max_unpool(vjp_of_node):
    pooled, places = F.max_pool2d(torch.tensor(rand(2, 3, 4, 6)), 2, return_indices=True)
    n = torch.arange(6).reshape(2, 3, 1, 1) * 24
    inputs = {"x": pooled.numpy(), "i": (places + n).numpy()}
    check(
        vjp_of_node, "MaxUnpool", inputs, lambda x, i: F.max_unpool2d(x, i - n, 2), wrt=["x"], kernel_shape=[2, 2],
        strides=[2, 2],
    )  # fmt: skip


@pytest.mark.parametrize(
    "how",
    [{"strides": [2, 2]}, {"strides": [1, 2], "pads": [1, 0, 1, 0]}, {"dilations": [2, 1], "pads": [1, 1, 1, 1]}],
)
def test_col2im_is_torch_fold(vjp_of_node, how):
    stride, dilation = how.get("strides", [1, 1]), how.get("dilations", [1, 1])
    pad = how.get("pads", [0, 0])[:2]
    image, block = (7, 6), (2, 3)
    wide = F.unfold(torch.zeros(2, 3, *image), block, dilation, pad, stride)
    inputs = {"x": rand(*wide.shape), "i": np.array(image), "b": np.array(block)}
    check(
        vjp_of_node, "Col2Im", inputs, lambda x, *_: F.fold(x, image, block, dilation, pad, stride), wrt=["x"],
        constants=["i", "b"], **how,
    )  # fmt: skip
