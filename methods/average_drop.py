"""Average drop and average increase (Chattopadhay et al., 2018, https://arxiv.org/abs/1710.11063, section 4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosslens.arrays import Array, namespace, relu, upsample
from crosslens.errors import ParameterError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.progress import Progress
from crosslens.scores import Scores

from .case import cases
from .metric import TIE, Metric, measured, pinned


@dataclass(frozen=True, kw_only=True)
class AverageDrop(Metric):
    """Judge a method: what of the class is left of the image seen through its map; low drop, high increase are good.

    With Y the class's probability for the image and O for the image times the map, which is cut at zero, scaled to
    at most 1 and enlarged: the drop is 100 max(0, Y - O) / Y per cent, the increase 100 where O > Y by more
    than rounding, else 0; both are averaged over images. A map without a positive value hides the image completely.
    """

    name = "average_drop"

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Scores:
        """Drop and increase of each image in per cent, (N, 2, 1)."""
        fixed = pinned(model, images, objective)
        judged = self.explained(model, images, fixed)
        shown = images * seen_through(judged.maps(), images)
        found, whole = cases(model, images, measured(model, images, fixed))
        xp = namespace(images)
        left = xp.concat([case.scores(shown[n : n + 1, ...]) for n, case in enumerate(found)])
        if not bool(xp.all(whole > 0)):
            raise ParameterError(
                f"average_drop is a share of the target's value, which must be positive; {found[0].objective} is "
                f"{float(xp.min(whole)):.4g}. Give a class, whose probability is measured"
            )
        drop = 100 * relu(whole - left) / whole
        increase = 100 * xp.astype(left > (1 + TIE) * whole, whole.dtype)
        both = xp.stack([drop, increase], axis=1)[:, :, None]
        return Scores(both, series=("drop, %", "increase, %"), notes=judged.notes)


def seen_through(maps: Array, images: Array) -> Array:
    """Maps (N, h, w) as masks (N, 1, H, W) between 0 and 1, the largest value of each fully transparent."""
    xp = namespace(maps)
    positive = relu(maps)
    largest = xp.max(positive, axis=(1, 2), keepdims=True)
    return upsample(positive / xp.where(largest > 0, largest, xp.ones_like(largest)), images.shape[2:])[:, None, :, :]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [AverageDrop]
