"""Images of integers: preprocessing to what the input's type holds, then rounding that passes gradients on."""

from crosslens.errors import ModelError
from crosslens.model import InputSpec
from crosslens.model.integer_pixels import integer_pixels
from crosslens.model.preprocessing import Preprocess
from onnx import TensorProto

from ..ir.graph import FLOAT, FLOATS, Graph, Type

__all__ = ["as_pixels", "pixels"]

_LOWEST = {TensorProto.INT8: -128}
"""Of pixels by element type; other integers hold 0 to 255."""
_INTEGERS = frozenset(["UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "UINT64", "INT64"])


def pixels(name: str, elem: int, spec: InputSpec, wished: Preprocess) -> Preprocess:
    """The preprocessing for an image of this element type: as wished for floats.

    For integers it is what spreads the model's bounds over the type's pixels, 0 to 255 or -128 to 127, unless another
    that gives such numbers is wished; the presets "imagenet", which is the default, and "unit" do not count as wished.

    Raises:
        ModelError: an element type that no image has, or a preprocessing that gives other numbers.
    """
    if elem in FLOATS:
        return wished if spec.is_image else Preprocess()
    kind = str(TensorProto.DataType.Name(elem))
    if kind not in _INTEGERS or not spec.is_image:
        raise ModelError(f"the input {name!r} is of {kind.lower()}; an image is of floats or of integers")
    return integer_pixels(f"the input {name!r} is of {kind.lower()}", _LOWEST.get(elem, 0), spec, wished)


def as_pixels(graph: Graph, x: str, elem: int) -> str:
    """Floats `x` in another element type: rounded and cut off at the pixels' limits where that holds integers.

    QuantizeLinear with a scale of 1 is rounding whose gradient is passed straight through.
    """
    if elem == FLOAT:
        return x
    if elem in FLOATS:
        return graph.op("Cast", x, to=elem)
    zero = graph.const(0, "int8" if elem == TensorProto.INT8 else "uint8")
    made = graph.op("QuantizeLinear", x, graph.const(1.0, "float32"), zero)
    graph.types[made] = Type(graph.elem(zero))
    return made if graph.elem(made) == elem else graph.op("Cast", made, to=elem)
