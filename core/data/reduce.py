"""Reductions and whole activations of a batch, in one forward pass."""

from collections.abc import Mapping, Sequence

from ..arrays import Array
from ..model.base import Model
from ..model.reduction import Reduction, reduced
from ..model.repeatability import repeatability

__all__ = ["reduce"]


def reduce(
    model: Model, x: Array, reductions: Sequence[Reduction], capture: Sequence[str] = ()
) -> tuple[Mapping[Reduction, Array], Mapping[str, Array]]:
    """Reductions of layers, and the activations of others, in one forward pass: in the backend's graph where it can.

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
    if reductions and not repeatability(model).one_by_one:
        model.input.check(x)
        if (done := model._reduce(x, reductions, tuple(capture))) is not None:
            return done
    layers = dict.fromkeys((*capture, *(each.layer for each in reductions)))
    activations = model.forward(x, layers) if layers else {}
    return {each: reduced(each, activations) for each in reductions}, {name: activations[name] for name in capture}
