"""Shape inference: sets the type and shape of every tensor of a graph, which derivative rules need.
ONNX's own inference runs on a graph without its large constants, so it takes milliseconds whatever the weights weigh.
"""

from onnx import TensorProto, TypeProto, helper, shape_inference

from ..ir.graph import RESERVED, Graph, Type
from ..ir.serialise import model_proto
from .negative_sizes import hide_negative_sizes, refuse_negative_sizes
from .propagation import hide_computed_ranges, may_propagate

__all__ = ["infer", "type_of"]

_AS_THEIR_INPUT = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators with the shape of their first input, for which onnx has no shape inference."""


def type_of(proto: TypeProto, name: str) -> Type:
    """Element type and sizes of a tensor; an unnamed unknown size, or a negative one, gets a name of its own."""
    tensor = proto.tensor_type
    if not tensor.HasField("shape"):
        return Type(tensor.elem_type)
    dims = tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else d.dim_param or f"?{name}:{position}"
        for position, d in enumerate(tensor.shape.dim)
    )
    return Type(tensor.elem_type, dims)


def infer(graph: Graph) -> None:
    """Set `graph.types` from the types of its inputs, in place."""
    stub = model_proto(graph, large_as_inputs=True)
    for node in stub.graph.node:
        if node.op_type in _AS_THEIR_INPUT and not node.domain:
            node.CopyFrom(helper.make_node("Identity", node.input[:1], node.output))
    hide_computed_ranges(stub.graph, graph.constants)
    hide_negative_sizes(stub, graph.constants)
    done = shape_inference.infer_shapes(stub, data_prop=may_propagate(graph)).graph
    refuse_negative_sizes(done)
    infos = [v for v in (*done.input, *done.value_info, *done.output) if not v.name.startswith(RESERVED)]
    types = {v.name: type_of(v.type, v.name) for v in infos}
    constants = {
        name: Type(helper.np_dtype_to_tensor_dtype(value.dtype), value.shape) for name, value in graph.constants.items()
    }
    graph.types = {**{k: t for k, t in types.items() if t.elem != TensorProto.UNDEFINED}, **constants}
