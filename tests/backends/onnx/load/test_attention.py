"""The standard's Attention (opset 23): gradients against torch float64, plain and rare forms, and visible weights."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.introspection.default_layer import attention_maps
from crosslens.model import INPUT, OUTPUT
from crosslens.model.input_spec import InputSpec
from onnx import TensorProto, helper, numpy_helper

TOKENS, HEADS, SIZE = 5, 2, 3
RNG = np.random.default_rng(0)
MASK = RNG.normal(size=(1, 1, TOKENS, TOKENS)).astype(np.float32)
KEPT = np.arange(TOKENS)[None] <= np.arange(TOKENS)[:, None] + 1
"""Token t sees those up to t + 1."""
KINDS = {
    "plain": ({}, {}, {}),
    "scale": ({"scale": 0.3}, {}, {"scale": 0.3}),
    "float mask": ({}, {"m": MASK}, {"attn_mask": MASK}),
    "mask of truths": ({}, {"m": KEPT}, {"attn_mask": KEPT}),
    "causal": ({"is_causal": 1}, {}, {"is_causal": True}),
    "fewer keys than queries' heads": ({"kv_num_heads": 1}, {}, {"enable_gqa": True}),
}
SHOWN = ["plain", "scale", "float mask", "mask of truths"]


def network(kind, rank, opset=23):
    """Tokens (N, T, heads size), each of query, key and value a multiple of the input and shifted."""
    attributes, extra, _ = KINDS[kind]
    heads = {"q_num_heads": HEADS, "kv_num_heads": attributes.get("kv_num_heads", HEADS)}
    rest = {k: v for k, v in attributes.items() if k != "kv_num_heads"}
    nodes, names = [], []
    for name, count in zip("qkv", (HEADS, heads["kv_num_heads"], heads["kv_num_heads"]), strict=True):
        nodes.append(helper.make_node("MatMul", ["x", f"w{name}{count}"], [name]))
        names.append(name)
        if rank == 4:
            nodes += [
                helper.make_node("Reshape", [name, f"apart{count}"], [f"{name}r"]),
                helper.make_node("Transpose", [f"{name}r"], [f"{name}4"], perm=[0, 2, 1, 3]),
            ]
            names[-1] = f"{name}4"
    out = "y" if rank == 3 else "y4"
    nodes.append(helper.make_node(
        "Attention", [*names, *extra], [out], name="attend", **rest, **(heads if rank == 3 else {})
    ))  # fmt: skip
    if rank == 4:
        nodes += [
            helper.make_node("Transpose", ["y4"], ["yt"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", ["yt", "joined"], ["y"]),
        ]
    constants = {
        **{f"w{n}{c}": weights(n, c) for n in "qkv" for c in (1, HEADS)},
        **{f"apart{c}": np.array([0, 0, c, -1]) for c in (1, HEADS)}, "joined": np.array([0, 0, -1]), **extra,
    }  # fmt: skip
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", TOKENS, HEADS * SIZE]) for n in "xy"]
    read = {i for node in nodes for i in node.input}
    tensors = [numpy_helper.from_array(v, k) for k, v in constants.items() if k in read]
    graph = helper.make_graph(nodes, "attention", infos[:1], infos[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def weights(name, count):
    shape = (HEADS * SIZE, count * SIZE)
    return np.random.default_rng([ord(name), count]).normal(0, 0.5, shape).astype(np.float32)


def by_torch(kind, x, dy):
    attributes, _, given = KINDS[kind]
    counts = [HEADS, *[attributes.get("kv_num_heads", HEADS)] * 2]
    t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    q, k, v = (
        (t @ torch.tensor(weights(name, count), dtype=torch.float64)).unflatten(2, (count, SIZE)).transpose(1, 2)
        for name, count in zip("qkv", counts, strict=True)
    )
    given = {k: v if not isinstance(v, np.ndarray) else torch.tensor(v) for k, v in given.items()}
    if kind == "float mask":
        given["attn_mask"] = given["attn_mask"].double()
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, **given).transpose(1, 2).flatten(2)
    (dx,) = torch.autograd.grad(y, t, torch.tensor(dy, dtype=torch.float64))
    return y.detach().numpy(), dx.numpy()


@pytest.fixture(scope="module")
def tokens():
    return RNG.normal(size=(2, TOKENS, HEADS * SIZE)).astype(np.float32), RNG.normal(
        size=(2, TOKENS, HEADS * SIZE)
    ).astype(np.float32)


def wrapped(kind, rank, opset=23):
    return crosslens.wrap(network(kind, rank, opset), input_shape=InputSpec.latent((TOKENS, HEADS * SIZE)))


@pytest.mark.parametrize("rank", [3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_value_and_gradient_are_torch_float64(tokens, kind, rank):
    x, dy = tokens
    y, dx = by_torch(kind, x, dy)
    pull = wrapped(kind, rank).vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.activations[OUTPUT], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pull.gradients[INPUT], dx, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opset", [23, 24])
@pytest.mark.parametrize("kind", SHOWN)
def test_its_weights_are_a_layer_and_the_node_keeps_its_name(tokens, kind, opset):
    model = wrapped(kind, 3, opset)
    (weights_of,) = attention_maps(model)
    seen = model.forward(tokens[0], [weights_of])[weights_of]
    assert seen.shape == (2, HEADS, TOKENS, TOKENS)
    np.testing.assert_allclose(seen.sum(axis=-1), 1, rtol=1e-5)
    if kind == "mask of truths":
        assert not seen[..., ~KEPT].any()
    assert model.layer("attend").shape[1:] == (TOKENS, HEADS * SIZE)
