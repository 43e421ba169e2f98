"""Layers are called as the modules and functions that they were exported from; the node's name stays an alias."""

import io
import warnings
from functools import cache

import crosslens
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from crosslens import INPUT, OUTPUT
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F  # noqa: N812

X = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
EXPORTERS = ["dynamo", "legacy"]


class Residual(nn.Module):
    """As in ResNet: one rectifier called twice, a sum, a branch."""

    def __init__(self, width, out, stride=1):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(width, out, 3, stride, 1), nn.BatchNorm2d(out)
        self.conv2, self.act = nn.Conv2d(out, out, 3, 1, 1), nn.ReLU(inplace=True)
        self.down = nn.Sequential(nn.Conv2d(width, out, 1, stride), nn.Softplus()) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = self.conv2(self.act(self.norm1(self.conv1(x))))
        y += self.down(x)
        return self.act(y)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.pool = nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)
        self.layer1 = nn.Sequential(Residual(4, 4), Residual(4, 6, 2))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(6, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.avgpool(self.layer1(self.pool(self.stem(x)))), 1))


class Functional(nn.Module):
    """Functions between modules, some composed of others, and a block that is called again."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act = nn.Conv2d(4, 4, 3, 1, 1), nn.GELU()

        def forward(self, x):
            y = F.relu(self.act(self.conv(x)) + 1)
            return torch.cat([F.silu(x[:, :2] + y[:, :2]), y[:, 2:]], 1) * 2

    class Normalised(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1)

        def forward(self, x):
            return F.relu(F.normalize(self.conv(x)) / 3 + x) - 1

    def __init__(self):
        super().__init__()
        self.stem, self.block, self.unit = nn.Conv2d(3, 4, 3), self.Block(), self.Normalised()
        self.twice, self.fc = self.Block(), nn.Linear(4, 5)

    def forward(self, x):
        x = self.unit(self.block(F.avg_pool2d(self.stem(x), 2)))
        x = torch.sigmoid(self.block(x))
        return self.fc(F.adaptive_avg_pool2d(self.twice(self.twice(x)), 1).flatten(1))


def exported(net, exporter):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"verbose": False} if exporter == "dynamo" else {}
        torch.onnx.export(net, (torch.zeros(2, 3, 16, 16),), buffer, dynamo=exporter == "dynamo", **options)
    return onnx.load_from_string(buffer.getvalue())


@cache
def pair(build, exporter):
    """(torch model, ONNX model, their activations by layer)"""
    torch.manual_seed(0)
    net = build().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
    models = (
        crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16)),
        crosslens.wrap(exported(net, exporter), preprocess=None),
    )
    return *models, *({name: np.asarray(v) for name, v in m.forward(X, list(m.layers)).items()} for m in models)


def same(a, b):
    return a.size == b.size and np.allclose(a.ravel(), b.ravel(), rtol=1e-3, atol=1e-4 * np.abs(a).max())


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("build", [ResNet, Functional])
def test_a_name_that_torch_has_too_is_the_same_place(build, exporter):
    a, _, of_a, of_b = pair(build, exporter)
    shared = [name for name in of_b if name in a.layers]
    assert len(shared) > 10
    assert [name for name in shared if not same(of_a[name], of_b[name])] == []


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("build", [ResNet, Functional])
def test_each_module_of_torch_whose_value_is_in_the_file_has_its_name(build, exporter):
    a, b, of_a, of_b = pair(build, exporter)
    merged = {f"twice{turn}" for turn in ("", "#2")}  # twice(twice(x)): dynamo does not record where the second begins
    folded = {"layer1.0.norm1", "layer1.1.norm1"} if exporter == "legacy" else set()  # it does not say into what
    left_out = {INPUT, OUTPUT, *merged}
    modules = [layer for layer in a.layers.values() if "/" not in layer.name and layer.kind != "Identity"]
    places = [layer.name for layer in modules if layer.name not in left_out]
    there = [name for name in places if any(same(of_a[name], values) for values in of_b.values())]
    known = {*b.layers, *(alias for layer in b.layers.values() for alias in layer.aliases)}
    assert [name for name in there if name not in known | folded] == []
    assert [name for name in there if name not in folded and not same(of_a[name], of_b[b.layer(name).name])] == []


def test_a_residual_network_is_listed_as_torch_lists_it():
    _, model, *_ = pair(ResNet, "dynamo")
    block = ["layer1.0.norm1", "layer1.0.act", "layer1.0.conv2", "layer1.0/add", "layer1.0.act#2"]
    assert list(model.layers)[:8] == [INPUT, "stem", "pool", *block]
    assert model.layers["layer1.0.act#2"].aliases[0] == "node_relu_1"
    assert "layer1.0" in model.layers["layer1.0.act#2"].aliases


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_functions_are_named_as_torch_names_them(exporter):
    a, b, *_ = pair(Functional, exporter)
    functions = {name for name in b.layers if "/" in name and name in a.layers}
    assert functions >= {
        "/avg_pool2d",
        "block/relu",
        "block/silu",
        "block/cat",
        "block/relu#2",
        "unit/relu",
        "/sigmoid",
    }
    assert "unit/div" not in b.layers  # F.normalize divides too


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_names_of_nodes_and_tensors_stay_valid(exporter):
    torch.manual_seed(0)
    proto = exported(ResNet().eval(), exporter)
    model = crosslens.wrap(proto, preprocess=None)
    computed = [node for node in proto.graph.node if node.op_type in {"Conv", "Relu", "MaxPool", "Add", "Gemm"}]
    proto.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in computed[:-1])
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    want = dict(zip(names, session.run(None, {session.get_inputs()[0].name: X}), strict=True))
    for node in computed:
        for name in (node.name, node.output[0]):
            np.testing.assert_allclose(model.forward(X, [name])[name], want[node.output[0]], rtol=1e-3, atol=1e-5)


def graph(*nodes):
    """A network of one-channel nodes (operator, name, reads), each reading tensors called as nodes."""
    kernel = numpy_helper.from_array(np.full((1, 1, 1, 1), 2.0, np.float32), "kernel")
    made = [
        helper.make_node(op, [*reads, *["kernel"] * (op == "Conv")], [name], name=name) for op, name, *reads in nodes
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 1, 4, 4]) for n in ("x", nodes[-1][1])]
    whole = helper.make_graph(made, "g", ends[:1], ends[1:], [kernel])
    proto = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return crosslens.wrap(proto, preprocess=None)


def test_a_file_of_tf2onnx_has_the_names_of_keras_layers():
    model = graph(
        ("Conv", "net_1/first_1/BiasAdd", "x"),
        ("Relu", "net_1/first_1/Relu", "net_1/first_1/BiasAdd"),
        ("Conv", "net_1/apart_1/separable_conv2d/depthwise", "net_1/first_1/Relu"),
        ("Conv", "Conv__12", "net_1/apart_1/separable_conv2d/depthwise"),
        ("Mul", "net_1/norm_1/batchnorm/mul_1", "Conv__12", "kernel"),
        ("Add", "net_1/norm_1/batchnorm/add_1", "net_1/norm_1/batchnorm/mul_1", "kernel"),
        ("Sigmoid", "net_1/last_1/Sigmoid", "net_1/norm_1/batchnorm/add_1"),
    )
    assert list(model.layers)[1:-1] == [
        "net_1/first_1/BiasAdd",
        "first",
        "net_1/apart_1/separable_conv2d/depthwise",  # the layer ends in Conv__12, which lost its name
        "Conv__12",
        "net_1/norm_1/batchnorm/mul_1",
        "norm",
        "last",
    ]
    assert model.layers["norm"].aliases[0] == "net_1/norm_1/batchnorm/add_1"
    assert "net_1/norm_1" in model.layers["norm"].aliases


def test_a_name_that_two_layers_would_have_is_given_to_neither():
    model = graph(("Conv", "/a/Conv", "x"), ("Relu", "/b/Relu", "/a/Conv"), ("Sigmoid", "a", "/b/Relu"))
    assert list(model.layers)[1:-1] == ["/a/Conv", "b", "a"]
    assert model.layer("a").kind == "Sigmoid"


def test_a_module_with_two_values_gives_its_name_to_neither():
    model = graph(
        ("Conv", "/a/Conv", "x"), ("Relu", "/a/Relu", "/a/Conv"), ("Add", "/b/Add", "/a/Conv", "/a/Relu"),
        ("Relu", "/b/Relu", "/b/Add"),
    )  # fmt: skip
    assert list(model.layers)[1:-1] == ["/a/Conv", "/a/Relu", "/b/Add", "b"]
    assert model.layer("a").name == "/a/Relu"


class Numbered(nn.Module):
    """Modules whose names end as those of second calls do, and a value that is cut apart between two blocks."""

    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            a, b = x.chunk(2, 1)
            return torch.cat([a, self.conv(b)], 1).flip(1)

    def __init__(self):
        super().__init__()
        self.conv, self.conv_1, self.conv_2 = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.stage, self.fc = nn.Sequential(self.Half(), self.Half()), nn.Linear(4, 5)

    def forward(self, x):
        x = self.conv_2(torch.tanh(self.conv_1(torch.tanh(self.conv(x)))))
        return self.fc(self.stage(x).mean((2, 3)))


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_module_named_as_a_second_call_is_the_module(exporter):
    _, b, of_a, of_b = pair(Numbered, exporter)
    for name in ("conv", "conv_1", "conv_2"):
        assert same(of_a[name], of_b[name])
    assert not [name for name in b.layers if name.startswith("conv#")]


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_a_node_without_a_record_ends_no_module(exporter):
    a, b, of_a, of_b = pair(Numbered, exporter)
    for name in ("stage.0", "stage.1", "stage"):
        assert same(of_a[a.layer(name).name], of_b[b.layer(name).name])
    assert not [name for name in b.layers if name.startswith("stage#")]


def test_an_optimiser_that_renames_nodes_leaves_the_names_of_modules():
    torch.manual_seed(0)
    proto = exported(ResNet().eval(), "legacy")
    for count, node in enumerate(proto.graph.node):
        node.name = f"{node.op_type}_{count}" if node.op_type in {"Relu", "Add"} else node.name
    model, want = crosslens.wrap(proto, preprocess=None), pair(ResNet, "legacy")[1]
    assert list(model.layers) == list(want.layers)


def test_a_module_that_may_end_in_a_node_without_a_record_gives_its_name_to_no_other():
    model = graph(
        ("Conv", "/a/b/Conv", "x"), ("Add", "/a/Add", "/a/b/Conv", "/a/b/Conv"), ("Relu", "late", "/a/Add"),
        ("Sigmoid", "/c/Sigmoid", "late"),
    )  # fmt: skip
    assert list(model.layers)[1:-1] == ["a.b", "a/add", "late", "c"]


def test_a_quantised_convolution_with_a_folded_normalisation_is_not_called_as_the_convolution():
    nodes = [
        helper.make_node("Conv", ["x", "onnx::Conv_9"], ["/a/conv/Conv_output_0"], name="/a/conv/Conv"),
        helper.make_node("Neg", ["/a/conv/Conv_output_0"], ["m"], name="/a/conv/Conv_output_0_DequantizeLinear"),
        helper.make_node("Relu", ["m"], ["y"], name="/a/act/Relu"),
    ]
    kernel = numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "onnx::Conv_9")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 1, 4, 4]) for n in "xy"]
    whole = helper.make_graph(nodes, "g", ends[:1], ends[1:], [kernel])
    proto = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    model = crosslens.wrap(proto, preprocess=None, input_shape=(1, 4, 4))
    assert "a.conv" not in {*model.layers, *(alias for layer in model.layers.values() for alias in layer.aliases)}
