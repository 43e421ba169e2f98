"""DeepDream's steps: at growing sizes, then frame by frame into the picture; each step from the state before it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from crosslens.arrays import Array, namespace
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.operators import Crop, Jitter, Pyramid, Resize, Size
from crosslens.optim.loop import Run, State, check_finite
from crosslens.synthesis.tiling import over_mean_size, tiled_gradient


@dataclass
class Dream:
    """A dream from a picture (N, C, H, W): where it stands, and how it goes on.

    Stages follow each other, of `steps` steps each: one per octave, from the coarsest to the full size, then one per
    frame of a zoom.
    """

    model: Model
    objective: Objective
    picture: Array
    octaves: int
    octave_scale: float
    zoom: float
    steps: int
    learning_rate: float
    jitter: int
    bands: bool
    tile: int
    seed: int
    made: Array = None
    """The picture at the size of its stage."""
    done: int = 0
    """Steps."""
    frames: list[Array] = field(default_factory=list)
    """Pictures of finished stages at the full size."""
    history: list[Array] = field(default_factory=list)
    snapshots: dict[int, Array] = field(default_factory=dict)

    def goes_on_from(self, state: State, losses: Array) -> None:
        """Take up a saved dream."""
        self.made, self.done, self.frames, self.history = (
            state.parameters,
            state.step,
            list(state.moments),
            list(losses),
        )
        for _ in range(self.done):
            self._rolled()

    def step(self) -> Array:
        """One step on, and the objective there, (N,)."""
        stage, inner = divmod(self.done, self.steps)
        base = self.made if inner else self._begun(stage)
        rolled = self._rolled()
        check_finite("parameters", base, self.done)
        gradient, value = tiled_gradient(self.model, rolled.apply(base), self.objective, self.tile)
        check_finite("gradient", gradient, self.done)
        gradient = rolled.adjoint(gradient)
        if self.bands:
            gradient = Pyramid(_size(gradient)).each(gradient, over_mean_size)
        moved = base + self.learning_rate * over_mean_size(gradient)
        self.made, self.done = namespace(moved).clip(moved, 0.0, 1.0), self.done + 1
        self.history.append(value)
        if inner == self.steps - 1 and stage >= self.octaves - 1:
            self.frames.append(self.made)
        return value

    def shown(self) -> Array:
        """What there is so far at the full size."""
        size = _size(self.made)
        if size == _size(self.picture):
            return self.made
        detail = resized(self.made - resized(self.picture, size), _size(self.picture))
        return namespace(detail).clip(self.picture + detail, 0.0, 1.0)

    def run(self, total: int, every: int | None, tell: Callable[[Array], None]) -> bool:
        """All steps up to `total`, with a snapshot after every so many; whether ctrl-C ended it before."""
        while self.done < total:
            try:
                value = self.step()
                if every and self.done % every == 0:
                    self.snapshots[self.done] = self.shown()
                tell(value)
            except KeyboardInterrupt:
                if not self.done:
                    raise
                return True
        return False

    def saved(self) -> Run:
        """The state to go on from."""
        history = namespace(self.made).stack(self.history)
        return Run(self.made, history, State(self.made, tuple(self.frames), self.done))

    @cached_property
    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def _rolled(self) -> Jitter:
        down, right = self._rng.integers(-self.jitter, self.jitter + 1, size=2)
        return Jitter(int(down), int(right))

    def _stage_size(self, stage: int) -> Size:
        height, width = (max(1, round(n / self.octave_scale ** (self.octaves - 1 - stage))) for n in self._full)
        return height, width

    @property
    def _full(self) -> Size:
        return _size(self.picture)

    def _begun(self, stage: int) -> Array:
        """The picture that a stage starts from: what the size before brought, enlarged and laid over this one."""
        if stage >= self.octaves:
            return zoomed(self.frames[-1], self.zoom)
        size = self._stage_size(stage)
        base = resized(self.picture, size)
        if not stage:
            return base
        return base + resized(self.made - resized(self.picture, self._stage_size(stage - 1)), size)


def _size(x: Array) -> Size:
    return x.shape[-2], x.shape[-1]


def resized(picture: Array, to: Size) -> Array:
    """A picture at another size, stretched."""
    return Resize(_size(picture), to).apply(picture)


def zoomed(picture: Array, share: float) -> Array:
    """The middle of a picture, enlarged to its size."""
    size = _size(picture)
    inner = tuple(max(1, round(n * (1 - share))) for n in size)
    return resized(Crop.centre(size, (inner[0], inner[1])).apply(picture), size)
