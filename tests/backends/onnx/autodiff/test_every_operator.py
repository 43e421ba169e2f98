"""Every operator of the newest opset is accounted for: differentiated, stopped, written out by others, or refused."""

import numpy as np
import pytest
import torch
from crosslens.backends.onnx.autodiff.registry import rule_for
from crosslens.backends.onnx.ir.graph import Node
from onnx import defs
from torch.nn import functional as F  # noqa: N812

SEQUENCES = "a sequence or an optional is no tensor; of a known number of tensors it is written out"
LOOPS = "how often it runs, or over how many rows, hangs on the image; known numbers of steps are written out"
RECURRENT = "its number of steps hangs on the image, or its form is a rare one; others are written out step by step"
REFUSED = {
    "If": "a condition that depends on the image; with a known one the branch is written out",
    "BitCast": "bits of a number taken for another number",
    **dict.fromkeys(("Loop", "Scan"), LOOPS),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), RECURRENT),
    **dict.fromkeys(
        (
            "ConcatFromSequence", "Optional", "OptionalGetElement", "SequenceAt", "SequenceConstruct", "SequenceErase",
            "SequenceInsert", "SplitToSequence",
        ),
        SEQUENCES,
    ),
    "STFT": "a transform of sounds: not yet asked for",
    "MaxRoiPool": "regions of detectors from before RoiAlign, which has a rule",
    "TensorScatter": "caches of language models: no vision network in scope has one",
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), "networks quantised to integers, without QuantizeLinear beside"),
}  # fmt: skip
"""Operator: why it has no rule."""


def test_every_operator_of_the_newest_opset_is_accounted_for():
    schemas = [s for s in defs.get_all_schemas() if not s.domain and not s.deprecated]
    refused = {
        s.name
        for s in schemas
        if rule_for(Node(s.name, (), (), version=defs.onnx_opset_version())) is None
        and not (s.has_function or s.has_context_dependent_function)
    }
    assert refused == REFUSED.keys()


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def attention(q, k, v, mask=None, *, causal=False, groups=1):
    """Softmax(Q K' / sqrt(d)) V, query heads in turns of `groups` on each head of keys."""
    k, v = (t.repeat_interleave(groups, 1) for t in (k, v))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if causal:
        late = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(late, -torch.inf)
    return torch.softmax(scores if mask is None else scores + mask, -1) @ v


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("opset", [23, 24])
def test_attention_by_its_function_body(vjp_of_node, masked, causal, groups, opset):
    inputs = {"x": rand(2, 4, 5, 8), "k": rand(2, 4 // groups, 5, 8, seed=1), "v": rand(2, 4 // groups, 5, 6, seed=2)}
    if masked:
        inputs["m"] = rand(5, 5, seed=3)
    wrt = ["x", "k", "v"]
    exact = {n: torch.tensor(a, dtype=torch.float64, requires_grad=n in wrt) for n, a in inputs.items()}
    y = attention(*exact.values(), causal=bool(causal), groups=groups)
    dy = rand(*y.shape, seed=4)
    want = torch.autograd.grad(y, [exact[n] for n in wrt], torch.tensor(dy, dtype=torch.float64))
    got = vjp_of_node("Attention", inputs, {"y": dy}, wrt=wrt, opset=opset, is_causal=causal)
    for name, gradient in zip(wrt, want, strict=True):
        np.testing.assert_allclose(got[name], gradient.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


def test_rotary_embedding_by_its_function_body(vjp_of_node):
    """Halves of each head are turned by an angle per position; its gradient is turned back."""
    x, angle = rand(2, 3, 4, 8), rand(2, 4, 4, seed=1)
    cos, sin = np.cos(angle), np.sin(angle)
    dy = rand(2, 3, 4, 8, seed=2)
    got = vjp_of_node("RotaryEmbedding", {"x": x, "c": cos, "s": sin}, {"y": dy}, opset=23)["x"]
    a, b = dy[..., :4], dy[..., 4:]
    c, s = cos[:, None], sin[:, None]
    np.testing.assert_allclose(got, np.concatenate([a * c + b * s, b * c - a * s], -1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("opset", [7, 9])
def test_upsample_of_old_opsets(vjp_of_node, mode, opset):
    """At whole factors, opset 9's linear reads at x / factor, as Resize does with asymmetric coordinates."""
    x, dy = rand(1, 2, 3, 4), rand(1, 2, 6, 12)
    scales = [1.0, 1.0, 2.0, 3.0]
    if opset == 7:
        got = vjp_of_node("Upsample", {"x": x}, {"y": dy}, opset=7, mode=mode, scales=scales)["x"]
    else:
        inputs = {"x": x, "s": np.array(scales, np.float32)}
        got = vjp_of_node("Upsample", inputs, {"y": dy}, opset=9, mode=mode, constants=["s"])["x"]
    if mode == "nearest":
        want = F.avg_pool2d(torch.tensor(dy), (2, 3)).numpy() * 6
    else:
        rows, columns = (asymmetric(n, f) for n, f in ((3, 2), (4, 3)))
        want = np.einsum("nchw,ha,wb->ncab", dy, rows, columns)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def asymmetric(size, factor):
    """(out, in): linear interpolation at out / factor, the last pixel repeated."""
    places = np.arange(size * factor) / factor
    low = np.floor(places).astype(int)
    made = np.zeros((size * factor, size))
    for row, (place, first) in enumerate(zip(places, low, strict=True)):
        made[row, first] += 1 - (place - first)
        made[row, min(first + 1, size - 1)] += place - first
    return made
