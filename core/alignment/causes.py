"""The cause of a difference at a layer: hypotheses in order, each shown by the numbers or dropped."""

from collections.abc import Callable, Mapping

import numpy as np

from ..arrays import as_numpy
from .flatten_faults import flatten_fault
from .layer_family import layer_family
from .model_pair import LayerPair, ModelPair
from .padding_faults import padding_fault
from .preprocessing_faults import preprocessing_fault
from .rounding_faults import rounding_fault
from .similarity import Values, nearest_permutation
from .suspect import Cause, Suspect
from .weight_faults import weight_fault

__all__ = ["HYPOTHESES", "find_cause"]

MOST_CHANNELS = 4096
"""With more channels no other order of them is looked for."""
CHANNEL_SAMPLE = 2048
"""Number of values of a channel that it is recognised by."""


def find_cause(models: ModelPair, pairs: list[LayerPair], n: int) -> Cause:
    """Why the n-th pair differs, given that none before it does; of kind "unknown" where no hypothesis holds."""
    suspect = Suspect.at(models, pairs, n)
    for hypothesis in HYPOTHESES:
        cause = hypothesis(suspect)
        if cause is not None:
            return cause
    return Cause("unknown", _unknown(suspect), suspect.pair.a)


def _unknown(suspect: Suspect) -> str:
    """What is known where no hypothesis holds: that the weights are as many and the same, or that they are not."""
    models, pair = suspect.models, suspect.pair
    sizes = [
        sum(weight.size for layer in layers for weight in map(as_numpy, model.weights(layer).values()))
        for model, layers in ((models.a, suspect.layers_a), (models.b, suspect.layers_b))
    ]
    if all(sizes) and sizes[0] != sizes[1]:
        return (
            f"between the last layers that are alike and this one the networks have {sizes[0]:,} and {sizes[1]:,} "
            "weights: they are built differently there, and are perhaps not one network"
        )
    kind = models.b.layers[pair.b].kind
    return (
        f"what {kind} computes differs, with the same input; its weights, where both networks show them, are the same"
    )


def rectifier_fault(suspect: Suspect) -> Cause | None:
    """The layer, or one just before it, cuts off values on one side and not on the other."""
    for name in suspect.layers_a[:-1]:
        if suspect.family(name) == "rectifier" and name not in set(suspect.layers_b):
            text = f"a rectifier is missing: nothing in the second network does what {name!r} does"
            return Cause("rectifier", text, name)
    for words, cut in _RECTIFIERS.items():
        if suspect.is_explained_by(suspect.expected, cut(suspect.actual)):
            text = f"a rectifier is missing: with {words} the second network's values are the reference's"
            return Cause("rectifier", text, suspect.pair.a)
        if suspect.is_explained_by(cut(suspect.expected), suspect.actual):
            text = f"a rectifier too many: the values are {words} of the reference's"
            return Cause("rectifier", text, suspect.pair.a)
    return None


_RECTIFIERS: Mapping[str, Callable[[Values], Values]] = {
    "max(x, 0)": lambda v: np.maximum(v, 0),
    "min(max(x, 0), 6)": lambda v: np.clip(v, 0, 6),
}


def channel_order_fault(suspect: Suspect) -> Cause | None:
    """The same maps in another order."""
    expected, actual = suspect.expected, suspect.actual
    if expected.ndim < 2 or not 1 < expected.shape[1] <= MOST_CHANNELS:
        return None
    order = nearest_permutation(_channel_samples(expected), _channel_samples(actual), axis=1)
    if order is None or not suspect.is_explained_by(expected, actual[:, order]):
        return None
    moved = [k for k, other in enumerate(order) if k != other]
    some = ", ".join(f"{order[k]} for {k}" for k in moved[:3])
    text = f"channels are swapped: {len(moved)} of {len(order)} stand at another place ({some})"
    return Cause("channels", text, suspect.pair.a)


def _channel_samples(values: Values) -> Values:
    """(samples, C) of activations (N, C, ...)."""
    rows = np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])
    return rows[:: max(1, len(rows) // CHANNEL_SAMPLE)]


def resize_fault(suspect: Suspect) -> Cause | None:
    """The layer enlarges maps, on one side at least."""
    models, pair = suspect.models, suspect.pair
    if "resize" not in {suspect.family(pair.a), layer_family(models.b.layers[pair.b].kind)}:
        return None
    text = "wrong resize: the same maps are enlarged by another rule (corners, half pixels, nearest or linear)"
    return Cause("resize", text, pair.a)


HYPOTHESES: tuple[Callable[[Suspect], Cause | None], ...] = (
    preprocessing_fault,  # another mean, std, range or order of colours
    rounding_fault,  # float16, bfloat16, int8
    weight_fault,  # weights or epsilon
    flatten_fault,  # maps flattened in another order
    rectifier_fault,  # a rectifier missing, or one too many
    channel_order_fault,  # the same maps in another order
    padding_fault,  # another border, or windows that start elsewhere
    resize_fault,  # another rule of enlarging
)
"""In this order: what comes first explains more, so that what follows would explain it wrongly."""
