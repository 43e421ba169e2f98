"""Robustness curve: accuracy against the radius of attacks, several at once, over many images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.attack.projection import NORMS
from crosslens.data import Source, State, Statistic
from crosslens.errors import ImageError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import DatasetMethod, Method, param
from crosslens.method.texts import as_texts
from crosslens.model import Model
from crosslens.plugins import hookimpl
from crosslens.robustness.attack_words import attacks_within, has, split_words
from crosslens.robustness.curve import RobustnessCurve, curve_columns
from crosslens.robustness.label_classes import AGAINST
from crosslens.robustness.least_changes import LeastChanges, RowsOfLeastChanges, found_of


@dataclass(frozen=True, kw_only=True)
class RobustnessCurveMethod(DatasetMethod):
    """Accuracy against the radius of attacks.

    How many images a network still gets right within each radius of several attacks, and within that of all of them
    together, with 95 % intervals by Wilson.

    With labels, right is the label's class; without, the class predicted for the image itself. An image wrong without
    any change is wrong at all radii; one fooled within a radius is fooled within all larger ones, and not attacked
    again. An attack without a radius (one that looks for the nearest picture) gives its whole curve in one run. A
    curve is an upper bound of the accuracy under the best attack there is: other attacks may fool more.
    """

    name = "robustness_curve"
    aliases: ClassVar[Mapping[str, str]] = {"robust_accuracy": "", "security_curve": "", "adversarial_accuracy": ""}
    example: ClassVar[Mapping[str, Any]] = {"attacks": ("fgsm",), "eps": (0.05, 0.2)}
    attacks: tuple[str, ...] | tuple[Method, ...] = param(
        ("pgd",), "attacks, each with settings of its own: pgd:steps=20,restarts=2,fgsm; in Python methods too"
    )
    eps: tuple[float, ...] = param(doc="radii, increasing, in the unit of images in [0, 1]: 0.01,0.03,0.1", minimum=0)
    norm: str = param("linf", "norm of the radii", choices=NORMS)
    against: str = param("auto", "what is right: label, prediction; auto: labels where there are any", choices=AGAINST)

    def __post_init__(self) -> None:
        given = as_texts(self.attacks)
        given = (given,) if isinstance(given, Method) else tuple(given) if isinstance(given, list) else given
        if isinstance(given, tuple) and all(isinstance(each, str) for each in given):
            given = tuple(split_words(given))
        object.__setattr__(self, "attacks", given)
        eps = (self.eps,) if isinstance(self.eps, int | float) else self.eps
        object.__setattr__(self, "eps", tuple(eps) if isinstance(eps, list | np.ndarray) else eps)

    def check_parameters(self) -> None:
        super().check_parameters()
        if not self.eps:
            raise ParameterError("eps is empty; give radii in increasing order: 0.01,0.03,0.1")
        if list(self.eps) != sorted(set(self.eps)):
            ordered = ",".join(f"{each:g}" for each in sorted(set(self.eps)))
            raise ParameterError(f"eps is {', '.join(map(str, self.eps))}; give radii in increasing order: {ordered}")
        if self.norm == "linf" and self.eps[-1] > 1:
            raise ParameterError(
                f"eps goes to {self.eps[-1]:g} in L-inf, and images are in [0, 1]: 8 of 255 is {8 / 255:.4f}"
            )
        attacks_within(self.attacks, self.norm)

    def _changes(self) -> LeastChanges:
        radii = tuple(float(each) for each in self.eps)
        attacks = tuple(attacks_within(self.attacks, self.norm).values())
        return LeastChanges(attacks, radii, self.norm, self.against)

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        return [RowsOfLeastChanges(self._changes())]

    def finish(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress
    ) -> RobustnessCurve:
        (state,) = gathered.values()
        places = as_numpy(state["index"])
        found = found_of(as_numpy(state["rows"])[places])
        labelled = found["labelled"]
        own = labelled if labelled.any() else np.ones(len(places), bool)
        if not own.any():
            raise ImageError(f"{source} has no image to attack")
        attacks, eps = attacks_within(self.attacks, self.norm), tuple(sorted({0.0, *map(float, self.eps)}))
        least = found["least"][:, own]
        return RobustnessCurve(
            curve_columns(tuple(attacks), eps, least),
            attacks=tuple(attacks),
            eps=eps,
            norm=self.norm,
            against="label" if labelled.any() else "prediction",
            names=tuple(str(source.ids[n]) for n in places[own]),
            least=least,
            keep=found["keep"][own],
            predicted=found["predicted"][own],
            queries=found["queries"][:, own],
            gradients=found["gradients"][:, own],
            flat=found["flat"][:, own],
            notes=tuple(self._notes(found, own)),
        )

    def _notes(self, found: Mapping[str, Any], own: Any) -> Iterator[str]:
        if unlabelled := int((~own).sum()):
            yield f"{unlabelled} of {len(own)} images have no label that is a class of the network, and do not count"
        if not found["labelled"].any():
            yield "no image has a label: right is what the network predicts for the image itself"
        attacks = attacks_within(self.attacks, self.norm)
        for n, (name, attack) in enumerate(attacks.items()):
            if not has(attack, "eps") and attack.distance_norm != self.norm:
                yield f"{name} looks for the nearest picture in {attack.distance_norm}, not in {self.norm}"
            left = np.isinf(found["least"][n, own])
            if zero := int((left & (found["flat"][n, own] > 0)).sum()):
                yield (
                    f"the gradient was zero at {zero} images that {name} did not fool: it says nothing about them; "
                    "square and boundary need no gradient"
                )
        if np.isinf(found["least"][:, own].min(axis=0)).any():
            yield "an image that these attacks did not fool may be fooled by others, or by these with more steps"


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [RobustnessCurveMethod]
