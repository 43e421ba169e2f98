"""The target of one image, and the target's gradient, as functions of the activation of one layer.

Methods that ask a network about many variants of an image (noisy, mixed, masked) ask here, batch after batch, so that
their memory does not grow with the number of variants.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..arrays import Array, namespace
from ..execution.batching import batch_limit, slices
from ..execution.progress import Progress
from ..model import INPUT, Model
from ..objective import Objective, pullback

__all__ = ["TargetFunction", "batch_ranges", "target_functions"]


@dataclass(frozen=True)
class TargetFunction:
    """The target as a function of the activation of `layer`; the image stays what it is elsewhere."""

    model: Model
    image: Array
    """(1, C, H, W)"""
    objective: Objective
    layer: str
    activation: Array
    """Of the image itself at the layer, (1, ...)."""

    def scores(self, variants: Array) -> Array:
        """The target, (B,), where the layer holds each of `variants`, (B, ...)."""
        return self.objective.value(self.activations(variants, self.objective.layers))

    def activations(self, variants: Array, layers: Iterable[str]) -> Mapping[str, Array]:
        """The activations of these layers there."""
        images, replace = self._inputs(variants)
        return self.model.forward(images, layers, replace=replace)

    def gradients(self, variants: Array) -> Array:
        """The target's gradient at each of `variants`, of their shape."""
        images, replace = self._inputs(variants)
        return pullback(self.model, images, self.objective, wrt=[self.layer], replace=replace)[0].gradients[self.layer]

    def at_layer(self, image: Array) -> Array:
        """The activations of other images (M, C, H, W) at the layer."""
        return image if self.layer == INPUT else self.model.forward(image, [self.layer])[self.layer]

    def _inputs(self, variants: Array) -> tuple[Array, dict[str, Array] | None]:
        if self.layer == INPUT:
            return variants, None
        same = namespace(self.image).broadcast_to(self.image, (variants.shape[0], *self.image.shape[1:]))
        return same, {self.layer: variants}


def target_functions(
    model: Model, images: Array, objective: Objective, layer: str = INPUT, clean: Mapping[str, Array] | None = None
) -> tuple[list[TargetFunction], Array]:
    """A function for each image, its predicted class fixed where no other was given; and the targets' values (N,).

    Args:
        model: the network.
        images: (N, C, H, W), or (N, C, D, H, W).
        objective: the target of each image.
        layer: whose activation the functions take; the image's if it is not given.
        clean: activations of these images at the layer and where the objective reads, if they are known.
    """
    clean = model.forward(images, {layer, *objective.layers}) if clean is None else clean
    scores, pinned = objective.value(clean), objective.fix_choices(clean)
    functions = [
        TargetFunction(model, images[n : n + 1, ...], pinned.select(n, n + 1), layer, clean[layer][n : n + 1, ...])
        for n in range(images.shape[0])
    ]
    return functions, scores


def batch_ranges(model: Model, count: int, progress: Progress, what: str) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive variants that fit into memory together, each reported once it has been worked on.

    Args:
        model: the network, which knows how many images fit.
        count: of all variants.
        progress: told (stop, count, what).
        what: is being done.
    """
    for start, stop in slices(count, batch_limit(model)):
        yield start, stop
        progress(stop, count, what)
