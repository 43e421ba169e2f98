"""Class maximisation (Simonyan, Vedaldi and Zisserman 2014, section 2, https://arxiv.org/abs/1312.6034)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from crosslens.arrays import Array, as_numpy
from crosslens.errors import TargetError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.model import OUTPUT, Model
from crosslens.objective import ClassScore, Objective, norm
from crosslens.operators import Grey
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.starting_point import picture_size

from .activation_maximisation import ActivationMaximisation


@dataclass(frozen=True, kw_only=True)
class ClassMaximisation(ActivationMaximisation):
    """What a network thinks a class looks like.

    What a network thinks a class looks like: arg max over pictures of S_c - decay * |x|^2, S_c the class's logit.

    The logit, not the probability, which rises as well when other classes fall (section 2). |x|^2 is the mean over
    the picture's values, around grey. The notes say how the network classifies the picture itself.
    """

    name = "class_maximisation"
    aliases: ClassVar[Mapping[str, str]] = {
        "class_maximization": "",
        "class_visualization": "",
        "class_visualisation": "",
    }
    decay: float = param(0.0, "lambda of the paper's equation 1, on the mean square of the picture around grey")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture for each class of the target, or one from each of `images`; several classes make several."""
        starts = self._facet_starts(model, images)
        images = images if starts is None else starts
        if not isinstance(objective, ClassScore) or (images is None and objective.target is None):
            raise TargetError(
                f"class_maximisation needs a class: target=281, a label, or several classes; not {objective}. "
                "For anything else take activation_maximisation"
            )
        fixed = objective if images is None else objective.fix_choices(model.forward(images, objective.layers))
        scores = fixed.in_unit("logit")  # type: ignore[attr-defined]
        share = self.decay / _values(model, picture_size(model, images, self.size))
        aim = scores - share * norm(2, centre=0.5) if self.decay else scores
        result = self._maximise(model, images, aim, objective, progress)
        return replace(result, notes=(*result.notes, *_prediction_notes(model, result.images, scores)))


def _values(model: Model, size: tuple[int, int]) -> int:
    """Numbers in one picture."""
    return int((model.input.shape[0] or 3) * size[0] * size[1])


def _prediction_notes(model: Model, images: Array, scores: Objective) -> list[str]:
    """The probability and rank of each picture's class; a network in grey sees a generator's colours as grey."""
    images = images if model.input.shape[0] in {None, images.shape[1]} else Grey().apply(images)
    activations = model.forward(images, {OUTPUT, *scores.layers})
    rows = model.output.values(as_numpy(activations[OUTPUT]))
    if not model.output.has_probabilities:
        return [f"the network gives the picture itself the score {row[0]:.4g}" for row in rows[:, :1]]
    classes: Any = as_numpy(scores.classes(activations))  # type: ignore[attr-defined]
    ranks = [1 + int((row > row[c]).sum()) for row, c in zip(rows, classes, strict=True)]
    return [
        f"the network gives the picture itself class {c} with probability {row[c]:.4f}, rank {rank} of {len(row)}"
        for row, c, rank in zip(rows, classes, ranks, strict=True)
    ]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ClassMaximisation]
