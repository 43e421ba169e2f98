"""What layers without a kernel add by constants: relevance that their offsets take, for the accounts.

A normalisation that is not folded into a kernel (before a convolution, behind a sum, of a layer's own values) passes
its gradient as it is, and so the relevance of its offset stays there, as that of a bias does.
"""

from collections.abc import Collection, Mapping, Sequence

from ..arrays import Array, as_numpy, like, namespace
from ..introspection.target_maps import sample_images
from ..model.base import Model, Pullback
from ..model.reduction import unit_axis
from .affine import affine_of
from .layer_facts import LayerFacts
from .linear_map import LinearMap, Values

__all__ = ["offsets", "taken_by_offsets"]


def offsets(model: Model, maps: Sequence[LinearMap], left_out: Collection[str] = ()) -> dict[str, Values]:
    """By layer what it adds to each channel, (C, 1, ...) beside its values, where that is no part of a linear map.

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
        axis = unit_axis(len(model.layers[name].shape))
        if "variance" not in weights[name]:
            own = as_numpy(weights[name].get("offset", weights[name].get("bias")))
        elif name in reads:
            x, y = as_numpy(values[reads[name]]), as_numpy(values[name])
            affine = affine_of(model.layers[name], weights[name], x, y)
            if affine is None:
                continue
            own, axis = affine.shift, affine.axis
        else:
            continue
        shape = model.layers[name].shape
        if own.shape == shape[axis : axis + 1]:
            found[name] = own.reshape(-1, *[1] * (len(shape) - 1 - axis))
    return found


def _between(facts: LayerFacts, linear: LinearMap) -> list[str]:
    """The layers from a kernel to the end of its linear map."""
    names = [linear.layer]
    while names[-1] != linear.end:
        names.append(facts.readers(names[-1])[0])
    return names


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
        products = pull.gradients[name] * like(values, pull.gradients[name])
        total = total + xp.sum(products, axis=tuple(range(1, products.ndim)))
    return total
