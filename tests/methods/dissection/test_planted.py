"""A network set by hand: dissection finds the colour, texture or shape of each of its units, on every backend."""

import crosslens
import numpy as np
import pytest
from crosslens.data.shapes import NAMES, shape_arrays

torch = pytest.importorskip("torch")

COUNT, SIZE = 80, 64
PLANTED_KINDS = {category: NAMES[category] for category in ("colour", "texture", "shape")}


def in_torch(net):
    return crosslens.wrap(net, input_shape=(3, SIZE, SIZE), preprocess=None)


def in_keras(net):
    pytest.importorskip("keras")
    from benchmarks.exported import in_keras

    return crosslens.wrap(in_keras(net, (3, SIZE, SIZE)), preprocess=None)


def in_onnx(net):
    """Written node by node: exporting takes longer than all that is tested."""
    onnx = pytest.importorskip("onnx")
    from onnx import helper, numpy_helper

    nodes, weights, before = [], [], "x"
    for name, layer in net.named_children():
        kind, inputs, given = type(layer).__name__, [before], {}
        for key, value in layer.named_parameters():
            weights.append(numpy_helper.from_array(value.detach().numpy(), f"{name}.{key}"))
            inputs.append(f"{name}.{key}")
        if kind == "Conv2d":
            given = {"pads": [*layer.padding] * 2}
        elif kind == "AvgPool2d":
            given = {"kernel_shape": [layer.kernel_size] * 2, "strides": [layer.kernel_size] * 2}
        kinds = {"Conv2d": "Conv", "ReLU": "Relu", "AvgPool2d": "AveragePool", "AdaptiveAvgPool2d": "GlobalAveragePool"}
        nodes.append(helper.make_node(kinds.get(kind, kind), inputs, [name], name, **given))
        before = name
    images, means = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 3, SIZE, SIZE]), (before, ["n", len(NAMES["shape"])]))
    )
    graph = helper.make_graph(nodes, "planted", [images], [means], weights)
    return crosslens.wrap(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), preprocess=None
    )


@pytest.mark.parametrize("build", [in_torch, in_keras, in_onnx])
def test_dissection_finds_what_each_unit_was_planted_for(build):
    from benchmarks.planted_network import IDLE, PLANTED, Planted

    arrays = shape_arrays(COUNT)
    pictures = np.moveaxis(arrays.images, 3, 1).astype(np.float32) / 255
    source = crosslens.concept_data((pictures, arrays.masks, NAMES))
    result = crosslens.method("dissect", layers=tuple(PLANTED), examples=0)(build(Planted().eval()), source)
    iou, chance, detector = (np.asarray(result.columns[name]) for name in ("iou", "null_iou", "detector"))
    for (category, names), (layer, units) in zip(PLANTED_KINDS.items(), PLANTED.items(), strict=True):
        rows = result.rows_of(layer)
        planted = rows[list(units.values())]
        kind = [n for n, each in enumerate(result.categories) if each == category]
        best = np.asarray(result.ious)[np.ix_(planted, kind)].argmax(axis=1)
        assert [names[n] for n in best] == list(units)
        assert detector[planted].all()
        assert iou[planted].min() > chance[rows].max(), layer
    assert not detector[result.rows_of("relu_colours")[-IDLE:]].any()
