"""Upgrades graphs of opsets 7 to 17 to 18 when they are loaded: derivative rules then know one form of an operator.

Only operators whose interface or meaning changed between 7 and 18 change; tensors and nodes keep their names.
Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from crosslens.errors import ModelError
from onnx import helper

from ..ir.graph import Graph, Node

__all__ = ["OLDEST", "TARGET", "upgrade_opset"]

OLDEST, TARGET = 7, 18
Nodes = list[Node]


def upgrade_opset(graph: Graph) -> None:
    """Upgrade the nodes of the standard domain to opset 18, in place; newer graphs stay as they are.

    Raises:
        ModelError: the graph is older than opset 7, or has a form that opset 18 cannot express.
    """
    old = graph.opsets.get("", TARGET)
    if old < OLDEST:
        raise ModelError(
            f"the network is of opset {old}; crosslens reads {OLDEST} and newer: convert it with onnx.version_converter"
        )
    if old >= TARGET:
        return
    graph.opsets = {**graph.opsets, "": TARGET}
    nodes = [raised for node in graph.nodes for raised in _upgrade(graph, node, old)]
    graph.nodes = [replace(node, version=TARGET) if not node.domain else node for node in nodes]


def _upgrade(graph: Graph, node: Node, old: int) -> Nodes:
    before, how = _CHANGED.get("" if node.domain else node.op, (0, _unchanged))
    return how(graph, node) if old < before else [node]


def _unchanged(graph: Graph, node: Node) -> Nodes:
    return [node]


def _without(node: Node, *names: str, **more: Any) -> Node:
    kept = {key: value for key, value in node.attributes.items() if key not in names}
    made = {key: helper.make_attribute(key, value) for key, value in more.items()}
    return replace(node, attributes={**kept, **made})


def _axes(graph: Graph, node: Node) -> Nodes:
    axes = node.attr("axes")
    if axes is None:
        return [node]
    return [replace(_without(node, "axes"), inputs=(node.inputs[0], graph.ints(axes)))]


def _split(graph: Graph, node: Node) -> Nodes:
    sizes = node.attr("split")
    if sizes is not None:
        return [replace(_without(node, "split"), inputs=(node.inputs[0], graph.ints(sizes)))]
    return [node] if node.has(1) else [_without(node, "split", num_outputs=len(node.outputs))]


def _clip(graph: Graph, node: Node) -> Nodes:
    x = node.inputs[0]
    bounds = [graph.scalar(node.attr(b), x) if b in node.attributes else "" for b in ("min", "max")]
    return [replace(_without(node, "min", "max"), inputs=(x, *bounds))]


def _pad(graph: Graph, node: Node) -> Nodes:
    x = node.inputs[0]
    inputs = (x, graph.ints(node.attr("pads")), graph.scalar(node.attr("value", 0.0), x))
    return [replace(_without(node, "pads", "value"), inputs=inputs)]


def _slice(graph: Graph, node: Node) -> Nodes:
    starts = node.attr("starts")
    axes = node.attr("axes", range(len(starts)))
    inputs = (node.inputs[0], *(graph.ints(v) for v in (starts, node.attr("ends"), axes)))
    return [replace(_without(node, "starts", "ends", "axes"), inputs=inputs)]


def _topk(graph: Graph, node: Node) -> Nodes:
    return [replace(_without(node, "k"), inputs=(node.inputs[0], graph.ints([node.attr("k")])))]


def _dropout(graph: Graph, node: Node) -> Nodes:
    return [_without(node, "ratio")]


def _batch_normalization(graph: Graph, node: Node) -> Nodes:
    if node.attr("spatial", 1) == 0:
        raise ModelError(f"node {node.name!r}: BatchNormalization with spatial=0 is not supported; export it anew")
    return [replace(_without(node, "spatial"), outputs=node.outputs[:1])]


def _upsample(graph: Graph, node: Node) -> Nodes:
    scales = node.inputs[1] if node.has(1) else graph.const(node.attr("scales"), np.float32)
    return _resize(graph, replace(_without(node, "scales"), op="Resize", inputs=(node.inputs[0], scales)))


def _resize(graph: Graph, node: Node) -> Nodes:
    x, scales = node.inputs
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return [replace(_without(node, **how), inputs=(x, "", scales))]


def _scatter(graph: Graph, node: Node) -> Nodes:
    return [replace(node, op="ScatterElements")]


def _roi_align(graph: Graph, node: Node) -> Nodes:
    return [_without(node, coordinate_transformation_mode="output_half_pixel")]


def _softmax(graph: Graph, node: Node) -> Nodes:
    """Before opset 13 the softmax was over all axes from `axis` on, as one."""
    x, axis = node.inputs[0], node.attr("axis", 1)
    known = graph.types.get(x)
    rank = None if known is None or known.dims is None else len(known.dims)
    if axis == -1 or (rank is not None and axis % rank == rank - 1):
        return [_without(node, "axis", axis=-1)]
    flat, done, shape = (graph.unique_name(f"{node.outputs[0]}:{part}") for part in ("flat", "done", "shape"))
    return [
        replace(graph.node("Flatten", x, outputs=[flat], axis=axis), name=flat),
        replace(_without(node, "axis", axis=-1), inputs=(flat,), outputs=(done,)),
        graph.node("Shape", x, outputs=[shape]),
        graph.node("Reshape", done, shape, outputs=node.outputs),
    ]


_REDUCE = ("Max", "Mean", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
_CHANGED: dict[str, tuple[int, Callable[[Graph, Node], Nodes]]] = {
    **{f"Reduce{kind}": (18, _axes) for kind in _REDUCE},
    **dict.fromkeys(("ReduceSum", "Squeeze", "Unsqueeze"), (13, _axes)),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), (13, _softmax)),
    "Split": (18, _split),
    "Clip": (11, _clip),
    "Pad": (11, _pad),
    "Slice": (10, _slice),
    "TopK": (10, _topk),
    "Dropout": (12, _dropout),
    "BatchNormalization": (14, _batch_normalization),
    "Upsample": (10, _upsample),
    "Resize": (11, _resize),
    "Scatter": (11, _scatter),
    "RoiAlign": (16, _roi_align),
}
"""By operator: the opset that introduced its present form, and the function that upgrades an older node."""
