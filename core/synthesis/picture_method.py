"""The parameters that all methods share which make pictures by optimisation: how long they run, and how they resume."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import ParameterError
from ..method.base import Method
from ..method.parameter import param
from ..method.parameter_group import ParameterGroup

__all__ = ["PictureMethod"]


@dataclass(frozen=True, kw_only=True)
class PictureMethod(ParameterGroup, Method):
    """A method whose `run` ends with `make_pictures`: it can be interrupted and resumed."""

    title = "run"
    batched = False
    animates = True
    steps: int = param(100, "steps of the optimiser", minimum=1)
    seed: int = param(0, "of the random numbers", minimum=0)
    every: int | None = param(
        None,
        "keep a snapshot after every so many steps; saved as .gif, .webp or .mp4 they show how the picture grew",
        minimum=1,
    )
    resume: Path | None = param(None, "go on from a run that was saved as .npz, up to `steps` in all")

    def check_animation(self) -> None:
        """Refuse an animation where the result would hold one picture.

        Raises:
            ParameterError: with the parameter that is missing.
        """
        if self.every is None:
            raise ParameterError(
                f"an animation of {self.name} shows its pictures on the way: give every=10 for one after every 10 steps"
            )
