"""The rules in float16 and 8-bit networks give what they give in float32, as exactly as the elements allow."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.model import ABSORBED, Branch, InputSpec, KernelRule
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantFormat, quantize_static
from torch import nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3, 12, 12)).astype(np.float32)
DY = RNG.normal(size=(4, 5)).astype(np.float32)


def table(weights):
    kernel = weights["kernel"]
    up, down = np.maximum(kernel, 0), np.minimum(kernel, 0)
    both = Branch((("positive", up), ("negative", down)), bias=weights.get("bias"))
    return KernelRule((both, Branch(weight=0.5)), 0.1)


def file():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, 2, 1),
        nn.InstanceNorm2d(8, affine=True), nn.Tanh(), nn.Flatten(), nn.LayerNorm(72), nn.Linear(72, 5),
        nn.Softmax(-1),
    ).eval()  # fmt: skip
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's older exporter
        torch.onnx.export(net, torch.tensor(X), buffer, dynamo=False, input_names=["x"], opset_version=17,
                          dynamic_axes={"x": {0: "N"}})  # fmt: skip
    return onnx.load_from_string(buffer.getvalue())


def converted(model, elem):
    """All float32 of a model as another type, input and output too."""
    dtype = helper.tensor_dtype_to_np_dtype(elem)
    tensors = [*model.graph.initializer, *(a.t for n in model.graph.node for a in n.attribute if a.HasField("t"))]
    for tensor in tensors:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(dtype), tensor.name))
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = elem
    return model


class Images:
    """What the ranges of a static quantisation are taken from."""

    def __init__(self):
        self.left = [{"x": X}]

    def get_next(self):
        return self.left.pop() if self.left else None


def quantised(model, folder):
    onnx.save(model, folder / "plain.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of onnxruntime, that the model was not optimised before
        quantize_static(
            folder / "plain.onnx", folder / "int8.onnx", Images(), quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "Sigmoid", "Mul"], per_channel=True,
        )  # fmt: skip
    return onnx.load(folder / "int8.onnx")


OPTIONS = {
    "plain": {},
    "kernels": {},
    "ratio": {"slope": "ratio"},
    "secant": {"slope": "secant"},
    "stop and half": {"norms": "stop", "products": "half"},
}


def gradients(model, option):
    kernels = {}
    if option == "kernels":
        named = {name: model.weights(name) for name in model.layers}
        kernels = {name: table(weights) for name, weights in named.items() if "kernel" in weights}
        assert len(kernels) == 3
    changed = model.modified(**OPTIONS[option], kernels=kernels)
    got = changed.vjp(X, {OUTPUT: DY}, wrt=[INPUT, ABSORBED] if kernels else [INPUT]).gradients
    assert {value.dtype for value in got.values()} == {np.dtype(np.float32)}
    return got


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(("elem", "by"), [("float16", 3e-2), ("int8", 0.35)])
def test_the_rules_are_those_of_float32(elem, by, option, tmp_path):
    make = {
        "float16": lambda: converted(file(), TensorProto.FLOAT16),
        "int8": lambda: quantised(file(), tmp_path),
    }[elem]
    spec = InputSpec.latent((3, 12, 12))
    want, got = (gradients(wrap(each, input_shape=spec), option) for each in (file(), make()))
    for name, values in want.items():
        assert np.linalg.norm(got[name] - values) < by * np.linalg.norm(values), name
