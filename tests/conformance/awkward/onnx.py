"""The awkward networks as ONNX: torch's exporter, and by hand what it would not write."""

import io
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from . import torch as nets
from .weights import CLASSES, SCALE, SIZE, W


def build(name):
    if name in BY_HAND:
        return BY_HAND[name]()
    shape = (1, SIZE // 2, SIZE, SIZE) if name == "volume" else (3, SIZE, SIZE)
    given, names = (torch.zeros(2, *shape),), ["image"]
    if name == "two_inputs":
        given, names = (*given, torch.from_numpy(SCALE).repeat(2, 1)), ["image", "scale"]
    buffer = io.BytesIO()
    free = {each: {0: "N"} for each in (*names, "output")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about itself
        options = {"input_names": names, "output_names": ["output"], "dynamic_axes": free, "opset_version": 17}
        torch.onnx.export(nets.build(name), given, buffer, dynamo=False, **options)
    return onnx.load_from_string(buffer.getvalue())


def graph(steps, weights):
    nodes = [helper.make_node(op, reads, [out], name=out, **settings) for op, reads, out, settings in steps]
    ends = [("image", ["N", 3, SIZE, SIZE]), ("output", ["N", CLASSES])]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    initialisers = [numpy_helper.from_array(np.asarray(values), name) for name, values in weights.items()]
    made = helper.make_graph(nodes, "net", infos[:1], infos[1:], initialisers)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def mixing():
    """Batch normalisation with the statistics of the batch."""
    over = {"axes": [0, 2, 3], "keepdims": 1}
    steps = [
        ("Conv", ["image", "kernel", "bias"], "conv", {"pads": [1, 1, 1, 1]}),
        ("ReduceMean", ["conv"], "mean", over),
        ("Sub", ["conv", "mean"], "centred", {}),
        ("Mul", ["centred", "centred"], "square", {}),
        ("ReduceMean", ["square"], "variance", over),
        ("Add", ["variance", "epsilon"], "positive", {}),
        ("Sqrt", ["positive"], "deviation", {}),
        ("Div", ["centred", "deviation"], "norm", {}),
        ("Relu", ["norm"], "relu", {}),
        ("ReduceMean", ["relu"], "pool", {"axes": [2, 3], "keepdims": 0}),
        ("Gemm", ["pool", "head"], "output", {"transB": 1}),
    ]
    return graph(steps, {"kernel": W["conv1"], "bias": W["bias1"], "head": W["head"], "epsilon": np.float32(1e-5)})


def noisy():
    """Noise on the maps at each run."""
    steps = [
        ("Conv", ["image", "kernel", "bias"], "conv", {"pads": [1, 1, 1, 1]}),
        ("Relu", ["conv"], "relu", {}),
        ("RandomNormalLike", ["relu"], "noise", {"scale": 0.5}),
        ("Add", ["relu", "noise"], "noisy", {}),
        ("ReduceMean", ["noisy"], "pool", {"axes": [2, 3], "keepdims": 0}),
        ("Gemm", ["pool", "head"], "output", {"transB": 1}),
    ]
    return graph(steps, {"kernel": W["conv1"], "bias": W["bias1"], "head": W["head"]})


BY_HAND = {"batch_mixing": mixing, "random": noisy}
