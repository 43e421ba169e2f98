"""Values of the second network that only float16, bfloat16 or 8 bits hold."""

from collections.abc import Callable, Mapping

import numpy as np

from ..arrays import as_numpy
from ..model.base import Model
from .similarity import Values
from .suspect import Cause, Suspect

__all__ = ["rounding_fault"]


def rounding_fault(suspect: Suspect) -> Cause | None:
    """Whether the second network computes or stores with fewer bits, and the first does not."""
    return _quantised_layers(suspect) or _half_precision(suspect)


def _quantised_layers(suspect: Suspect) -> Cause | None:
    first, second = (
        [name for name, layer in model.layers.items() if "quantize" in layer.kind.lower()]
        for model in (suspect.models.a, suspect.models.b)
    )
    if first or not second:
        return None
    text = f"int8: {len(second)} layers round to 8 bits, {second[0]!r} first, and the reference has none"
    return Cause("int8", text, suspect.pair.a)


def _half_precision(suspect: Suspect) -> Cause | None:
    models = suspect.models
    activations = suspect.expected, models.of_b[suspect.pair.b]
    weights = _all_weights(models.a, suspect.layers_a), _all_weights(models.b, suspect.layers_b)
    for kind, rounded in _HALF_PRECISIONS.items():
        for what, first, second in (("value", *activations), ("weight", *weights)):
            if not first.size or not second.size:
                continue
            if (rounded(second) == second).all() and not (rounded(first) == first).all():
                text = f"{kind}: every {what} here is one that {kind} holds, the reference's are not"
                return Cause(kind, text, suspect.pair.a)
    return None


def _all_weights(model: Model, layers: tuple[str, ...]) -> Values:
    """All weights of these layers, one after the other."""
    weights = [as_numpy(values).ravel() for layer in layers for values in model.weights(layer).values()]
    return np.concatenate(weights) if weights else np.zeros(0, np.float32)


def _to_float16(values: Values) -> Values:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _to_bfloat16(values: Values) -> Values:
    """The upper 16 bits of each float32."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.asarray((bits & np.uint32(0xFFFF0000)).view(np.float32))


_HALF_PRECISIONS: Mapping[str, Callable[[Values], Values]] = {"bfloat16": _to_bfloat16, "float16": _to_float16}
"""bfloat16 first: float16, which has more bits, holds all its values of ordinary size too."""
