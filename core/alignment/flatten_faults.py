"""Maps that are flattened in another order than the weights of the dense layer after them were trained for."""

from collections.abc import Iterable

import numpy as np

from ..arrays import as_numpy
from .similarity import Values
from .suspect import Cause, Suspect

__all__ = ["flatten_fault"]


def flatten_fault(suspect: Suspect) -> Cause | None:
    """Whether a dense layer reads maps as (C, H, W) in one network and as (H, W, C) in the other, with one kernel."""
    models, pair = suspect.models, suspect.pair
    kernels = ((model.weights(layer)) for model, layer in ((models.b, pair.b), (models.a, pair.a)))
    weights = next((w for w in kernels if "kernel" in w), None)
    if weights is None or as_numpy(weights["kernel"]).ndim != 2 or suspect.expected.ndim != 2:
        return None
    kernel = as_numpy(weights["kernel"]).astype(np.float64)
    bias = as_numpy(weights["bias"]) if "bias" in weights else 0.0
    for maps in _maps_before(suspect, kernel.shape[1]):
        first, last = (flat.reshape(len(maps), -1) @ kernel.T + bias for flat in (maps, np.moveaxis(maps, 1, -1)))
        for cut in (-np.inf, 0.0):
            read = [np.maximum(values, cut) for values in (first, last)]
            for expected, actual, torch_first in ((*read, True), (*read[::-1], False)):
                if suspect.is_explained_by(suspect.expected, expected) and suspect.is_explained_by(
                    suspect.actual, actual
                ):
                    return Cause("flatten", _words(maps.shape[1:], torch_first), pair.a)
    return None


def _maps_before(suspect: Suspect, size: int) -> Iterable[Values]:
    """Matched maps (N, C, H, W) with so many values an image, the nearest first."""
    for pair in reversed(suspect.before):
        maps = suspect.models.of_a[pair.a]
        if maps.ndim == 4 and maps[0].size == size and maps.shape[1] > 1 and maps[0, 0].size > 1:
            yield maps.astype(np.float64)


def _words(shape: tuple[int, ...], channels_first: bool) -> str:
    trained, read = ("(C, H, W)", "(H, W, C)") if channels_first else ("(H, W, C)", "(C, H, W)")
    advice = "Permute((3, 1, 2)) in Keras" if channels_first else "x.permute(0, 2, 3, 1) in torch"
    size = " x ".join(map(str, shape))
    return (
        f"the maps ({size}) are flattened as {read}, the weights are for {trained}: with the same weights each order "
        f"gives one network's values. Put {advice} before the flattening, or reorder the kernel's inputs"
    )
