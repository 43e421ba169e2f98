"""One image under a mask: its blend with perturbed copies, the target of the blend, and the gradient by the mask."""

from dataclasses import dataclass

from crosslens.arrays import Array, namespace
from crosslens.method.target_function import TargetFunction
from crosslens.model import INPUT
from crosslens.objective import pullback
from crosslens.operators import VJP, Jitter

__all__ = ["MaskedImage", "blend"]


def blend(levels: Array, mask: Array) -> tuple[Array, VJP]:
    """The image (1, C, H, W) that shows levels[0] where the mask is 1 and levels[-1] where it is 0; and the way back.

    Args:
        levels: (L, C, H, W), from the image to its strongest perturbation; between two of them it is linear.
        mask: (H, W), in [0, 1].
    """
    xp, steps = namespace(mask), levels.shape[0] - 1
    depth = (1 - mask) * steps
    below = xp.clip(xp.floor(depth), 0, steps - 1)
    image, slope = xp.zeros_like(levels[0, ...]), xp.zeros_like(levels[0, ...])
    for k in range(steps):
        here, change = xp.astype(below == k, mask.dtype), levels[k + 1, ...] - levels[k, ...]
        image = image + here * (levels[k, ...] + (depth - k) * change)
        slope = slope + here * change
    return image[None, ...], lambda dy: -steps * xp.sum(dy[0, ...] * slope, axis=0)


@dataclass(frozen=True)
class MaskedImage:
    """One image with its perturbations, and the target between the two as a share: 1 at the image, 0 where blank."""

    function: TargetFunction
    levels: Array
    """(L, C, H, W)"""
    whole: float
    blank: float

    @property
    def unit(self) -> float:
        """What one share is in the target's unit; never 0, so that shares are finite."""
        return abs(self.whole - self.blank) or 1.0

    def share(self, mask: Array, shift: tuple[int, int] = (0, 0)) -> tuple[Array, Array]:
        """The target's share behind the mask, (1,), and its gradient there, (H, W); the picture is shifted first."""
        levels = Jitter(*shift).apply(self.levels) if shift != (0, 0) else self.levels
        image, back = blend(levels, mask)
        pull, scores = pullback(self.function.model, image, self.function.objective)
        return (scores - self.blank) / self.unit, back(pull.gradients[INPUT]) / self.unit

    def score(self, mask: Array) -> Array:
        """The target behind the mask, ()."""
        return self.function.scores(blend(self.levels, mask)[0])[0]
