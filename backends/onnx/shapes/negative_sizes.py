"""Keeps negative sizes away from onnx's shape inference of Slice, which ends the whole process at one.

A size is negative behind a convolution or pooling whose kernel is larger than the image, and behind a Pad that cuts off
more than there is. In the graphs that inference gets, an operator of our own before each Slice makes it unknown.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from crosslens.errors import ModelError
from onnx import GraphProto, ModelProto, defs, helper

from ..ir.subgraph import subgraphs

__all__ = ["hide_negative_sizes", "refuse_negative_sizes"]

_DOMAIN, _OP = "crosslens.shapes", "NonNegative"
_NUMBERS = frozenset(
    {"Shape", "Size", "Cast", "Concat", "Gather", "Squeeze", "Unsqueeze", "Slice", "Add", "Sub", "Mul", "Div"}
)
"""Operators on sizes: inference carries the numbers themselves through them, and their vectors have no wrong length."""


def hide_negative_sizes(model: ModelProto, constants: Iterable[str]) -> None:
    """Put our operator before each Slice that does not cut a computed shape, in place; for shape inference only.

    Args:
        model: without functions.
        constants: names of the graph's constants.
    """
    _register()
    known = set(constants)
    found = [_hide_in(graph, set(known)) for graph in subgraphs(model.graph)]
    if any(found):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))


def refuse_negative_sizes(graph: GraphProto) -> None:
    """Refuse a graph in which a Slice gets a negative size; onnxruntime ends the process too.

    Args:
        graph: what inference made of one with our operators.

    Raises:
        ModelError: names the tensor.
    """
    for inside in subgraphs(graph):
        guarded = {node.input[0] for node in inside.node if node.domain == _DOMAIN}
        for info in (*inside.value_info, *inside.input):
            sizes = info.type.tensor_type.shape.dim
            if info.name in guarded and min((each.dim_value for each in sizes), default=0) < 0:
                dims = ", ".join(str(each.dim_value) if each.HasField("dim_value") else "any" for each in sizes)
                raise ModelError(
                    f"the tensor {info.name[:80]!r} would have the shape ({dims}): a kernel before it is larger "
                    "than the image, or a Pad cuts off too much. Take larger images, or export the network for such"
                )


def _hide_in(graph: GraphProto, numbers: set[str]) -> bool:
    places = []
    for place, node in enumerate(graph.node):
        if node.op_type == "Shape" or (node.op_type in _NUMBERS and numbers.issuperset(node.input)):
            numbers.update(node.output)
        elif node.op_type == "Slice" and node.input and node.output:
            places.append(place)
    for place in reversed(places):
        node = graph.node[place]
        hidden = f"const:sizes:{place}:{node.output[0]}"
        guard = helper.make_node(_OP, [node.input[0]], [hidden], domain=_DOMAIN)
        node.input[0] = hidden
        graph.node.insert(place, guard)
    return bool(places)


@cache
def _register() -> None:
    """Tell onnx of the operator: any tensor, unchanged."""
    (known,) = defs.get_schema("Identity").type_constraints
    kinds = [kind for kind in known.allowed_type_strs if kind.startswith("tensor(")]
    schema = defs.OpSchema(
        _OP, _DOMAIN, 1,
        inputs=[defs.OpSchema.FormalParameter("x", "T")],
        outputs=[defs.OpSchema.FormalParameter("y", "T")],
        type_constraints=[("T", kinds, "any tensor")],
    )  # fmt: skip
    schema.set_type_and_shape_inference_function(_infer)
    defs.register_schema(schema)


def _infer(context: Any) -> None:
    kind = context.get_input_type(0)
    if kind is None:
        return
    for size in kind.tensor_type.shape.dim:
        if size.HasField("dim_value") and size.dim_value < 0:
            size.ClearField("dim_value")
    context.set_output_type(0, kind)
