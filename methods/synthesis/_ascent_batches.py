"""Gradient ascents of many pictures in batches that fit into memory, one batch after the other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from crosslens.arrays import Array, as_numpy, like
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.optim.base import Evaluate, Optimiser
from crosslens.optim.loop import Run
from crosslens.synthesis.ascent import Ascent
from crosslens.synthesis.ascent_job import ascent_notes
from crosslens.synthesis.checkpoint import Checkpoint
from crosslens.synthesis.jobs import Jobs


class AscentBatches(Jobs):
    """One ascent for each batch, all of the same parameterisation, and where each starts."""

    maximises = True

    def __init__(self, ascents: Sequence[Ascent], starts: Sequence[Array], steps: int, optimiser: Optimiser) -> None:
        self._ascents, self.steps, self.optimiser, self.count = ascents, steps, optimiser, len(ascents)
        self._image, self._current = ascents[0].pixels.image, 0
        starts = [ascents[0].model.placed(start) for start in starts]
        self._before = [a.score(self._image.apply(start)) for a, start in zip(ascents, starts, strict=True)]
        self._starts = [like(start, before) for start, before in zip(starts, self._before, strict=True)]
        self.example = self._before[0]
        self.amend = self._amend if ascents[0].amends else None

    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        self._current = n
        return self._ascents[n], self._starts[n]

    def pictures(self, parameters: Array, n: int) -> Array:
        return self._image.apply(parameters)

    def describe(self, loss: float) -> str:
        return f"{self._ascents[self._current].objective} {-loss:.4g}"

    def progress_of(self, progress: Progress) -> Progress:
        def whole(done: int, total: int, what: str) -> None:
            progress(self._current * total + done, self.count * total, what)

        return whole

    def resume(self, checkpoint: Checkpoint) -> None:
        """Refuse a run that was made in batches of another size: each batch has noise of its own."""
        for (state, _), start in zip(checkpoint.runs, self._starts, strict=False):
            had, has = state.parameters.shape[0], start.shape[0]
            if had != has:
                raise ParameterError(
                    f"the run to go on from was made {had} pictures at a time, not {has}: the same "
                    f"batch_size={had} is needed"
                )

    def notes(self, runs: Sequence[Run], images: Array) -> tuple[str, ...]:
        notes: list[str] = []
        end = 0
        for ascent, run, before in zip(self._ascents, runs, self._before, strict=False):
            start, end = end, end + before.shape[0]
            notes += ascent_notes(run, self.steps, _with_dead(ascent, run), before, images[start:end, ...])
        return *notes, *(f"not begun: {ascent.objective}" for ascent in self._ascents[len(runs) :])

    def _amend(self, parameters: Array, step: int) -> Array:
        return self._ascents[self._current].amend(parameters, step)


def _with_dead(ascent: Ascent, run: Run) -> Ascent:
    """The ascent, knowing which pictures have had no gradient at all, in an earlier run either."""
    if len(run.state.moments) < 2:  # not Adam's
        return ascent
    moments = as_numpy(run.state.moments[1])[: ascent.objective.count or 1]
    moved = moments.reshape(moments.shape[0], -1).any(axis=1)
    return replace(ascent, dead=tuple(int(n) for n in np.flatnonzero(~moved)))
