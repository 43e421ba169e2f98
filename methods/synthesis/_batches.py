"""Batches of pictures that climb one after the other, as one run: what `series` asks of them, and their sheet."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.optim.loop import Evaluate, Run
from crosslens.result import Synthesis
from crosslens.synthesis.ascent import Ascent, story
from crosslens.synthesis.checkpoint import Saved, saved_state


class Climbs:
    """One climb for each batch, all of the same coordinates, and where each starts."""

    def __init__(self, parts: Sequence[Ascent], starts: Sequence[Array], steps: int, told: Progress) -> None:
        self.parts, self._steps, self._told, self._now = parts, steps, told, 0
        self.image = parts[0].pixels.image
        starts = [parts[0].model.placed(start) for start in starts]
        self.before = [part.score(self.image.apply(start)) for part, start in zip(parts, starts, strict=True)]
        self._starts = [like(start, before) for start, before in zip(starts, self.before, strict=True)]

    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        """What batch n climbs, and where it starts."""
        self._now = n
        return self.parts[n], self._starts[n]

    def amend(self, parameters: Array, step: int) -> Array:
        """The rules of the batch that is climbing."""
        return self.parts[self._now].amend(parameters, step)

    def describe(self, loss: float) -> str:
        """The objective of that batch."""
        return f"{self.parts[self._now].objective} {-loss:.4g}"

    def progress(self, done: int, total: int, what: str) -> None:
        """Progress of that batch as a part of the whole."""
        self._told(self._now * total + done, len(self.parts) * total, what)

    def check(self, saved: Sequence[Saved]) -> None:
        """Refuse a run that was made in other batches: their noise is another.

        Raises:
            ParameterError: with both sizes.
        """
        for (state, _), start in zip(saved, self._starts, strict=False):
            had, has = state.parameters.shape[0], start.shape[0]
            if had != has:
                raise ParameterError(
                    f"the run to go on from was made {had} pictures at a time, not {has}: the same "
                    f"batch_size={had} is needed"
                )

    def sheet(self, runs: Sequence[Run]) -> Synthesis:
        """The batches as one result; one that was interrupted is as long as its last value goes on."""
        xp, image = namespace(runs[0].parameters), self.image
        made = [image.apply(run.parameters) for run in runs]
        kept = [dict(run.snapshots) for run in runs]
        whole = sorted(set.intersection(*map(set, kept)))
        longest = max(run.history.shape[0] for run in runs)
        histories = [xp.concat([h, *[h[-1:, ...]] * (longest - h.shape[0])], axis=0) for h in (r.history for r in runs)]
        notes = [
            note
            for part, run, before, images in zip(self.parts, runs, self.before, made, strict=False)
            for note in story(run, self._steps, _resting(part, run), before, images, None)
        ]
        notes += [f"not begun: {part.objective}" for part in self.parts[len(runs) :]]
        return Synthesis(
            images=xp.concat(made, axis=0),
            history=-xp.concat(histories, axis=1),
            snapshots={step: xp.concat([image.apply(each[step]) for each in kept], axis=0) for step in whole},
            state=saved_state(runs),
            notes=tuple(notes),
        )


def _resting(climb: Ascent, run: Run) -> Ascent:
    """The climb, knowing which pictures have had no gradient at all, in an earlier run either."""
    moments = as_numpy(run.state.moments[1])[: climb.objective.count or 1]
    moved = moments.reshape(moments.shape[0], -1).any(axis=1)
    return replace(climb, dead=tuple(int(n) for n in np.flatnonzero(~moved)))
