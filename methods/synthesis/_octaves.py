"""The job of DeepDream: gradient ascent at growing sizes (octaves), then frame by frame of a zoom into the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from crosslens.arrays import Array, namespace
from crosslens.errors import ParameterError
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.operators import Crop, Jitter, Pyramid, Resize, Size
from crosslens.optim.base import Amend, Evaluate, Optimiser, Report, State
from crosslens.optim.loop import Run, check_finite
from crosslens.synthesis.checkpoint import MAY_DIFFER, Checkpoint
from crosslens.synthesis.jobs import Jobs
from crosslens.synthesis.tiling import divide_by_mean_magnitude, tiled_gradient


@dataclass(frozen=True)
class Octaves(Optimiser):
    """Ascent of a picture (N, C, H, W) that grows: `steps` steps at each size, then as many for each frame of a zoom.

    Each step moves the picture by learning_rate * g / mean |g|. The state's moments are the frames finished so far.
    """

    picture: Array
    octaves: int
    octave_scale: float
    zoom: float
    steps: int
    """In each octave, and for each frame."""
    learning_rate: float
    bands: bool
    """Whether g / mean |g| is taken of each frequency band of the gradient first."""

    def minimise(
        self, evaluate: Evaluate, start: State, steps: int, report: Report, amend: Amend | None = None
    ) -> Array:
        """As `Optimiser.minimise`, but uphill; always all steps."""
        state = start
        while state.step < steps:
            octave, inner = divmod(state.step, self.steps)
            base = state.parameters if inner else self._base(octave, state)
            value, gradient = evaluate(base, state.step)
            if self.bands:
                gradient = Pyramid(_size(gradient)).each(gradient, divide_by_mean_magnitude)
            moved = namespace(base).clip(base + self.learning_rate * divide_by_mean_magnitude(gradient), 0.0, 1.0)
            frame = inner == self.steps - 1 and octave >= self.octaves - 1
            state = State(moved, (*state.moments, moved) if frame else state.moments, state.step + 1)
            report(state, value)
        return state.parameters

    def size(self, octave: int) -> Size:
        """(H, W) of an octave, the coarsest first."""
        scale = self.octave_scale ** (self.octaves - 1 - octave)
        height, width = (max(1, round(n / scale)) for n in _size(self.picture))
        return height, width

    def _base(self, octave: int, state: State) -> Array:
        """What an octave starts from: the detail made at the size before, enlarged, on the picture at this size."""
        if octave >= self.octaves:
            return zoom_in(state.moments[-1], self.zoom)
        size = self.size(octave)
        base = resize(self.picture, size)
        if not octave:
            return base
        return base + resize(state.parameters - resize(self.picture, self.size(octave - 1)), size)


class Dream(Jobs):
    """One dream: an objective's gradient in tiles of the picture, which is rolled by a random jitter at each step."""

    grows = True
    may_differ = MAY_DIFFER - {"steps"} | {"zoom_frames"}

    def __init__(
        self, model: Model, objective: Objective, optimiser: Octaves, frames: int, *, jitter: int, tile: int, seed: int
    ) -> None:
        self._model, self._objective, self._tile = model, objective, tile
        self.optimiser: Octaves = optimiser
        self.example = optimiser.picture
        self.steps = optimiser.steps * (optimiser.octaves + frames)
        self.starts = None if frames else optimiser.picture
        self._jitter = np.random.default_rng(seed).integers(-jitter, jitter + 1, size=(self.steps, 2)).tolist()

    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        return self._evaluate, resize(self.optimiser.picture, self.optimiser.size(0))

    def _evaluate(self, parameters: Array, step: int) -> tuple[Array, Array]:
        """The objective, (N,), and its gradient."""
        rolled = Jitter(*self._jitter[step])
        gradient, value = tiled_gradient(self._model, rolled.apply(parameters), self._objective, self._tile)
        check_finite("gradient", gradient, step)
        return value, rolled.adjoint(gradient)

    def pictures(self, parameters: Array, n: int) -> Array:
        """A dream of any octave at the full size: its detail, enlarged, on the picture."""
        picture, size = self.optimiser.picture, _size(parameters)
        if size == _size(picture):
            return parameters
        detail = resize(parameters - resize(picture, size), _size(picture))
        return namespace(detail).clip(picture + detail, 0.0, 1.0)

    def final_pictures(self, run: Run, n: int) -> Array:
        """The frames; the dream so far if none is finished."""
        frames = run.state.moments or (self.pictures(run.state.parameters, n),)
        return namespace(frames[0]).concat(list(frames), axis=0)

    def describe(self, loss: float) -> str:
        return f"{self._objective} {loss:.4g}"

    def resume(self, checkpoint: Checkpoint) -> None:
        """Refuse a dream that has taken all its steps."""
        for state, _ in checkpoint.runs:
            if state.step >= self.steps:
                raise ParameterError(
                    f"the dream to go on from has taken all its {state.step} steps; ask for zoom_frames"
                )

    def notes(self, runs: Sequence[Run], images: Array) -> tuple[str, ...]:
        done = runs[-1].state.step
        text = f"interrupted after {done} of {self.steps} steps: this is the dream so far"
        return (text,) if runs[-1].interrupted else ()


def _size(x: Array) -> Size:
    return x.shape[-2], x.shape[-1]


def resize(picture: Array, to: Size) -> Array:
    """A picture at another size, stretched."""
    return Resize(_size(picture), to).apply(picture)


def zoom_in(picture: Array, share: float) -> Array:
    """The middle of a picture, enlarged to its size."""
    size = _size(picture)
    inner = tuple(max(1, round(n * (1 - share))) for n in size)
    return resize(Crop.centre(size, (inner[0], inner[1])).apply(picture), size)
