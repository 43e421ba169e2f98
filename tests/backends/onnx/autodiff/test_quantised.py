"""Gradients of quantised networks: straight through the rounding, against torch's fake_quantize and the float net."""

import warnings

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.backends.onnx.autodiff.registry import rule_for
from crosslens.backends.onnx.ir.graph import Node
from crosslens.backends.zoo import onnx_files
from crosslens.model import InputSpec
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization import shape_inference as preprocessing
from skimage import data
from skimage.transform import resize

IMAGES = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)


def quantised_and_back(scale, zero, elem, shape, opset=21, **how):
    """x -> QuantizeLinear -> DequantizeLinear -> something else."""
    constants = [numpy_helper.from_array(np.asarray(scale, np.float32), "s"), helper.make_tensor(
        "z", elem, np.shape(zero), np.ravel(zero)), numpy_helper.from_array(np.float32([0]), "nothing")]  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **how),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], **how),
        helper.make_node("Add", ["d", "nothing"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy"]
    graph = helper.make_graph(nodes, "one", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def gradient(model, x, dy):
    return model.vjp(x, {OUTPUT: dy}).gradients[INPUT]


TYPES = {
    "uint8": (TensorProto.UINT8, 0, 255, 128),
    "int8": (TensorProto.INT8, -128, 127, 5),
    "uint16": (TensorProto.UINT16, 0, 65535, 32000),
    "int16": (TensorProto.INT16, -32768, 32767, 0),
    "int4": (TensorProto.INT4, -8, 7, 1),
}


@pytest.mark.parametrize("name", TYPES)
def test_quantisation_is_straight_through_inside_its_range_as_torchs(name):
    elem, low, high, zero = TYPES[name]
    scale = 2.0 / (high - low)
    x = np.random.default_rng(1).uniform(-2, 2, (2, 3, 6, 5)).astype(np.float32)
    dy = np.random.default_rng(2).standard_normal(x.shape).astype(np.float32)
    exact = torch.tensor(x, requires_grad=True)
    y = torch.fake_quantize_per_tensor_affine(exact, scale, zero, low, high)
    y.backward(torch.tensor(dy))
    model = wrap(quantised_and_back(scale, zero, elem, ["N", 3, 6, 5]), preprocess=None)
    np.testing.assert_allclose(model.forward(x)[OUTPUT], y.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(gradient(model, x, dy), exact.grad.numpy(), rtol=1e-6)
    assert 0.2 < (exact.grad == 0).float().mean() < 0.8


@pytest.mark.parametrize("axis", [1, -3])
def test_quantisation_with_a_scale_for_each_channel(axis):
    scale, zero = np.array([0.01, 0.02, 0.004], np.float32), np.array([0, 3, -7])
    x = np.random.default_rng(1).uniform(-2, 2, (2, 3, 6, 5)).astype(np.float32)
    dy = np.random.default_rng(2).standard_normal(x.shape).astype(np.float32)
    exact = torch.tensor(x, requires_grad=True)
    torch.fake_quantize_per_channel_affine(
        exact, torch.tensor(scale), torch.tensor(zero, dtype=torch.int32), 1, -128, 127
    ).backward(torch.tensor(dy))
    model = wrap(quantised_and_back(scale, zero, TensorProto.INT8, ["N", 3, 6, 5], axis=axis), preprocess=None)
    np.testing.assert_allclose(gradient(model, x, dy), exact.grad.numpy(), rtol=1e-6)


def test_quantisation_in_blocks_has_the_range_of_each_block():
    scale = np.array([0.01, 0.001], np.float32).reshape(1, 1, 1, 2) * np.ones((1, 3, 7, 2), np.float32)
    made = quantised_and_back(scale, np.zeros((1, 3, 7, 2), int), TensorProto.INT8, [1, 3, 7, 6], axis=3, block_size=3)
    x = np.full((1, 3, 7, 6), 0.5, np.float32)
    want = np.broadcast_to(np.float32([1, 1, 1, 0, 0, 0]), x.shape)
    np.testing.assert_allclose(gradient(wrap(made, preprocess=None), x, np.ones_like(x)), want, rtol=1e-6)


@pytest.mark.parametrize(("behind", "want"), [(True, [0, 1]), (False, [1, 1])], ids=["maps", "the image"])
def test_a_range_that_starts_at_zero_is_a_relu_but_for_the_image(behind, want):
    """Maps end at 0 where a quantiser has folded a ReLU in; black pixels are at the end of an image's range."""
    proto = quantised_and_back(0.01, 0, TensorProto.UINT8, [1, 3, 1, 2])
    if behind:
        pool = helper.make_node("MaxPool", [proto.graph.node[0].input[0]], ["pooled"], kernel_shape=[1, 1])
        proto.graph.node[0].input[0] = "pooled"
        proto.graph.node.insert(0, pool)
    model = wrap(proto, preprocess=None)
    x = np.float32([-0.004, 0.004]) * np.ones((1, 3, 1, 2), np.float32)
    np.testing.assert_allclose(gradient(model, x, np.ones_like(x))[0, 0, 0], want, rtol=1e-6)


@pytest.mark.parametrize("behind", [[], ["Softmax"]])
def test_the_surest_class_has_a_gradient_beyond_the_range_of_the_last_quantisation(behind):
    """Its score lies at the range's end wherever the calibration saw no larger one."""
    proto = quantised_and_back(0.01, 0, TensorProto.INT8, ["N", 3])
    del proto.graph.node[2:]
    proto.graph.node.extend(helper.make_node(op, ["d"], ["y"]) for op in behind or ["Identity"])
    x, dy = np.float32([[2.0, -3.0, 0.5]]), np.float32([[1, 2, 3]])
    exact = torch.tensor([[1.27, -1.28, 0.5]], requires_grad=True)
    (torch.softmax(exact, 1) if behind else exact * 1).backward(torch.tensor(dy))
    model = wrap(proto, input_shape=InputSpec.latent((3,)))
    np.testing.assert_allclose(gradient(model, x, dy), exact.grad.numpy(), rtol=1e-5)


class Network(torch.nn.Module):
    """Every kind of node that onnxruntime's quantiser treats: convolutions, a residual sum, pooling, a matrix."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.second = torch.nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.last = torch.nn.Linear(8 * 16, 5)

    def forward(self, x):
        y = torch.max_pool2d(torch.relu(self.first(x)), 2)
        y = torch.cat([y[:, :4], (y + torch.sigmoid(self.second(y)))[:, 4:]], 1)
        return self.last(torch.nn.functional.avg_pool2d(y, 2).flatten(1))


class Calibration(CalibrationDataReader):
    """The images themselves, so that nothing is cut off."""

    def __init__(self):
        self.left = [{"x": IMAGES}]

    def get_next(self):
        return self.left.pop() if self.left else None


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("quantised") / "plain.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that this exporter is torch's older one
        torch.onnx.export(
            Network().eval(), torch.tensor(IMAGES), str(path), dynamo=False, input_names=["x"],
            dynamic_axes={"x": {0: "N"}},
        )  # fmt: skip
    preprocessing.quant_pre_process(str(path), str(path))
    return path


def statically(plain, **how):
    path = plain.with_name("static.onnx")
    quantize_static(str(plain), str(path), Calibration(), **how)
    return path


def dynamically(plain):
    path = plain.with_name("dynamic.onnx")
    quantize_dynamic(str(plain), str(path))
    return path


INT8 = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8}
QUANTISERS = {
    "QDQ": lambda p: statically(p, quant_format=QuantFormat.QDQ),
    "QDQ, signed, per channel": lambda p: statically(p, quant_format=QuantFormat.QDQ, per_channel=True, **INT8),
    "QOperator": lambda p: statically(p, quant_format=QuantFormat.QOperator),
    "QOperator, signed, per channel": lambda p: statically(
        p, quant_format=QuantFormat.QOperator, per_channel=True, **INT8
    ),
    "dynamic": dynamically,
}


@pytest.mark.parametrize("name", QUANTISERS)
def test_the_gradient_of_a_quantised_network_is_that_of_the_float_one_but_for_rounding(plain, name):
    model, exact = wrap(QUANTISERS[name](plain), preprocess=None), wrap(plain, preprocess=None)
    dy = np.random.default_rng(3).standard_normal((2, 5)).astype(np.float32)
    want, got = gradient(exact, IMAGES, dy), gradient(model, IMAGES, dy)
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.97
    assert 0.95 < np.linalg.norm(got) / np.linalg.norm(want) < 1.05
    with model.linearize(IMAGES, [OUTPUT]) as at:
        np.testing.assert_allclose(at.vjp({OUTPUT: dy})[INPUT], got, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.forward(IMAGES)[OUTPUT], exact.forward(IMAGES)[OUTPUT], atol=0.1)


def test_what_is_approximate_says_so():
    approximate = {op: rule_for(Node(op, (), ())).approximate for op in ("QuantizeLinear", "ConvInteger", "Relu")}
    assert approximate == {"QuantizeLinear": "straight through", "ConvInteger": "straight through", "Relu": ""}


class Photographs(CalibrationDataReader):
    """Inputs of a network, one after the other."""

    def __init__(self, name, inputs):
        self.left = [{name: one[None]} for one in inputs]

    def get_next(self):
        return self.left.pop() if self.left else None


def test_lite0_in_int8_explains_as_in_floats_but_for_what_rounding_its_weights_changes(tmp_path):
    """Its logits correlate 0.8, so its gradients cannot agree as those of the small network above do."""
    plain, path = tmp_path / "plain.onnx", tmp_path / "int8.onnx"
    onnx.save(onnx_files.lite0("legacy"), plain)
    how = {"preprocess": wrap("demo:lite0_onnx").preprocess}
    exact = wrap(plain, **how)
    photographs = [resize(getattr(data, name)(), (224, 224), anti_aliasing=True) for name in ("astronaut", "chelsea")]
    images = np.moveaxis(np.float32(photographs), -1, 1)
    gain, shift = (v.reshape(1, 3, 1, 1) for v in how["preprocess"].affine(3))
    reader = Photographs(onnx.load(plain).graph.input[0].name, np.float32(images * gain + shift))
    preprocessing.quant_pre_process(str(plain), str(plain), skip_symbolic_shape=True)
    quantize_static(str(plain), str(path), reader, quant_format=QuantFormat.QDQ, per_channel=True, **INT8)
    model = wrap(path, **how)
    chosen = np.argsort(exact.forward(images)[OUTPUT], 1)[:, -3]  # the largest of all lies at the end of its range
    dy = np.eye(1000, dtype=np.float32)[chosen]
    for got, want in zip(gradient(model, images, dy), gradient(exact, images, dy), strict=True):
        assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.4
    cams = (crosslens.method("grad_cam")(m, images, target=chosen.tolist()).values for m in (model, exact))
    for got, want in zip(*cams, strict=True):
        assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.8


def test_maps_quantised_as_they_lie_channels_last_are_a_layer_and_their_scale_is_none():
    nodes = [
        helper.make_node("Transpose", ["x"], ["rows"], perm=[0, 2, 3, 1]),
        helper.make_node("DynamicQuantizeLinear", ["rows"], ["q", "scale", "zero"]),
        helper.make_node("Mul", ["scale", "two"], ["twice"]),
        helper.make_node("DequantizeLinear", ["q", "twice", "zero"], ["maps"]),
        helper.make_node("ReduceMean", ["maps"], ["y"], axes=[1, 2], keepdims=0),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in (
        ("x", ["N", 3, 6, 5]), ("y", ["N", 3]))]  # fmt: skip
    two = numpy_helper.from_array(np.asarray(2, np.float32), "two")
    graph = helper.make_graph(nodes, "one", ends[:1], ends[1:], [two])
    model = wrap(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), preprocess=None)
    found = {layer.kind: layer.shape for layer in model.layers.values()}
    assert "Mul" not in found
    assert found["DequantizeLinear"] == (None, 3, 6, 5)
    x = np.random.default_rng(1).random((1, 3, 6, 5), np.float32)
    np.testing.assert_allclose(model.forward(x)[OUTPUT], 2 * x.mean((2, 3)), atol=0.01)
