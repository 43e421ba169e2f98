"""`AttackMethod`: what all attacks share: the class to leave, the class to reach, and one result."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..arrays import Array, namespace
from ..errors import ParameterError, TargetError
from ..execution.batching import forward_limit, slices
from ..execution.progress import Progress
from ..method.base import Method
from ..method.parameter import param
from ..method.parameter_group import ParameterGroup
from ..model.base import Model
from ..objective import Objective
from ..objective.aim import Aim, refuse_no_classes
from ..objective.target import resolve_target
from ..operators import Size
from ..result import Result
from ..synthesis.transforms import robust_transform
from .adversarial import Adversarial
from .ball import refuse_wide
from .outcome import adversarial_result
from .problem import Problem
from .projection import NORMS
from .views import Views

__all__ = ["AttackMethod", "BallOptions", "ViewOptions"]


@dataclass(frozen=True, kw_only=True)
class AttackMethod(Method):
    """A method that changes images until a network changes its mind. A subclass writes `search`.

    `target` is the class to leave, the predicted one if not given; all that is stated in the unit of images, such as a
    radius, is for images in [0, 1], whatever the model's bounds and its preprocessing.
    """

    towards: int | str | tuple[int, ...] | None = param(
        None, "class to reach, a number or a label, or a tuple with one for each image; any other class if not given"
    )

    @property
    @abstractmethod
    def distance_norm(self) -> str:
        """The norm in which the nearest picture is the best: "linf", "l2", "l1" or "l0"."""

    def check_parameters(self) -> None:
        """Refuse a radius in another unit than images in [0, 1].

        Raises:
            ParameterError: an L-inf radius above 1, within which every picture is.
        """
        super().check_parameters()
        refuse_wide(getattr(self, "eps", 0), self.distance_norm)

    @abstractmethod
    def search(self, problem: Problem, progress: Progress) -> Any:
        """Look for pictures that succeed, and offer them to the problem; a history (steps, N), or None."""

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Adversarial:
        """The best picture of each image. Images are independent of each other."""
        problem = self.problem(model, images, objective)
        return adversarial_result(problem, self.search(problem, progress))

    def problem(self, model: Model, images: Array, objective: Objective) -> Problem:
        """The images, what is to become of their classes, and the network's answers so far.

        Raises:
            TargetError: see `Aim.of`.
        """
        count = images.shape[0]
        towards = None if self.towards is None else self._towards(model, count)
        clean = _clean_activations(model, images)
        aim = Aim.of(model, objective, towards, clean)
        return Problem(model, images, aim, self.distance_norm, aim.class_logits(clean))

    def _towards(self, model: Model, count: int) -> Objective:
        try:
            return resolve_target(self.towards, model, count)
        except TargetError as error:
            raise TargetError(f"towards={self.towards!r}: {error}") from error

    def _result(self, model: Model, images: Any, target: Any, progress: Progress | None) -> Result:
        """As any method's, of a network with classes; what others may explain of another network is no advice here."""
        refuse_no_classes(model.output)
        return super()._result(model, images, target, progress)

    def images_at_once(self, model: Model) -> int:
        """As many as go through the network at once where no gradient is needed, and 16 at least."""
        return max(16, forward_limit(model))

    def _run_in_batches(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Adversarial:
        """All at once: a problem runs batches itself, of those images that are not finished."""
        return self.run(model, images, objective, progress)


def _clean_activations(model: Model, images: Array) -> Mapping[str, Array]:
    reading = model.output.reading("logit")
    parts = [
        model.forward(images[start:stop, ...], [reading.layer])[reading.layer]
        for start, stop in slices(images.shape[0], forward_limit(model))
    ]
    return {reading.layer: namespace(parts[0]).concat(parts, axis=0)}


@dataclass(frozen=True, kw_only=True)
class BallOptions(ParameterGroup):
    """How far a picture may be from its image."""

    title = "ball"
    eps: float = param(0.03, "largest distance from the image, in the unit of images in [0, 1]", minimum=0)
    norm: str = param("linf", "norm of the distance", choices=NORMS)

    @property
    def distance_norm(self) -> str:
        """The ball's."""
        return self.norm


@dataclass(frozen=True, kw_only=True)
class ViewOptions(ParameterGroup):
    """Random views over which each gradient is averaged, for pictures that are to fool when moved, turned or noisy."""

    title = "random views"
    views: int = param(0, "random views that each gradient is the mean over; 0 for the picture itself", minimum=0)
    shift: float = param(0.07, "a view is moved along each axis by up to this share of the side", minimum=0, below=1)
    zoom: float = param(0.1, "a view is larger or smaller by up to this share", minimum=0, below=1)
    turn: float = param(8.0, "a view is turned by up to so many degrees either way", minimum=0)
    noise: float = param(0.0, "deviation of the noise that is added to a view", minimum=0)

    def check_parameters(self) -> None:
        """Refuse what views are drawn from where there are none.

        Raises:
            ParameterError: with what was given in vain.
        """
        super().check_parameters()  # type: ignore[misc]
        drawn = {"shift", "zoom", "turn", "noise"}
        given = [f.name for f in fields(self) if f.name in drawn and getattr(self, f.name) != f.default]
        if given and not self.views:
            raise ParameterError(f"{' and '.join(given)}: for random views, and views is 0; give views=8, for example")

    def _views(self, size: Size, seed: int) -> Views | None:
        if not self.views:
            return None
        return Views(robust_transform(size, self.shift, self.zoom, self.turn, self.noise), self.views, seed)
