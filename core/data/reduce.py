"""Reductions and whole activations of a batch, in one forward pass."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..arrays import Array
from ..model.base import INPUT, Model
from ..model.reduction import Reduction, reduced
from ..model.repeatability import repeatability

__all__ = ["reduce"]


def reduce(
    model: Model, x: Array, reductions: Sequence[Reduction], capture: Sequence[str] = ()
) -> tuple[Mapping[Reduction, Array], Mapping[str, Array]]:
    """Reductions of layers, and the activations of others, in one forward pass: in the backend's graph where it can.

    There an image's positions are added in float32, in stages; sums agree with float64 to 1e-5 of the magnitudes.

    Args:
        model: the network.
        x: images (N, C, H, W), float32 in the model's bounds.
        reductions: what to reduce, layers under their canonical names.
        capture: canonical names of layers whose activations are handed out whole.

    Returns:
        By reduction a NumPy array (N, units), and by layer its activations, channels-first.

    Raises:
        ImageError, LayerError: what is wrong with `x` or a layer.
    """
    inside = (
        [] if repeatability(model).one_by_one else [each for each in reductions if _has_positions(model, each.layer)]
    )
    whole = dict.fromkeys((*capture, *(each.layer for each in reductions if each not in inside)))
    done = _reduced_inside(model, x, inside, [name for name in whole if name != INPUT]) if inside else None
    if done is None:
        whole |= dict.fromkeys(each.layer for each in inside)
        done = {}, model.forward(x, whole) if whole else {}
    known, activations = done[0], {**done[1], INPUT: x}
    results = {each: known[each] if each in known else reduced(each, activations) for each in reductions}
    return results, {name: activations[name] for name in capture}


def _has_positions(model: Model, layer: str) -> bool:
    """Whether there is anything to reduce: a vector (N, K) is handed out whole."""
    return layer != INPUT and len(model.layers[layer].shape) > 2


def _reduced_inside(
    model: Model, x: Array, reductions: Sequence[Reduction], capture: Sequence[str]
) -> tuple[Mapping[Reduction, Array], Mapping[str, Array]] | None:
    """By the backend; None where it cannot, or where a sum is NaN or infinite.

    Frameworks differ in what a maximum over NaN is, and float32 overflows where float64 does not.
    """
    model.input.check(x)
    sums = [Reduction(each.layer, "sum") for each in reductions]
    done = model._reduce(x, sorted({*reductions, *sums}), tuple(capture))
    if done is None or all(np.isfinite(values).all() for values in done[0].values()):
        return done
    return None
