"""What layers without a kernel add by constants: relevance that their offsets take, for the accounts.

A normalisation that is not folded into a kernel (before a convolution, behind a sum, of a layer's own values) passes
its gradient as it is, and so the relevance of its offset stays there, as that of a bias does.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..introspection.target_maps import sample_images
from ..model.base import Model, Pullback
from .layer_facts import LayerFacts
from .linear_map import LinearMap, Values, gain_and_shift

__all__ = ["offsets", "taken_by_offsets"]


def offsets(model: Model, maps: Sequence[LinearMap], left_out: Collection[str] = ()) -> dict[str, Values]:
    """By layer what it adds to each channel, (C,), where that is no part of a linear map.

    Args:
        model: the network.
        maps: its linear maps.
        left_out: layers that are of no interest.
    """
    facts = LayerFacts.of(model)
    weights = {name: w for name in model.layers if name not in facts.alias and (w := model.weights(name))}
    folded = {name for each in maps for name in _between(facts, each)}
    alone = [n for n, w in weights.items() if n not in folded and n not in left_out and {"offset", "bias"} & set(w)]
    reads = {name: facts.reads(name)[0] for name in alone if len(facts.reads(name)) == 1}
    statistics = [name for name in reads if "variance" in weights[name]]
    wanted = list(dict.fromkeys(each for name in statistics for each in (name, reads[name])))
    values = model.forward(sample_images(model, 1), wanted) if wanted else {}
    found = {}
    for name in alone:
        if "variance" not in weights[name]:
            own = as_numpy(weights[name].get("offset", weights[name].get("bias")))
        elif name in reads:
            affine = gain_and_shift(weights[name], as_numpy(values[reads[name]]), as_numpy(values[name]))
            own = np.zeros(0) if affine is None else affine[1]
        else:
            continue
        if own.shape == (_channels(model, name),):
            found[name] = own
    return found


def _between(facts: LayerFacts, linear: LinearMap) -> list[str]:
    """The layers from a kernel to the end of its linear map."""
    names = [linear.layer]
    while names[-1] != linear.end:
        names.append(facts.readers(names[-1])[0])
    return names


def _channels(model: Model, name: str) -> int | None:
    shape = model.layer(name).shape
    return shape[-1 if len(shape) == 3 else 1] if len(shape) > 1 else None


def taken_by_offsets(pull: Pullback, found: Mapping[str, Values], images: Array) -> Array:
    """(N,): the sum of offset times gradient over these layers and their positions.

    Args:
        pull: with the gradients there.
        found: the offsets.
        images: (N, C, H, W).
    """
    xp = namespace(images)
    total = xp.zeros_like(images[(slice(None), *[0] * (images.ndim - 1))])
    for name, values in found.items():
        gradient = pull.gradients[name]
        axis = gradient.ndim - 1 if gradient.ndim == 3 else 1
        summed = xp.sum(gradient, axis=tuple(n for n in range(1, gradient.ndim) if n != axis))
        total = total + xp.sum(summed * like(values, gradient)[None, ...], axis=1)
    return total
