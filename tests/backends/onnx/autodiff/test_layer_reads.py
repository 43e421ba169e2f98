"""The layers that a layer reads directly, written down by hand from small graphs."""

import crosslens
import numpy as np
from crosslens.model import INPUT, OUTPUT
from onnx import TensorProto, helper, numpy_helper


def network():
    """Two branches that meet, a flattening with shape arithmetic, logits and a softmax that is the output."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (4, 3, 3, 3), "w2": (4, 4, 3, 3), "wl": (4, 5)}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], name="conv", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["r"], name="relu"),
        helper.make_node("Identity", ["r"], ["same"], name="same"),
        helper.make_node("Conv", ["same", "w2"], ["b"], name="inner", pads=[1] * 4),
        helper.make_node("Add", ["b", "r"], ["s"], name="add"),
        helper.make_node("GlobalAveragePool", ["s"], ["p"], name="pool"),
        helper.make_node("Shape", ["p"], ["dims"]),
        helper.make_node("Slice", ["dims", "zero", "two"], ["kept"]),
        helper.make_node("Reshape", ["p", "kept"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "wl"], ["logits"], name="logits"),
        helper.make_node("Softmax", ["logits"], ["y"], name="softmax", axis=-1),
    ]
    tensors = [numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in shapes.items()]
    tensors += [numpy_helper.from_array(np.array([v]), n) for n, v in {"zero": 0, "two": 2}.items()]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])
    graph = helper.make_graph(nodes, "reads", [image], [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


READS = {
    INPUT: (),
    "conv": (INPUT,),
    "relu": ("conv",),
    "inner": ("relu",),
    "add": ("inner", "relu"),
    "pool": ("add",),
    "flat": ("pool",),
    "logits": ("flat",),
    "softmax": ("logits",),
    OUTPUT: ("softmax",),
}


def test_each_layer_reads_what_the_graph_says():
    model = crosslens.wrap(network(), preprocess="imagenet")
    assert {name: model.reads(name) for name in model.layers} == READS


def test_an_alias_reads_what_its_layer_reads():
    assert crosslens.wrap(network(), preprocess="unit").reads("logits") == ("flat",)


def test_reading_on_and_on_gives_what_is_upstream():
    model = crosslens.wrap(network(), preprocess="unit")
    for name in model.layers:
        seen, waiting = set(), [name]
        while waiting:
            layer = waiting.pop()
            seen.add(layer)
            waiting += [each for each in model.reads(layer) if each not in seen]
        assert seen == model.upstream([name])
