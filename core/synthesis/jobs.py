"""Optimisations that make a method's pictures, one after the other: resumed, with snapshots, interrupted, as a result.

A method says what is its own in a `Jobs` (the loss, the start, from parameters to pictures); `make_pictures` does the
rest for all of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ..arrays import Array, like, namespace
from ..errors import ParameterError
from ..execution.interrupt import stop_on_signals
from ..execution.progress import Progress
from ..files.kept_results import keep_result
from ..model.base import Model
from ..objective import Objective
from ..optim.base import Amend, Evaluate, Optimiser, State
from ..optim.loop import Run, long_run
from ..result import Synthesis
from .checkpoint import GIVE, MAY_DIFFER, Checkpoint, SavedRun, join_snapshots, load_checkpoint, saved_state
from .picture_method import PictureMethod
from .state_file import refuse_state

__all__ = ["Jobs", "interruption", "make_pictures", "run_jobs"]


class Jobs(ABC):
    """What a method says of the optimisations that make its pictures."""

    count: int = 1
    """How many optimisations."""
    steps: int
    """Of each."""
    optimiser: Optimiser
    example: Array
    """An array of the namespace, type and device that parameters have."""
    scales: int = 1
    """How many jobs make one picture, each from the picture of the one before."""
    maximises: bool = False
    """Whether the loss is minus an objective: the history is the objective then."""
    amend: Amend | None = None
    starts: Array = None
    """The pictures that it starts from, (N, C, H, W), where these are images given."""
    networks: Mapping[str, str] = MappingProxyType({})
    """The digests of networks beside the model that make the pictures, by what each is."""
    may_differ: frozenset[str] = MAY_DIFFER
    """Parameters that may differ from those of the run that is resumed."""
    resumed: str | Path = ""
    """The file that it goes on from."""
    grows: bool = False
    """Whether the parameters change their shape on the way."""

    @abstractmethod
    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        """The loss that job n minimises, and the parameters it starts from; `last` is the run of the job before."""

    @abstractmethod
    def pictures(self, parameters: Array, n: int) -> Array:
        """What parameters of picture n show, (N, C, H, W): N is more than 1 where one job makes several."""

    def final_pictures(self, run: Run, n: int) -> Array:
        """What a run of picture n ended with."""
        return self.pictures(run.parameters, n)

    def describe(self, loss: float) -> str:
        """What progress says after a step."""
        return f"loss {loss:.4g}"

    def progress_of(self, progress: Progress) -> Progress:
        """Progress of the job that is running, told as the whole's."""
        return progress

    @property
    def mask(self) -> Array:
        """(N, H, W), for `Synthesis.mask`; None for a method without."""
        return None

    def resume(self, checkpoint: Checkpoint) -> None:  # noqa: B027 - most jobs hold nothing beside it
        """Take up what the jobs hold beside the optimiser's state.

        Raises:
            ParameterError: these jobs cannot continue that checkpoint.
        """

    def notes(self, runs: Sequence[Run], images: Array) -> tuple[str, ...]:
        """What the result has to say; `runs` are one per picture."""
        return interruption(runs, self.count // self.scales, self.steps)


def make_pictures(
    method: PictureMethod, model: Model, objective: Objective, jobs: Jobs, images: Array, progress: Progress
) -> Synthesis:
    """Run a method's jobs, from the start or from the file that its `resume` names, and give their pictures.

    Args:
        method: whose pictures are made.
        model, objective: as they were given to the method.
        jobs: what is optimised.
        images: (N, C, H, W), what the jobs were made from; None for nothing.
        progress: told after each step.

    Returns:
        The pictures so far where ctrl-C ended the work, with a note.

    Raises:
        ParameterError: the file is of another run, or that run has taken all its steps.
        KeyboardInterrupt: interrupted before any step was done.
    """
    checkpoint = load_checkpoint(method, model, objective, jobs.example, images, jobs.may_differ, jobs.networks)
    jobs.resumed = method.resume or ""
    jobs.resume(checkpoint)

    def so_far(made: Sequence[Run]) -> None:
        keep_result(lambda: _synthesis(jobs, made, checkpoint, images, notes=False))

    told = jobs.progress_of(progress)
    runs = run_jobs(jobs, checkpoint.runs, every=method.every, progress=told, keep=so_far)
    return _synthesis(jobs, runs, checkpoint, images)


def _synthesis(
    jobs: Jobs, runs: Sequence[Run], checkpoint: Checkpoint, images: Array, *, notes: bool = True
) -> Synthesis:
    """The pictures of runs.

    Args:
        jobs: what was optimised.
        runs: of the jobs so far.
        checkpoint: what was gone on from.
        images: what the jobs were made from; None for nothing.
        notes: say how it went; else only where it stands.
    """
    whole = [_join_scales(runs[n : n + jobs.scales]) for n in range(0, len(runs), jobs.scales)]
    target = runs[0].parameters if images is None else images
    made = _concatenate([jobs.final_pictures(run, n) for n, run in enumerate(whole)], target)
    history = _histories([run.history for run in whole])
    return Synthesis(
        images=made,
        history=-history if jobs.maximises else history,
        starts=None if jobs.starts is None else jobs.starts[: made.shape[0], ...],
        mask=jobs.mask,
        snapshots=join_snapshots(checkpoint.snapshots, _snapshots(jobs, whole, target)),
        state=saved_state(runs, images),
        notes=jobs.notes(whole, made) if notes else interruption(whole, jobs.count // jobs.scales, jobs.steps),
        provenance={"networks": dict(jobs.networks)} if jobs.networks else {},
    )


@stop_on_signals()
def run_jobs(
    jobs: Jobs,
    saved: Sequence[SavedRun],
    *,
    every: int | None,
    progress: Progress,
    keep: Callable[[Sequence[Run]], None] | None = None,
) -> list[Run]:
    """Run jobs one after the other.

    Args:
        jobs: what is optimised.
        saved: runs of the first jobs, which are continued; those that have taken their steps already stand.
        every: keep a snapshot after each so many steps; None for none.
        progress: told after each step of each job.
        keep: told the runs so far after each `every` steps.

    Returns:
        The runs made; fewer than `jobs.count`, the last one `interrupted`, after ctrl-C.

    Raises:
        ParameterError: the saved runs have taken all their steps.
        KeyboardInterrupt: interrupted before any step was done.
    """
    taken = [state.step for state, _ in saved]
    if len(taken) == jobs.count and min(taken) >= jobs.steps:
        raise ParameterError(f"steps is {jobs.steps}, and the run to go on from has taken {min(taken)}; ask for more")
    runs: list[Run] = []
    try:
        for n in range(jobs.count):
            state, past = saved[n] if n < len(saved) else (None, None)
            if state is not None and state.step >= jobs.steps:
                runs.append(Run(state.parameters, past, state))
                continue
            evaluate, start = jobs.job(n, runs[-1] if runs else None)
            if state is not None:
                _check_state(jobs, state, start)
            run = long_run(
                evaluate,
                start if state is None else state,
                jobs.steps,
                past=past,
                every=every,
                keep=None if keep is None else lambda run: keep([*runs, run]),
                optimiser=jobs.optimiser,
                amend=jobs.amend,
                progress=progress,
                describe=jobs.describe,
            )
            runs.append(run)
            if run.interrupted:
                break
    except KeyboardInterrupt:
        if not runs:
            raise
        runs[-1] = replace(runs[-1], interrupted=True)
    return runs


def _check_state(jobs: Jobs, state: State, start: Array) -> None:
    """Refuse a saved state that is not one of this job.

    Raises:
        ParameterError: with the shapes.
    """
    shapes = [tuple(each.shape) for each in (state.parameters, *state.moments)]
    wanted = shapes[0] if jobs.grows and len(shapes[0]) == len(start.shape) else tuple(start.shape)
    count = len(state.moments) if jobs.optimiser.moments is None else jobs.optimiser.moments
    if any(shape != wanted for shape in shapes) and not (jobs.grows and shapes[0] == wanted):
        refuse_state(jobs.resumed, f"its arrays have the shapes {shapes}, and this run's have {wanted}", GIVE)
    if len(state.moments) != count:
        refuse_state(jobs.resumed, f"it has {len(state.moments)} moments of the optimiser, not {count}", GIVE)


def _join_scales(runs: Sequence[Run]) -> Run:
    """Runs that each started from the one before as one: the last, with the histories of all."""
    if len(runs) == 1:
        return runs[0]
    histories = [run.history for run in runs]
    return replace(runs[-1], history=namespace(*histories).concat(histories, axis=0))


def interruption(runs: Sequence[Run], count: int, steps: int) -> tuple[str, ...]:
    """A note on where the work was stopped, if it was.

    Args:
        runs: those that were made, one per picture.
        count: how many pictures were asked for.
        steps: how many steps of each.
    """
    last = runs[-1]
    of = f" of picture {len(runs)} of {count}" if count > 1 else ""
    text = f"interrupted after {last.state.step} of {steps} steps{of}: this is the best so far"
    return (text,) if last.interrupted else ()


def _snapshots(jobs: Jobs, runs: Sequence[Run], target: Array) -> dict[int, Array]:
    """The pictures after each number of steps that every run has a snapshot of; one that converged stays as it is."""
    by_step = [dict(run.snapshots) for run in runs]
    stopped = [set(each) for each, run in zip(by_step, runs, strict=True) if run.interrupted]
    steps = set().union(*by_step).intersection(*stopped)

    def pictures(step: int) -> Array:
        ends = enumerate(zip(by_step, runs, strict=True))
        return _concatenate([jobs.pictures(each.get(step, run.parameters), n) for n, (each, run) in ends], target)

    return {step: pictures(step) for step in sorted(steps)}


def _concatenate(pictures: Sequence[Array], target: Array) -> Array:
    """Pictures in one array, of the namespace, type and device of `target`."""
    return namespace(target).concat([like(each, target) for each in pictures], axis=0)


def _histories(histories: Sequence[Array]) -> Array:
    """(steps, N) of runs that may have converged at different steps: the last loss of a shorter one is repeated."""
    xp, longest = namespace(*histories), max(each.shape[0] for each in histories)
    return xp.concat([xp.concat([h, *[h[-1:, ...]] * (longest - h.shape[0])], axis=0) for h in histories], axis=1)
