"""torch.nn.MultiheadAttention, whose heads lie in the batch once exported: layers and attention methods as by hand."""

import io

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.backends.quiet_exporters import quiet
from crosslens.introspection.default_layer import attention_maps
from onnx import helper, numpy_helper
from torch import nn

from benchmarks.networks import exported

SHAPE, TOKENS, WIDTH, HEADS = (3, 32, 32), 17, 24, 3
X = np.random.default_rng(0).random((3, *SHAPE), np.float32)


class Transformer(nn.Module):
    """Two layers of attention between patches and a class token."""

    def __init__(self, batch_first):
        super().__init__()
        self.batch_first, self.patches, self.last = batch_first, nn.Conv2d(3, WIDTH, 8, 8), nn.Linear(WIDTH, 5)
        self.token, self.places = (nn.Parameter(torch.randn(1, n, WIDTH) / 3) for n in (1, TOKENS))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.attentions = nn.ModuleList(nn.MultiheadAttention(WIDTH, HEADS, batch_first=batch_first) for _ in range(2))

    def forward(self, x):
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), self.patches(x).flatten(2).transpose(1, 2)], 1)
        tokens = tokens + self.places
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            h = norm(tokens) if self.batch_first else norm(tokens).transpose(0, 1)
            y = attention(h, h, h)[0]
            tokens = tokens + (y if self.batch_first else y.transpose(0, 1))
        return self.last(tokens[:, 0])

    def weights(self, x):
        """The attention of each layer, (N, heads, T, T), head after head."""
        found = []
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), self.patches(x).flatten(2).transpose(1, 2)], 1)
        tokens = tokens + self.places
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            h = norm(tokens)
            q, k, v = (h @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, -1)
            q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (q, k, v))
            found.append((q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5).softmax(-1))
            found[-1].retain_grad()
            tokens = tokens + attention.out_proj((found[-1] @ v).transpose(1, 2).flatten(2))
        return found, self.last(tokens[:, 0])


def fixed(net):
    """For one image at once."""
    buffer = io.BytesIO()
    with quiet():
        torch.onnx.export(net, (torch.zeros(1, *SHAPE),), buffer, dynamo=False, input_names=["input"], opset_version=17)
    return onnx.load_from_string(buffer.getvalue())


EXPORTS = {
    "traced": (True, lambda net: exported(net, "legacy", SHAPE, opset_version=17)),
    "traced, tokens first": (False, lambda net: exported(net, "legacy", SHAPE, opset_version=14)),
    "traced for one image": (True, fixed),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_attention_is_seen_head_by_head_and_its_methods_are_those_written_by_hand(name):
    batch_first, export = EXPORTS[name]
    torch.manual_seed(0)
    net = Transformer(batch_first).eval()
    model = crosslens.wrap(export(net), preprocess=None)
    layers = attention_maps(model)
    assert [model.layers[layer].shape for layer in layers] == [(None, HEADS, TOKENS, TOKENS)] * 2
    weights, y = net.weights(torch.tensor(X))
    y[:, 2].sum().backward()
    pull = model.vjp(X, {OUTPUT: np.eye(5, dtype=np.float32)[[2] * 3]}, wrt=layers, capture=layers)
    for layer, exact in zip(layers, weights, strict=True):
        np.testing.assert_allclose(pull.activations[layer], exact.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(pull.gradients[layer], exact.grad.numpy(), atol=1e-6)
    rollout, relevance = torch.eye(TOKENS), torch.eye(TOKENS)
    for exact in weights:
        mixed = (exact.detach().mean(1) + torch.eye(TOKENS)) / 2
        rollout = mixed @ rollout
        relevance = relevance + (exact.grad * exact.detach()).clamp(min=0).mean(1) @ relevance
    for method, want, how in (("attention_rollout", rollout, {}), ("attention_relevance", relevance, {"target": 2})):
        got = crosslens.method(method)(model, X, **how).values
        grid = want[:, 0, 1:].unflatten(1, (4, 4)).numpy()
        np.testing.assert_allclose(got / got.max(), grid / grid.max(), atol=1e-5, err_msg=method)


def folded(order):
    """Attention of (N, 6, 8) tokens with themselves, two heads folded into the batch behind or before the images."""
    split = [helper.make_node("Reshape", ["x", "four"], ["a"]), helper.make_node("Transpose", ["a"], ["t"], perm=order)]
    nodes = [
        *split,
        helper.make_node("Reshape", ["t", "three"], ["q"]),
        helper.make_node("Transpose", ["q"], ["k"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "k"], ["s"]),
        helper.make_node("Softmax", ["s"], ["w"], name="weights", axis=-1),
        helper.make_node("MatMul", ["w", "q"], ["o"]),
        helper.make_node("Reshape", ["o", "flat"], ["y"]),
    ]
    constants = {"four": [0, 6, 2, 4], "three": [-1, 6, 4], "flat": [-1, 48]}
    ends = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", ["n", 6, 8]), ("y", ["n", 48]))]
    tensors = [numpy_helper.from_array(np.array(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "folded", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(("order", "shape"), [([0, 2, 1, 3], (None, 2, 6, 6)), ([2, 0, 1, 3], None)])
def test_only_heads_that_follow_their_image_are_seen_apart(order, shape):
    model = crosslens.wrap(folded(order), input_shape=crosslens.InputSpec.latent((6, 8)))
    assert (model.layers["weights"].shape if "weights" in model.layers else None) == shape
    x = np.random.default_rng(0).standard_normal((2, 6, 8)).astype(np.float32)
    assert model.vjp(x, {OUTPUT: np.ones((2, 48), np.float32)}).gradients[INPUT].shape == x.shape
