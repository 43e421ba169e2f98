"""Images beside references in one batch, as DeepLIFT takes them: multipliers, and what they share out."""

from collections.abc import Iterator
from dataclasses import dataclass

from crosslens.arrays import Array, namespace
from crosslens.execution.batching import batch_limit, slices
from crosslens.model import Model, Pullback
from crosslens.objective import Objective, pullback
from crosslens.objective.algebra import Activations

from ._prepared import prepared

__all__ = ["OfImages", "Pairs", "pairs_of", "secant_caveats", "secant_of", "through_pairs"]


@dataclass(frozen=True)
class Pairs:
    """References beside images, k for each of N images, in one batch: image 1 to N k times, then their references."""

    batch: Array
    """(2 k N, C, H, W)"""
    images: int
    """N"""

    @property
    def half(self) -> int:
        """k N."""
        return int(self.batch.shape[0]) // 2

    def difference(self, values: Array) -> Array:
        """Those of images less those of references, (k N, ...)."""
        return values[: self.half, ...] - values[self.half :, ...]


def secant_of(model: Model) -> Model:
    """The network with secants for slopes, prepared once for each state of its weights.

    Raises:
        ModelError: the backend has no secants.
    """
    return prepared(model, "secants", lambda: model.modified(slope="secant"))


def secant_caveats(model: Model) -> tuple[str, ...]:
    """What the network with secants says of itself that the network does not: operators without one."""
    return tuple(text for text in secant_of(model).caveats() if text not in model.caveats())


def pairs_of(model: Model, images: Array, references: Array) -> Iterator[tuple[int, int, Pairs]]:
    """Batches of at most as many images as fit, references counted: (start, stop) of the images, and the pairs.

    Args:
        model: the network, which knows how many images fit.
        images: (N, C, H, W).
        references: (N, k, C, H, W), those of each image.
    """
    xp, count, each = namespace(images), images.shape[0], references.shape[1]
    fit = max(1, batch_limit(model) // 2)
    for start, stop in slices(count, fit):
        own = images[start:stop, ...]
        for first, last in slices(each, max(1, fit // (stop - start))):
            others = [references[start:stop, k, ...] for k in range(first, last)]
            yield start, stop, Pairs(xp.concat([*[own] * len(others), *others], axis=0), stop - start)


@dataclass(frozen=True)
class OfImages(Objective):
    """An objective over pairs: it is differentiated at the images alone, with the choices that it makes for them."""

    objective: Objective
    pairs: Pairs

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return self.objective.layers

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return self.objective.linear

    def value(self, activations: Activations) -> Array:
        """Of images, then of references, (2 k N,)."""
        parts = list(self._parts(activations))
        fixed = self._fixed(parts[0])
        return namespace(parts[0][next(iter(self.layers))]).concat([fixed.value(part) for part in parts], axis=0)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        parts = list(self._parts(activations))
        fixed = self._fixed(parts[0])
        own = [fixed.cotangents(part) for part in parts[: len(parts) // 2]]
        return {name: _with_zeros([part[name] for part in own]) for name in own[0]}

    def _fixed(self, activations: Activations) -> Objective:
        """With the choices made for these images; a linear one has none to make."""
        return self.objective if self.linear else self.objective.fix_choices(activations)

    def _parts(self, activations: Activations) -> Iterator[dict[str, Array]]:
        """The activations of N images each time."""
        for start in range(0, 2 * self.pairs.half, self.pairs.images):
            stop = start + self.pairs.images
            yield {name: activations[name][start:stop, ...] for name in self.objective.layers}


def through_pairs(
    model: Model, pairs: Pairs, objective: Objective, layer: str, capture: tuple[str, ...] = ()
) -> tuple[Pullback, Array]:
    """The multipliers at a layer, and the target of images and of references, (2 k N,).

    Args:
        model: with secants.
        pairs: the batch.
        objective: the target of its N images.
        layer: where multipliers are asked for; its activations are captured.
        capture: further layers whose activations are.
    """
    of_images, read = OfImages(objective, pairs), tuple(dict.fromkeys((layer, *capture)))
    if of_images.linear:
        return pullback(model, pairs.batch, of_images, wrt=[layer], capture=read)
    captured = tuple(dict.fromkeys((*read, *sorted(of_images.layers))))
    with model.linearize(pairs.batch, captured, wrt=[layer]) as at:
        gradients = at.last_vjp(of_images.cotangents(at.activations))
        return Pullback(gradients, at.activations), of_images.value(at.activations)


def _with_zeros(cotangents: list[Array]) -> Array:
    """The cotangents of the images, then as many zeros."""
    xp = namespace(cotangents[0])
    return xp.concat([*cotangents, *map(xp.zeros_like, cotangents)], axis=0)
