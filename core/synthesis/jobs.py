"""Long runs one after the other, as one: a picture for each image and each layer, with snapshots, ctrl-C and resume."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..errors import ParameterError
from ..optim.loop import Evaluate, Run, long_run
from ..result import Synthesis
from .checkpoint import Saved, saved_state

__all__ = ["Job", "joined", "made_by", "series", "together"]

Job: TypeAlias = Callable[[int, Run | None], tuple[Evaluate, Array]]
"""From the number of a run, and the run before it, to what it minimises and where it starts."""


def series(job: Job, count: int, steps: int, *, saved: Sequence[Saved] = (), **settings: Any) -> list[Run]:
    """So many runs, each of `steps` steps.

    Args:
        job: called for each run when its turn comes.
        count: how many runs.
        steps: of each.
        saved: the runs of an earlier series, which go on; those that have taken their steps already stand.
        settings: the other arguments of `long_run`.

    Returns:
        The runs made; fewer than `count`, the last one `interrupted`, after ctrl-C.

    Raises:
        ParameterError: the earlier series has taken all its steps.
        KeyboardInterrupt: interrupted before any step was done.
    """
    taken = [state.step for state, _ in saved]
    if len(taken) == count and min(taken) >= steps:
        raise ParameterError(f"steps is {steps}, and the run to go on from has taken {min(taken)}; ask for more")
    runs: list[Run] = []
    try:
        for n in range(count):
            state, past = saved[n] if n < len(saved) else (None, None)
            if state is not None and state.step >= steps:
                runs.append(Run(state.parameters, past, state))
                continue
            evaluate, start = job(n, runs[-1] if runs else None)
            runs.append(long_run(evaluate, start if state is None else state, steps, past=past, **settings))
            if runs[-1].interrupted:
                break
    except KeyboardInterrupt:
        if not runs:
            raise
        runs[-1] = replace(runs[-1], interrupted=True)
    return runs


def made_by(
    runs: Sequence[Run], count: int, steps: int, picture: Callable[[Array, int], Array], images: Array
) -> Synthesis:
    """A series as a result: pictures, losses, snapshots that all runs have, the state to go on from, where it ended.

    Args:
        runs: as `series` gave them, each of one picture.
        count, steps: as `series` was asked for them.
        picture: from parameters, and the number of their run, to pictures.
        images: what the series started from.
    """
    xp = namespace(images)
    whole = set.intersection(*({step for step, _ in run.snapshots} for run in runs))
    kept = [dict(run.snapshots) for run in runs]

    def pictures(parameters: Sequence[Array]) -> Array:
        return xp.concat([like(picture(each, n), images) for n, each in enumerate(parameters)], axis=0)

    return Synthesis(
        images=pictures([run.parameters for run in runs]),
        history=together([as_numpy(run.history)[:, 0] for run in runs]),
        snapshots={step: pictures([each[step] for each in kept]) for step in sorted(whole)},
        state=saved_state(runs, images),
        notes=_ended(runs, count, steps),
    )


def joined(runs: Sequence[Run]) -> Run:
    """Runs that each went on from the one before as one: the last, with the histories of all."""
    past = [run.history for run in runs]
    return replace(runs[-1], history=namespace(*past).concat(past, axis=0))


def together(columns: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """(steps, N) of runs that may have converged at different steps: the last loss stays."""
    steps = max(len(column) for column in columns)
    return np.stack([np.pad(column, (0, steps - len(column)), mode="edge") for column in columns], axis=1)


def _ended(runs: Sequence[Run], count: int, steps: int) -> tuple[str, ...]:
    """A note on where the work was stopped, if it was."""
    last = runs[-1]
    of = f" of picture {len(runs)} of {count}" if count > 1 else ""
    text = f"interrupted after {last.state.step} of {steps} steps{of}: this is the best so far"
    return (text,) if last.interrupted else ()
