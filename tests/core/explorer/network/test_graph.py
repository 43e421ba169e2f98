"""The map of a network: who reads whom, groups that fold, and which of them are alike."""

import crosslens
import pytest
from crosslens.explorer.network.cost import Costs
from crosslens.explorer.network.graph import network
from crosslens.explorer.network.groups import layer_groups
from crosslens.explorer.network.structure import Structure
from crosslens.model.layer import Layer
from crosslens.testing import TinyModel
from torch import nn

from tests.core.explorer.network import networks
from tests.core.explorer.network.books import book_of


def map_of(net, size=16):
    book = book_of(networks.wrapped(net, size))
    made = network(book)
    return book, made, {group["title"]: group for group in made["groups"]}


def test_blocks_are_groups_with_the_sums_of_their_layers():
    net = networks.mobile()
    book, made, groups = map_of(net)
    assert list(groups) == ["blocks", *(f"blocks.{n}" for n in range(6))]
    assert [group["parent"] for group in made["groups"]] == [None, *[0] * 6]
    for n, block in enumerate(net.blocks):
        assert groups[f"blocks.{n}"]["parameters"] == sum(p.numel() for p in block.parameters())
        names = [name for name in book.model.layers if name == f"blocks.{n}" or name.startswith(f"blocks.{n}.")]
        assert groups[f"blocks.{n}"]["flops"] == sum(Costs.of(book.model).flops[name] for name in names)
    assert made["group_of"][book.ids["blocks.2.bn1"]] == 1 + 2
    assert made["group_of"][book.ids["stem"]] is None


def test_alike_are_blocks_of_one_structure():
    """The second and third, the last two; not the first, which adds nothing, nor the fourth, which halves the map."""
    _, _, groups = map_of(networks.mobile())
    numbers = [groups[f"blocks.{n}"]["alike"] for n in range(6)]
    assert numbers[1] == numbers[2]
    assert numbers[4] == numbers[5]
    assert len(set(numbers)) == 4


def test_edges_are_what_layers_read():
    book, made, _ = map_of(networks.mobile())
    reads = {name: [list(book.model.layers)[n] for n in made["reads"][book.ids[name]]] for name in book.model.layers}
    assert reads["blocks.1"] == ["blocks.0", "blocks.1.bn2"]
    assert reads["stem"] == ["<input>"]
    assert reads["<input>"] == []


@pytest.mark.filterwarnings("ignore")  # the exporter's own deprecations
def test_names_of_an_onnx_file_make_the_same_groups(tmp_path):
    """The exporter says "/blocks/blocks.1/expand/Conv"."""
    model = networks.exported(networks.mobile(), tmp_path / "net.onnx")
    titles = {group["title"] for group in network(book_of(model))["groups"]}
    assert {"blocks", *(f"blocks.{n}" for n in range(6))} <= titles


def test_what_a_path_leaves_and_enters_again_is_no_group():
    class Woven(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
            self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(3))

        def forward(self, x):
            for conv, norm in zip(self.convs, self.norms, strict=True):
                x = norm(conv(x))
            return x.mean((2, 3))

    assert map_of(Woven().eval())[1]["groups"] == []


def test_a_block_that_runs_twice_is_two_groups():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())
            self.end = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.end(self.block(self.block(x))).mean((2, 3))

    _, _, groups = map_of(Twice().eval())
    assert list(groups) == ["block", "block #2"]
    assert groups["block"]["alike"] == groups["block #2"]["alike"]


def test_where_the_backend_cannot_tell_layers_read_the_one_before(monkeypatch):
    monkeypatch.setattr(TinyModel, "reads", lambda self, layer: None)
    made = network(book_of(TinyModel()))
    assert made["reads"] == [[], *([n] for n in range(7))]
    assert made["notes"] == ["the tiny backend cannot tell what 7 layers read: they are drawn in execution order"]
    assert made["groups"] == []


class Listed:
    """A model of which only layers are known."""

    def __init__(self, *layers):
        every = [Layer("<input>", "Input", (None, 3, 8, 8)), *layers, Layer("<output>", "Output", (None, 2))]
        self.layers = {layer.name: layer for layer in every}

    def weights(self, name):
        return {}


def titles_of(*layers, reads=None):
    """Of a chain of layers, or of ones that read as said."""
    model = Listed(*layers)
    names = list(model.layers)
    chain = {name: tuple(names[n - 1 : n]) for n, name in enumerate(names)}
    structure = Structure(model, {**chain, **(reads or {})}, ())
    return {group.title: group.layers for group in layer_groups(structure)}


def conv(name, *aliases, kind="Conv"):
    return Layer(name, kind, (None, 4, 8, 8), aliases)


def test_what_lies_between_and_has_no_such_name_joins_a_group():
    found = titles_of(conv("stem"), conv("block.a"), conv("node_7"), conv("block.b"), conv("end"))
    assert found == {"block": ("block.a", "node_7", "block.b")}


def test_what_lies_between_and_has_a_neighbour_elsewhere_joins_none():
    """A rectifier of the network itself, between two blocks, that is added to the end."""
    layers = [conv("stem"), conv("block.a"), conv("/relu"), conv("block.b"), conv("/add"), conv("end")]
    assert titles_of(*layers) == {"block": ("block.a", "/relu", "block.b")}
    assert titles_of(*layers, reads={"/add": ("block.b", "/relu")}) == {}


def test_other_names_of_a_layer_put_it_into_groups_too():
    found = titles_of(conv("conv"), conv("dense", "net/dense_1/Relu"), conv("net/dense_1/Add"), conv("end"))
    assert found == {"net/dense_1": ("dense", "net/dense_1/Add")}


def test_underscores_tell_groups_of_layers_that_follow_each_other():
    names = [f"conv2_block{n}_{part}" for n in (1, 2) for part in ("conv", "bn", "out")]
    found = titles_of(conv("stem"), *(conv(name, kind=name.rpartition("_")[2]) for name in names), conv("end"))
    assert list(found) == ["conv2", "conv2_block1", "conv2_block2"]
    assert found["conv2_block2"] == tuple(names[3:])
    plain = [f"{kind}_{n}" for n in range(4) for kind in ("conv2d", "batch_normalization", "re_lu")]
    assert titles_of(*(conv(name, kind=name) for name in plain)) == {}


def test_a_keras_layer_with_an_activation_of_its_own_is_one_group_with_its_bias():
    groups = layer_groups(Structure.of(crosslens.wrap(networks.plain_keras(nested=True), preprocess="none")))
    names = [f"inner/{name}" for name in ("conv_a", "conv_b", "depthwise")]
    assert [group.title for group in groups] == ["inner", *names, "hidden", "out"]
    for group in groups[1:]:
        assert group.layers == (f"{group.title}/add", group.title)
        assert group.parent == (0 if group.title in names else None)
