"""Which layers a target depends on: one anchor of a detector reads the maps of its own scale, its output those of all.

The gradient of the target tells, on the given images and on noise. A rectifier that happens to be closed stops a
gradient too, which says nothing about the network: its slope counts as 1 before a layer is taken for one without
influence.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat

from ..arrays import Array, like, namespace
from ..errors import ModelError
from ..execution.batching import batch_limit, slices
from ..model.base import Model
from ..objective import Objective, pullback
from .target_maps import sample_images

__all__ = ["first_with_influence"]

_AT_ONCE = 4
"""So many layers are looked at in one pass, after the first one, which nearly always is the answer."""


def first_with_influence(model: Model, images: Array, objective: Objective, layers: Iterable[str]) -> str | None:
    """The first of `layers` that the target depends on, whatever the image: None if there is none.

    Args:
        model: any network.
        images: (N, C, H, W), which the target is for.
        objective: the target; where it is another one for each image, the layer is one that all of them depend on.
        layers: names, the wanted one first; of an iterator no more are taken than are looked at.
    """
    if objective.linear and objective.count is None:
        images = images[:1, ...]  # the same unit on every image
    names = iter(layers)
    for count in chain([1], repeat(_AT_ONCE)):
        some = list(islice(names, count))
        if not some:
            return None
        influential = _with_influence(model, images, objective, some)
        if influential:
            return influential[0]
    return None


def _with_influence(model: Model, images: Array, objective: Objective, layers: list[str]) -> list[str]:
    """Those of `layers` that the target of every image depends on, in order."""
    for start, stop in slices(images.shape[0], batch_limit(model)):
        x, own = images[start:stop, ...], objective.select(start, stop)
        if not own.linear:
            own = own.fix_choices(model.forward(x, sorted(own.layers)))
        layers = _influence_on(model, x, own, layers) if layers else []
    return layers


def _influence_on(model: Model, x: Array, objective: Objective, layers: Sequence[str]) -> list[str]:
    """The same for one batch; no more passes than the first layer needs."""
    without = {name: set(range(x.shape[0])) for name in layers}
    for network, seen in _probes(model, x):
        pull, _ = pullback(network, seen, objective, wrt=layers)
        for name in layers:
            without[name] -= _not_zero(pull.gradients[name])
        if not without[layers[0]]:
            break
    return [name for name in layers if not without[name]]


def _probes(model: Model, x: Array) -> Iterator[tuple[Model, Array]]:
    """The network at these images; then with open rectifiers, if it has any; then so at noise."""
    yield model, x
    try:
        opened = model.modified(relu="linear")
    except ModelError:
        opened = model
    else:
        yield opened, x
    yield opened, like(sample_images(model, x.shape[0], tuple(x.shape[1:])), x)


def _not_zero(gradient: Array) -> set[int]:
    """The images whose gradient is not zero everywhere."""
    xp = namespace(gradient)
    nonzero = xp.any(xp.reshape(gradient, (gradient.shape[0], -1)) != 0, axis=1)
    return {n for n in range(gradient.shape[0]) if bool(nonzero[n])}
