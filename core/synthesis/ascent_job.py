"""One gradient ascent as a method's job: all its pictures at once, and what the notes of the result say of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..arrays import Array, namespace
from ..objective.per_image import Each
from ..optim.base import Evaluate, Optimiser
from ..optim.loop import Run
from .ascent import Ascent
from .checkpoint import Checkpoint
from .jobs import Jobs, interruption
from .random_crops import CropsAscent

__all__ = ["AscentJob", "ascent_notes"]


@dataclass
class AscentJob(Jobs):
    """The pictures of one ascent."""

    ascent: Ascent
    start: Array
    """Parameters (N, ...) of the pictures to start from."""
    before: Array
    """The objective at these pictures, (N,); None for notes that do not say how far it rose."""
    steps: int
    optimiser: Optimiser
    starts: Array = None
    maximises = True

    def __post_init__(self) -> None:
        self.example = self.start
        self.amend = self.ascent.amend if self.ascent.amends else None

    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        return self.ascent, self.start

    def pictures(self, parameters: Array, n: int) -> Array:
        return self.ascent.pixels.image.apply(parameters)

    def describe(self, loss: float) -> str:
        return f"{self.ascent.objective} {-loss:.4g}"

    @property
    def mask(self) -> Array:
        return self.ascent.mask if isinstance(self.ascent, CropsAscent) else None

    def resume(self, checkpoint: Checkpoint) -> None:
        if isinstance(self.ascent, CropsAscent):
            self.ascent.mask = checkpoint.mask

    def notes(self, runs: Sequence[Run], images: Array) -> tuple[str, ...]:
        if self.before is None:
            return super().notes(runs, images)
        return ascent_notes(runs[0], self.steps, self.ascent, self.before, images, self.starts)


def ascent_notes(
    run: Run, steps: int, ascent: Ascent, before: Array, images: Array, starts: Array = None
) -> tuple[str, ...]:
    """What a result says of an ascent: how far the objective rose, whether it was interrupted, what had no gradient.

    Args:
        run, steps: how it ended, and how many steps were asked for.
        ascent: what was maximised.
        before: the objective at the start, (N,).
        images: the pictures made, (N, C, H, W).
        starts: those it started from, (N, C, H, W); None for noise.
    """
    objective = ascent.objective
    values = [(float(a), float(b)) for a, b in zip(before, ascent.score(images), strict=True)]
    pairs = [f"{a:.4g} to {b:.4g}" for a, b in values]
    went = "rose" if all(a <= b for a, b in values) else "went"
    notes = [f"{objective} on the picture itself {went} from {', '.join(pairs)}", *interruption([run], 1, steps)]
    if ascent.dead:
        parts = objective.parts if isinstance(objective, Each) else (objective,) * len(images)
        names = ", ".join(str(parts[n]) for n in ascent.dead)
        notes.append(f"no gradient at the start, so that the picture stayed as it began: {names}")
    if starts is not None:
        xp = namespace(images)
        changes = [f"{float(change):.3f}" for change in xp.mean(xp.abs(images - starts), axis=(1, 2, 3))]
        notes.append(f"changed from the start by {', '.join(changes)} a pixel on average (`starts`, `change()`)")
    return tuple(notes)
