"""Networks in float16 and mixed precision: float32 at the border, gradients as exact as the elements allow."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.errors import ModelError
from crosslens.model import InputSpec
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers.float16 import convert_float_to_float16

X = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
DY = np.random.default_rng(1).standard_normal((2, 5)).astype(np.float32)


class Network(torch.nn.Module):
    """Convolutions, norms, poolings that overlap and not, averages, smooth activations, a normalised matrix product."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.SiLU(), nn.MaxPool2d(2), nn.Conv2d(16, 16, 3, 2, 1),
            nn.InstanceNorm2d(16, affine=True), nn.Softplus(), nn.AvgPool2d(3, 1, 1), nn.Flatten(), nn.LayerNorm(256),
            nn.Linear(256, 5), nn.Softmax(-1),
        )  # fmt: skip

    def forward(self, x):
        return self.body(x)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("types") / "plain.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's older exporter
        torch.onnx.export(
            Network().eval(), torch.tensor(X), str(path), dynamo=False, input_names=["x"], opset_version=17
        )
    return onnx.load(path)


def converted(model, elem):
    """All float32 of a model as another type, input and output too."""
    model, dtype = onnx.ModelProto.FromString(model.SerializeToString()), helper.tensor_dtype_to_np_dtype(elem)
    tensors = [*model.graph.initializer, *(a.t for n in model.graph.node for a in n.attribute if a.HasField("t"))]
    for tensor in tensors:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(dtype), tensor.name))
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = elem
    return model


def mixed(model):
    """float16 but for its first convolution, between casts."""
    model = converted(model, TensorProto.FLOAT16)
    conv = next(n for n in model.graph.node if n.op_type == "Conv")
    casts = [helper.make_node("Cast", [i], [f"{i}:wide"], to=TensorProto.FLOAT) for i in conv.input]
    back = helper.make_node("Cast", [f"{conv.output[0]}:wide"], [conv.output[0]], to=TensorProto.FLOAT16)
    position = list(model.graph.node).index(conv)
    conv.input[:] = [f"{i}:wide" for i in conv.input]
    conv.output[:] = [f"{o}:wide" for o in conv.output]
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:position], *casts, conv, back, *nodes[position + 1 :]])
    del model.graph.value_info[:]
    return model


KINDS = {
    "float16": (lambda m: converted(m, TensorProto.FLOAT16), 3e-2),
    "mixed": (mixed, 3e-2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_agree_with_float32_and_the_border_is_float32(plain, kind):
    make, tolerance = KINDS[kind]
    model, exact = wrap(make(plain), preprocess=None), wrap(plain, preprocess=None)
    want = exact.vjp(X, {OUTPUT: DY}, capture=[OUTPUT])
    got = model.vjp(X, {OUTPUT: DY}, capture=[OUTPUT])
    with model.linearize(X, [OUTPUT]) as at:
        again = at.vjp({OUTPUT: DY})[INPUT]
    for have, should in (
        (got.gradients[INPUT], want.gradients[INPUT]),
        (again, want.gradients[INPUT]),
        (got.activations[OUTPUT], want.activations[OUTPUT]),
        (model.forward(X)[OUTPUT], want.activations[OUTPUT]),
    ):
        assert have.dtype == np.float32
        assert np.abs(have - should).max() <= tolerance * np.abs(should).max()


def test_float64_where_onnxruntime_has_no_kernel_is_refused_by_name(plain):
    model = wrap(converted(plain, TensorProto.DOUBLE), preprocess=None)
    with pytest.raises(ModelError, match=r"onnxruntime cannot open the network: .* implementation for Conv\(11\)"):
        model.forward(X)


class Overlapping(torch.nn.Module):
    """What adds up several cotangents at one place: poolings that overlap, rows taken twice, reads between pixels."""

    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Linear(8 * 16, 5)

    def forward(self, x):
        y = torch.nn.functional.max_pool2d(torch.tanh(self.first(x)), 3, 2, 1)[:, [0, 1, 1, 2, 3, 3, 4, 7]]
        grid = torch.linspace(-1, 1, 32).type_as(x).view(1, 4, 4, 2).expand(x.shape[0], -1, -1, -1)
        return self.last(torch.nn.functional.grid_sample(y, grid, align_corners=False).flatten(1))


@pytest.mark.parametrize("keep", [True, False], ids=["float32 at its ends", "float16 throughout"])
def test_networks_by_onnxruntimes_own_float16_converter(tmp_path, keep):
    """It writes nodes before those that they read, which onnx calls invalid and onnxruntime takes."""
    torch.manual_seed(0)
    path = tmp_path / "plain.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's older exporter
        torch.onnx.export(Overlapping().eval(), torch.tensor(X), str(path), dynamo=False, opset_version=17)
    half = convert_float_to_float16(onnx.load(path), keep_io_types=keep)
    model, exact = wrap(half, preprocess=None), wrap(path, preprocess=None)
    want, got = (m.vjp(X, {OUTPUT: DY}, capture=[OUTPUT]) for m in (exact, model))
    assert got.gradients[INPUT].dtype == np.float32
    for have, should in (
        (got.gradients[INPUT], want.gradients[INPUT]),
        (got.activations[OUTPUT], want.activations[OUTPUT]),
    ):
        assert np.linalg.norm(have - should) < 2e-2 * np.linalg.norm(should)


def test_behind_a_constant_on_the_left_of_a_product_halves_are_halves():
    """As a decoder's queries are that hang on no image: the gradient is made of a constant that was turned ahead."""
    left = np.random.default_rng(2).standard_normal((5, 3)).astype(np.float16)
    nodes = [
        helper.make_node("LayerNormalization", ["x", "scale"], ["h"], axis=-1),
        helper.make_node("MatMul", ["left", "h"], ["y"]),
    ]
    constants = {"left": left, "scale": np.array([1, 2, 3, 4], np.float16)}
    graph = helper.make_graph(
        nodes, "half", [helper.make_tensor_value_info("x", TensorProto.FLOAT16, ["n", 3, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, ["n", 5, 4])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )  # fmt: skip
    model = wrap(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        input_shape=InputSpec.latent((3, 4)),
    )
    rng = np.random.default_rng(3)
    x, dy = (rng.standard_normal((2, rows, 4)).astype(np.float32) for rows in (3, 5))
    exact = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    h = torch.nn.functional.layer_norm(exact, (4,), torch.tensor(constants["scale"], dtype=torch.float64))
    (want,) = torch.autograd.grad(torch.tensor(left, dtype=torch.float64) @ h, exact, torch.tensor(dy).double())
    got = model.vjp(x, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_allclose(got, want.numpy(), atol=2e-2 * float(want.abs().max()))
