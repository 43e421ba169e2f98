"""Images of integers: preprocessing to what the input's type holds, then rounding that passes gradients on."""

from dataclasses import replace

from crosslens.errors import ModelError
from crosslens.model import InputSpec
from crosslens.preprocess import Preprocess, preprocessing
from onnx import TensorProto

from .graph import FLOAT, FLOATS, Graph, Type

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
    low = _LOWEST.get(elem, 0)
    spread = replace(preprocessing({"scale": 255.0, "mean": -low}).from_bounds(spec.bounds), preset="raw255")
    if wished in [preprocessing(usual, spec.bounds) for usual in ("imagenet", None)]:
        return spread
    gain, offset = wished.affine(spec.shape[0] or 3)
    ends = [gain * b + offset for b in spec.bounds or (0.0, 1.0)]
    if any((end < low - 0.5).any() or (end > low + 255.5).any() for end in ends) or (abs(ends[1] - ends[0]) < 16).all():
        raise ModelError(
            f"the input {name!r} is of {kind.lower()} and holds pixels from {low} to {low + 255}; preprocess= gives "
            f"{ends[0].min():.4g} to {ends[1].max():.4g}: leave it out, or give preprocess='raw255'"
        )
    return wished


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
