"""onnxruntime's operators on channels in blocks (NCHWc), in files that it saved at level 'all', as standard operators.
Operators of the domain com.microsoft.nchwc keep channels in blocks as wide as the processor's vectors: 16, 8 or 4.
Written out here they are the standard ones on plain memory; channels are still filled up with zeros to whole blocks
between two reorderings. How kernels lie: onnxruntime/core/mlas/lib/reorder.cpp, MlasReorderFilterOIHWBiBo and OIHWBo.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import onnxruntime as ort
from crosslens.errors import ModelError
from onnx import TensorProto, helper

from ..ir.graph import Graph, Node

__all__ = ["BLOCKED", "unblock"]

BLOCKED = "com.microsoft.nchwc"
_POOLS = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
Nodes = list[Node]


def unblock(graph: Graph) -> None:
    """Replace, in place, every operator on blocked channels by standard ones; tensors keep their names."""
    if all(node.domain != BLOCKED for node in graph.nodes):
        return
    made = {o for node in graph.nodes if node.domain == BLOCKED and node.op != "ReorderOutput" for o in node.outputs}
    body, graph.nodes = graph.nodes, []
    for node in body:
        if node.domain == BLOCKED:
            _WRITERS[node.op](graph, node, made)
        else:
            graph.nodes.append(node)
            if made.intersection(node.inputs):
                made.update(node.outputs)


def _conv(g: Graph, node: Node, blocked: set[str]) -> None:
    """A com.microsoft.FusedConv, which has the same inputs and attributes, with the kernel in the standard layout."""
    x, w, *rest = node.inputs
    kernel = g.constants[w]
    whole = x in blocked and not (node.attr("group", 1) > 1 and kernel.shape[1] == 1)
    name = g.derived_constant(f"{w}:plain{whole}", lambda: _plain(kernel, inputs_too=whole))
    g.nodes.append(replace(node, op="FusedConv", domain="com.microsoft", inputs=(x, name, *rest), version=1))


def _plain(kernel: np.ndarray[Any, Any], *, inputs_too: bool) -> np.ndarray[Any, Any]:
    """A kernel (O, I, *size) from blocks of outputs, and of inputs too if the input is in blocks."""
    width = block_width()
    outputs, inputs, *size = kernel.shape
    if outputs % width or (inputs_too and inputs % width):
        raise ModelError(
            "the network was saved by onnxruntime at optimisation level 'all' for another kind of processor: a kernel "
            f"{kernel.shape} does not fit blocks of {width} channels. Save it at ORT_ENABLE_EXTENDED instead"
        )
    axes = range(len(size))
    if not inputs_too:
        blocks = kernel.reshape(outputs // width, inputs, *size, width)
        return np.moveaxis(blocks, -1, 1).reshape(kernel.shape)
    blocks = kernel.reshape(outputs // width, inputs // width, *size, width, width)
    order = (0, len(size) + 3, 1, len(size) + 2, *(axis + 2 for axis in axes))
    return blocks.transpose(order).reshape(kernel.shape)


def _pool(g: Graph, node: Node, _: set[str]) -> None:
    g.nodes.append(replace(node, domain="", version=g.opsets.get("", 18)))


def _upsample(g: Graph, node: Node, _: set[str]) -> None:
    """By whole factors."""
    how = {key: node.attr(key) for key in ("mode", "coordinate_transformation_mode") if key in node.attributes}
    scales = g.const(node.attr("scales"), np.float32)
    roi = g.const([], np.float32)
    made = g.node("Resize", node.inputs[0], roi, scales, outputs=node.outputs, nearest_mode="floor", **how)
    g.nodes.append(replace(made, name=node.name))


def _reorder_input(g: Graph, node: Node, _: set[str]) -> None:
    """Pad the channels with zeros to whole blocks."""
    (x,) = node.inputs
    if node.attr("channels_last", 0):
        x = g.op("Transpose", x, perm=[0, 3, 1, 2])
    width = g.const([block_width()], np.int64)
    channels = g.op("Gather", g.op("Shape", x), g.const([1], np.int64), axis=0)
    short = g.op("Mod", g.op("Sub", width, g.op("Mod", channels, width)), width)
    none = g.const([0], np.int64)
    pads = g.op("Concat", *[none] * 5, short, none, none, axis=0)
    g.nodes.append(g.node("Pad", x, pads, outputs=node.outputs))


def _reorder_output(g: Graph, node: Node, _: set[str]) -> None:
    """Slice the padding off the channels."""
    ends = [g.const([n], np.int64) for n in (0, node.attr("channels"), 1)]
    if not node.attr("channels_last", 0):
        g.nodes.append(g.node("Slice", node.inputs[0], *ends, outputs=node.outputs))
        return
    whole = g.op("Slice", node.inputs[0], *ends)
    g.nodes.append(g.node("Transpose", whole, outputs=node.outputs, perm=[0, 2, 3, 1]))


_WRITERS: dict[str, Callable[[Graph, Node, set[str]], None]] = {
    "Conv": _conv,
    **dict.fromkeys(_POOLS, _pool),
    "Upsample": _upsample,
    "ReorderInput": _reorder_input,
    "ReorderOutput": _reorder_output,
}


@cache
def block_width() -> int:
    """Channels in a block on this processor: how far the second pixel is behind the first in reordered memory."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64, 1, 2]) for name in "xy"]
    node = helper.make_node("ReorderInput", ["x"], ["y"], domain=BLOCKED)
    graph = helper.make_graph([node], "width", infos[:1], infos[1:])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(BLOCKED, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    numbers = np.arange(128, dtype=np.float32).reshape(1, 64, 1, 2)
    return int(np.flatnonzero(session.run(None, {"x": numbers})[0].ravel() == 1)[0])
