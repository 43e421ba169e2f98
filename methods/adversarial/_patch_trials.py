"""Training a patch over random placements (Brown et al. 2017, equation 1), and trying it in pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.attack.patch.printable import nonprintability
from crosslens.attack.patch.random_placement import RandomPlacement
from crosslens.attack.patch.trials import Trials
from crosslens.attack.randomness import generators
from crosslens.errors import ImageError, ModelError
from crosslens.execution.batching import batch_limit, forward_limit, slices
from crosslens.execution.progress import Progress
from crosslens.model import INPUT, Model
from crosslens.objective import pullback, total_variation
from crosslens.objective.margins import CrossEntropy
from crosslens.operators import Paste, Placement, Size
from crosslens.operators.paste import patch_mask

from ._held_out_pictures import Pictures, aim_at

__all__ = ["PatchLoss", "Place", "confidence", "tried"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Place:
    """A network of images in [0, 1], its pictures, the class wanted, and how patches are placed."""

    view: Model
    pictures: Pictures
    towards: int
    placing: RandomPlacement
    size: Size
    """(H, W) of all pictures."""

    def batch(self, rows: Numbers | Sequence[int]) -> Array:
        """Pictures as one batch.

        Raises:
            ImageError: they differ in size.
        """
        images = [self.pictures(int(row)) for row in rows]
        if other := [tuple(x.shape[2:]) for x in images if tuple(x.shape[2:]) != self.size]:
            raise ImageError(f"pictures of one size are needed, and some are {self.size}, some {other[0]}; resize them")
        return namespace(images[0]).concat(images, axis=0)

    def pasted(self, images: Array, patch: Array, placements: Sequence[Placement]) -> Paste:
        """The operator that puts the patch into the images."""
        return Paste(images, placements, (patch.shape[-2], patch.shape[-1]), self.placing.shape)


@dataclass(frozen=True)
class PatchLoss:
    """The mean cross-entropy of the class wanted over pictures and placements drawn anew at each step.

    Both weights are of means over the patch: of the distance to the nearest printable colour, and of the total
    variation of Sharif et al. 2016 (equation 3).
    """

    place: Place
    training: Numbers
    """Places of the pictures in the source."""
    batch: int
    seed: int
    printable: float = 0.0
    smooth: float = 0.0

    def __call__(self, patch: Array, step: int) -> tuple[Array, Array]:
        """The loss (1,) at a patch (1, C, h, w), and its gradient."""
        place, rng = self.place, np.random.default_rng([self.seed, 1, step])
        rows = rng.choice(self.training, self.batch, replace=len(self.training) < self.batch)
        placements = [place.placing.draw(rng, place.size, patch.shape[-1]) for _ in rows]
        gradient, values = namespace(patch).zeros_like(patch[0, ...]), []
        for start, stop in slices(len(rows), batch_limit(place.view)):
            paste = place.pasted(place.batch(rows[start:stop]), patch, placements[start:stop])
            aim = aim_at(place.view.output, place.towards, stop - start)
            pull, value = pullback(place.view, paste.apply(patch[0, ...]), CrossEntropy(aim))
            gradient = gradient - paste.adjoint(pull.gradients[INPUT]) / len(rows)
            values.append(as_numpy(value))
        if step == 0 and not as_numpy(gradient).any():
            raise ModelError(
                f"the gradient of class {place.towards} at the patch is zero in {len(rows)} pictures: this network is "
                "saturated, rounded or not differentiable there, and a patch is trained by its gradient; give another "
                "start, such as start='noise', or a network in floating point"
            )
        extra, slope = self._regularisers(patch)
        loss = extra - float(np.concatenate(values).mean(dtype=np.float64))
        return like(np.array([loss]), patch), gradient[None, ...] + slope

    def _regularisers(self, patch: Array) -> tuple[float, Array]:
        """What the weights ask for, and its gradient."""
        total, slope = 0.0, namespace(patch).zeros_like(patch)
        side = patch.shape[-1]
        if self.printable:
            far, away = nonprintability(patch[0, ...], patch_mask((side, side), self.place.placing.shape))
            total, slope = total + self.printable * far, slope + self.printable * away[None, ...]
        if self.smooth:
            rough, weight = total_variation(1.0), self.smooth / (side * side)
            total += weight * float(as_numpy(rough.value({INPUT: patch}))[0])
            slope = slope + weight * rough.cotangents({INPUT: patch})[INPUT]
        return total, slope


def tried(place: Place, rows: Numbers, patch: Array, count: int, seed: int, progress: Progress, what: str) -> Trials:
    """A patch in pictures, at placements that each picture's pixels and the seed decide.

    Args:
        place: the network, its pictures, and how patches are placed.
        rows: places of the pictures in the source.
        patch: (1, C, h, w) in [0, 1].
        count: placements in each picture.
        seed: of the placements.
        progress: told after each picture.
        what: the trials' name, for it.
    """
    found = []
    for n, row in enumerate(rows):
        image = place.batch([int(row)])
        (rng,) = generators(image, seed, 3)
        placements = [place.placing.draw(rng, place.size, patch.shape[-1]) for _ in range(count)]
        found.append(_tried_in(place, image, patch, placements))
        progress(n + 1, len(rows), what)
    return Trials(*(np.stack(each) for each in zip(*found, strict=True)))


def _tried_in(place: Place, image: Array, patch: Array, placements: Sequence[Placement]) -> tuple[Numbers, ...]:
    """Success, classes, confidence and placements in one picture, as `Trials` has them."""
    parts = []
    for start, stop in slices(len(placements), forward_limit(place.view)):
        aim = aim_at(place.view.output, place.towards, stop - start)
        copies = namespace(image).concat([image] * (stop - start), axis=0)
        x = place.pasted(copies, patch, placements[start:stop]).apply(patch[0, ...])
        logits = aim.class_logits(place.view.forward(x, [aim.layer]))
        success = aim.succeeded(aim.deciding(logits))
        parts.append((success, logits.argmax(axis=1), aim.probabilities(logits)[:, place.towards]))
    (height, width), unit = place.size, place.placing.unit(place.size, patch.shape[-1])
    where = np.array([(p.row / height, p.column / width, p.degrees, p.scale / unit) for p in placements])
    return (*(np.concatenate(each) for each in zip(*parts, strict=True)), where)


def confidence(view: Model, image: Array) -> float:
    """The probability of the predicted class of one image (1, C, H, W)."""
    aim = aim_at(view.output, 0, 1)
    probabilities = aim.probabilities(aim.class_logits(view.forward(view.placed(image), [aim.layer])))
    return float(probabilities.max())
