"""Inputs of integer pixels: preprocessing to the range of the type, and rounding with a straight-through gradient."""

from crosslens.errors import ModelError
from crosslens.introspection.integer_pixels import integer_pixels
from crosslens.model import InputSpec
from crosslens.model.preprocessing import Preprocess
from onnx import TensorProto

from ..ir.graph import FLOAT, FLOATS, Graph, Type

__all__ = ["cast_image", "preprocessing_for"]

_SMALLEST_PIXEL = {TensorProto.INT8: -128}
"""The smallest pixel value by element type; of other integers it is 0."""
_INTEGERS = frozenset(["UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "UINT64", "INT64"])


def preprocessing_for(name: str, elem: int, spec: InputSpec, wished: Preprocess) -> Preprocess:
    """The preprocessing for an image of this element type: the user's, if the type is a float.

    For integers it maps the model's bounds to the type's pixel values, 0 to 255 or -128 to 127, unless the user gave
    one with such a range; the presets "imagenet", which is the default, and "unit" do not count as given.

    Args:
        name: of the input, for messages.
        elem: element type, a TensorProto number.
        spec: what images look like.
        wished: the user's preprocessing.

    Raises:
        ModelError: the element type is neither a float nor an integer, or the preprocessing has another range.
    """
    if elem in FLOATS:
        return wished if spec.is_image else Preprocess()
    kind = str(TensorProto.DataType.Name(elem))
    if kind not in _INTEGERS or not spec.is_image:
        raise ModelError(f"the input {name!r} is of {kind.lower()}; an image is of floats or of integers")
    return integer_pixels(f"the input {name!r} is of {kind.lower()}", _SMALLEST_PIXEL.get(elem, 0), spec, wished)


def cast_image(graph: Graph, x: str, elem: int) -> str:
    """Cast the float image `x` to another element type; to integers it is rounded and clipped to the pixel range.

    QuantizeLinear with a scale of 1 is rounding with a straight-through gradient.
    """
    if elem == FLOAT:
        return x
    if elem in FLOATS:
        return graph.op("Cast", x, to=elem)
    zero = graph.const(0, "int8" if elem == TensorProto.INT8 else "uint8")
    made = graph.op("QuantizeLinear", x, graph.const(1.0, "float32"), zero)
    graph.types[made] = Type(graph.elem(zero))
    return made if graph.elem(made) == elem else graph.op("Cast", made, to=elem)
