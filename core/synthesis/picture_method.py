"""The parameters that all methods share which make pictures by optimisation: how long they run, and how they resume."""

from dataclasses import dataclass
from pathlib import Path

from ..method.base import Method
from ..method.parameter import param
from ..method.parameter_group import ParameterGroup

__all__ = ["PictureMethod"]


@dataclass(frozen=True, kw_only=True)
class PictureMethod(ParameterGroup, Method):
    """A method whose `run` ends with `make_pictures`: it can be interrupted and resumed."""

    title = "run"
    batched = False
    steps: int = param(100, "steps of the optimiser", minimum=1)
    seed: int = param(0, "of the random numbers", minimum=0)
    every: int | None = param(None, "keep a snapshot after every so many steps", minimum=1)
    resume: Path | None = param(None, "go on from a run that was saved as .npz, up to `steps` in all")
