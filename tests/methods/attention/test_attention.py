"""Attention rollout and relevance, from the papers' equations; the same on torch and on its exported ONNX file."""

import warnings

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError
from crosslens.introspection.default_layer import attention_maps, spatial_layers
from crosslens.model.layout import patch_grid, tokens_to_maps
from torch import nn
from torch.nn import functional

WIDTH, HEADS, TARGET = 8, 2, 2


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.qkv.weight.data *= 4

    def forward(self, x):
        q, k, v = (p.unflatten(2, (HEADS, -1)).transpose(1, 2) for p in self.qkv(self.norm(x)).chunk(3, dim=2))
        x = x + functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.mlp(x)


class Transformer(nn.Module):
    """`front` tokens (the class token first, then registers) before the patches of 4 x 4 pixels."""

    def __init__(self, front=1):
        super().__init__()
        torch.manual_seed(0)
        self.patch = nn.Conv2d(3, WIDTH, 4, 4)
        self.front = nn.Parameter(torch.randn(1, front, WIDTH))
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = self.blocks(torch.cat([self.front.expand(x.shape[0], -1, -1), x], dim=1))
        return self.head(x[:, 0] if self.front.shape[1] else x.mean(dim=1))


def images(size=(16, 16)):
    return np.random.default_rng(0).random((2, 3, *size), dtype=np.float32)


def wrapped(front=1, size=(16, 16)):
    return crosslens.wrap(Transformer(front).eval(), preprocess=None, input_shape=(3, *size))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("vit") / "vit.onnx"
    net = Transformer().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about itself
        torch.onnx.export(
            net, (torch.from_numpy(images()),), path, dynamo=False, opset_version=17, input_names=["image"]
        )
    return crosslens.wrap(path, preprocess=None)


def read(flow, front, height, width):
    row = flow[0] if front else flow.mean(axis=0)
    return row[front:].reshape(height, width)


SIZES = [
    (1, (16, 16), (4, 4)),
    (0, (16, 16), (4, 4)),
    (5, (16, 16), (4, 4)),
    (1, (24, 16), (6, 4)),
    (3, (8, 20), (2, 5)),
]


@pytest.mark.parametrize(("front", "size", "grid"), SIZES)
@pytest.mark.parametrize("heads", ["mean", "max", "min"])
def test_rollout_is_equation_1(front, size, grid, heads):
    model, x = wrapped(front, size), images(size)
    names = attention_maps(model)
    found = crosslens.method("attention_rollout", heads=heads)(model, x).values
    for n in range(2):
        flow = np.eye(front + grid[0] * grid[1])
        for name in names:
            w = getattr(np, heads)(model.forward(x, [name])[name][n].astype(float), axis=0) + np.eye(len(flow))
            flow = (w / w.sum(axis=1, keepdims=True)) @ flow
        np.testing.assert_allclose(found[n], read(flow, front, *grid), rtol=1e-4)


@pytest.mark.parametrize(("front", "size", "grid"), SIZES)
def test_relevance_is_equations_5_and_6(front, size, grid):
    model, x = wrapped(front, size), images(size)
    names = attention_maps(model)
    result = crosslens.method("attention_relevance")(model, x, TARGET)
    seed = np.eye(5, dtype=np.float32)[[TARGET, TARGET]]
    pull = model.vjp(x, {crosslens.OUTPUT: seed}, wrt=names, capture=names)
    for n in range(2):
        flow = np.eye(front + grid[0] * grid[1])
        for name in names:
            each = [
                np.maximum(g * a, 0) for g, a in zip(pull.gradients[name][n], pull.activations[name][n], strict=True)
            ]
            flow = flow + np.mean(each, axis=0) @ flow
        expected = read(flow, front, *grid)
        np.testing.assert_allclose(result.values[n], expected, rtol=1e-3, atol=1e-6)


def test_an_onnx_file_gives_what_torch_gives(exported):
    model = wrapped()
    assert len(attention_maps(exported)) == len(attention_maps(model)) == 2
    for name, target in (("attention_rollout", None), ("attention_relevance", TARGET)):
        a, b = (crosslens.method(name)(m, images(), target).values for m in (model, exported))
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)


def test_what_lies_inside_attention_is_never_taken_for_maps(exported):
    for model in (wrapped(), exported):
        assert len(list(spatial_layers(model))) == 1


def test_grad_cam_of_a_transformer_explains_what_its_last_attention_reads(exported):
    for model in (wrapped(), exported):
        found = crosslens.method("grad_cam")(model, images(), TARGET)
        names = list(model.layers)
        read = [n for n in names[: names.index(attention_maps(model)[-1])] if "LayerNorm" in model.layers[n].kind][-1]
        np.testing.assert_array_equal(
            found.values, crosslens.method("grad_cam", layer=read)(model, images(), TARGET).values
        )
        assert found.values.shape[1:] == (4, 4)
        assert found.values.any()


@pytest.mark.parametrize(("front", "size", "grid"), SIZES)
def test_grad_cam_of_a_layer_of_tokens_has_the_shape_of_the_patches(front, size, grid):
    found = crosslens.method("grad_cam", layer="blocks.0")(wrapped(front, size), images(size), TARGET)
    assert found.values.shape == (2, *grid)


def test_tokens_lie_row_by_row_behind_those_in_front():
    tokens = np.arange(2 * 25, dtype=np.float32).reshape(2, 25, 1)
    maps = tokens_to_maps(tokens, (24, 16))
    assert maps.shape == (2, 1, 6, 4)
    np.testing.assert_array_equal(maps[1, 0, 2], 25 + 1 + 8 + np.arange(4))
    assert patch_grid(197) == patch_grid(197, (224, 224)) == (14, 14)
    assert patch_grid(201) == (14, 14)
    assert patch_grid(141, (224, 160)) == (14, 10)
    assert patch_grid(71, (160, 112)) == (10, 7)


@pytest.mark.parametrize(("count", "size"), [(600, None), (3, None), (20000, (224, 160))])
def test_tokens_that_are_no_grid_are_refused(count, size):
    with pytest.raises(
        LayerError, match=f"{count} tokens are no .* grid of patches with up to 16 extra tokens in front"
    ):
        patch_grid(count, size)


def test_a_network_without_attention_is_refused():
    from crosslens.testing import TinyModel

    for name in ("attention_rollout", "attention_relevance"):
        with pytest.raises(LayerError, match="it has no layer of tokens"):
            crosslens.method(name)(TinyModel(), np.zeros((1, 3, 8, 8), np.float32))


class Detector(nn.Module):
    """Boxes from queries that attend to a picture's patches, after Carion et al., 2020 (DETR)."""

    def __init__(self, time_first):
        super().__init__()
        self.patches, self.time_first = nn.Conv2d(3, WIDTH, 8, 8), time_first
        self.pair = nn.Transformer(WIDTH, HEADS, 1, 1, 16, batch_first=not time_first)
        self.queries, self.scores = nn.Parameter(torch.randn(5, WIDTH)), nn.Linear(WIDTH, 4)

    def forward(self, x):
        tokens, queries = self.patches(x).flatten(2).transpose(1, 2), self.queries.expand(x.shape[0], -1, -1)
        if not self.time_first:
            return self.scores(self.pair(tokens, queries))
        return self.scores(self.pair(tokens.transpose(0, 1), queries.transpose(0, 1)).transpose(0, 1))


@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize("name", ["attention_rollout", "attention_relevance"])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_an_encoder_with_a_decoder_is_refused(name, time_first):
    """Five queries beside sixteen patches: the queries were taken for a class token and a grid of two by two."""
    model = crosslens.wrap(Detector(time_first), preprocess=None, input_shape=(3, 32, 32))
    with pytest.raises(
        LayerError, match=r"between different sets of tokens, .* but .*, as in an encoder with a decoder"
    ):
        crosslens.method(name)(model, np.zeros((1, 3, 32, 32), np.float32), target="neuron:<output>:1:2")
