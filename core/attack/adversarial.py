"""`Adversarial`: pictures that were changed to change a network's mind, and how much change that took."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from ..files.whole_file import whole_file
from ..image.false_colour import pixels
from ..result import Synthesis
from ..result.display import Pixels
from ..result.formats import PICTURES, write_picture
from .adversarial_sheet import adversarial_sheet, magnified
from .projection import norm_of
from .shown_on_pictures import NamesClasses

__all__ = ["Adversarial"]

WORDS = {"linf": "L-inf", "l2": "L2", "l1": "L1", "l0": "L0"}
"""The norms as people write them."""
SHOWN = 24
"""Images that a sheet of several shows at most."""


@dataclass(frozen=True, kw_only=True)
class Adversarial(NamesClasses, Synthesis):
    """N pictures, the images that they were made from (`starts`), and what the network says of both.

    `images` are the pictures: of an image that was fooled the nearest picture that succeeds, of another one the picture
    that came nearest to it. Distances are in the unit of images in [0, 1], whatever the model's bounds.
    """

    norm: str = ""
    """In which `distance` is: "linf", "l2", "l1", or "l0", the number of pixels that change."""
    success: Array = None
    """(N,), booleans: whether the class was left, or reached where one was to be."""
    distance: Array = None
    """(N,): of each picture from its image."""
    leave: Array = None
    """(N,): the class to leave."""
    reach: Array = None
    """(N,): the class to reach; -1 where any other will do."""
    classes: Array = None
    """(N, 2): the predicted class of the image and of the picture."""
    confidence: Array = None
    """(N, 2): the probabilities of these."""
    leave_confidence: Array = None
    """(N, 2): the probability of the class to leave, for the image and for the picture."""
    queries: Array = None
    """(N,): forward passes that the attack took, the image's own included."""
    gradients: Array = None
    """(N,): backward passes that it took."""
    survives_8_bit: Array = None
    """(N,), booleans: whether the picture still succeeds when its values are rounded to 8 bits, as files hold them."""
    zero_gradient: Array = None
    """(N,), booleans: whether a gradient was zero on the way, so that the attack had nothing to go by."""
    no_start: Array = None
    """(N,), booleans: whether no picture was found to start from, so that no attack was made."""
    labels: tuple[str, ...] = ()
    """Names of the classes; none where the model has none."""
    notes_of_each: ClassVar[bool] = True
    _kind: ClassVar[str] = "adversarial result"

    def norms(self) -> Mapping[str, Array]:
        """Each image's distance in every norm, by name: "l0" (pixels), "l1", "l2", "linf", in the unit of [0, 1]."""
        low, high = self.bounds
        change = (as_numpy(self.images).astype(np.float64) - as_numpy(self.starts)) / (high - low)
        return {name: norm_of(change, name) for name in ("l0", "l1", "l2", "linf")}

    @property
    def robust_accuracy(self) -> float:
        """The share of the images whose class the attack did not change."""
        return 1 - float(as_numpy(self.success).mean())

    def figures(self) -> Mapping[str, Any]:
        """The share of successes, their median distance, and what it took."""
        success, distance = as_numpy(self.success), as_numpy(self.distance)
        if len(self) == 1:
            return {**self._mind(), **self._cost()}
        found = {f"median {WORDS[self.norm]} distance": float(np.median(distance[success]))} if success.any() else {}
        return {"success": float(success.mean()), **found, **self._cost()}

    def _mind(self) -> Mapping[str, Any]:
        """Of one image, what the network took it for, and what it takes the picture for."""
        before, after = (
            f"{self.label(int(number))}, probability {chance:.3f}"
            for number, chance in zip(as_numpy(self.classes)[0], as_numpy(self.confidence)[0], strict=True)
        )
        distance = {f"{WORDS[self.norm]} distance": float(as_numpy(self.distance)[0])}
        return {"fooled": "yes" if as_numpy(self.success)[0] else "no", "before": before, "after": after, **distance}

    def _cost(self) -> Mapping[str, float]:
        """The means of forward and of backward passes."""
        means = {name: float(as_numpy(getattr(self, name)).mean()) for name in ("queries", "gradients")}
        return {name: int(mean) if mean.is_integer() else mean for name, mean in means.items()}

    def _facts(self) -> Iterator[str]:
        success = as_numpy(self.success)
        yield f"{int(success.sum())} of {len(success)} fooled"
        yield f"{WORDS.get(self.norm, self.norm)} distances"

    def _per_image(self) -> tuple[str, ...]:
        return (
            *super()._per_image(),
            "success",
            "distance",
            "leave",
            "reach",
            "classes",
            "confidence",
            "leave_confidence",
            "queries",
            "gradients",
            "survives_8_bit",
            "zero_gradient",
            "no_start",
        )  # fmt: skip

    def own_notes(self) -> tuple[str, ...]:
        """What a reader must know of these images, so many of so many."""
        return tuple(_own_notes(self))

    def _other_notes(self) -> Iterator[str]:
        own = self.own_notes()
        return (note for note in self.notes if note not in own)

    def _at(self, places: Sequence[int]) -> "Adversarial":
        """With the notes of these images alone."""
        part = super()._at(places)
        assert isinstance(part, Adversarial)
        return replace(part, notes=(*part.own_notes(), *self._other_notes()))

    def joined(self, others: Sequence[Self]) -> Self:
        """This batch's result with those of the batches after it; their histories, of several lengths, are left out."""
        if not others:
            return self
        joined = super().joined(others)
        rest = dict.fromkeys(note for part in (self, *others) for note in part._other_notes())
        return replace(joined, history=None, notes=(*joined.own_notes(), *rest))

    def already(self) -> Array:
        """(N,), booleans: whether the class was left, or reached, before any change."""
        classes, reach = as_numpy(self.classes)[:, 0], as_numpy(self.reach)
        return np.where(reach < 0, as_numpy(self.success) & (as_numpy(self.distance) == 0), classes == reach)

    def explanation(self, index: int) -> str:
        """One line on one image: "tabby 0.93 -> toaster 0.81, L-inf 0.0314, 40 queries"."""
        (before, after), (p, q) = as_numpy(self.classes)[index], as_numpy(self.confidence)[index]
        line = f"{self.label(int(before))} {p:.2f} -> {self.label(int(after))} {q:.2f}"
        distance = f"{WORDS[self.norm]} {float(as_numpy(self.distance)[index]):.3g}"
        failed = "" if as_numpy(self.success)[index] else "not fooled: "
        return f"{failed}{line}, {distance}, {int(as_numpy(self.queries)[index])} queries"

    def _columns(self) -> Mapping[str, Any]:
        """One row for each image."""
        classes, confidence = as_numpy(self.classes), as_numpy(self.confidence)
        return {
            "image": np.arange(len(self)),
            **{name: as_numpy(getattr(self, name)) for name in ("success", "distance", "leave", "reach")},
            "class_before": classes[:, 0],
            "class_after": classes[:, 1],
            "confidence_before": confidence[:, 0],
            "confidence_after": confidence[:, 1],
            **{name: as_numpy(getattr(self, name)) for name in ("queries", "gradients", "survives_8_bit")},
            **{name: as_numpy(values) for name, values in self.norms().items()},
        }

    def picture(self) -> Pixels:
        """Each image, the change magnified, and the picture side by side, with a line below; at most 24 images."""
        rows = [self._row(index) for index in range(min(len(self), SHOWN))]
        left = len(self) - len(rows)
        return adversarial_sheet(rows, f"and {left} more" if left else "")

    def _row(self, index: int) -> tuple[list[Pixels], str]:
        low, high = self.bounds
        before, after = (as_numpy(images)[index] for images in (self.starts, self.images))
        drawn, factor = magnified((after - before) / (high - low), self.bands)
        pictures = [pixels(before, self.bounds, self.bands), drawn, pixels(after, self.bounds, self.bands)]
        return pictures, f"{self.explanation(index)}; change x {factor:.3g}"

    def _scale(self, pixels: Pixels) -> int:
        return 1

    def save(self, path: str | Path, form: str | None = None, *, scale: int | None = None, quality: int = 95) -> Path:
        """As `Result.save`; beside the sheet of one image its picture alone, `name-adversarial.png`, in 8 bits."""
        saved = super().save(path, form, scale=scale, quality=quality)
        if saved.suffix.lower() in PICTURES and len(self) == 1:
            beside = saved.with_name(f"{saved.stem}-adversarial.png")
            with whole_file(beside) as temporary, temporary.open("wb") as file:
                write_picture(self.drawn(0), ".png", file, quality)
        return saved

    def frames(self) -> list[Pixels]:
        raise ParameterError("an attack has no pictures on the way to show; save it as .png or .npz")

    def save_history(self, path: Any) -> Any:
        """As `Synthesis.save_history`.

        Raises:
            ParameterError: this attack keeps no history.
        """
        if self.history is None:
            raise ParameterError(f"{self.method} keeps no history of its steps; leave --history out")
        return super().save_history(path)


def _own_notes(result: Adversarial) -> Iterator[str]:
    success, count = as_numpy(result.success), len(result)
    if (already := int(np.sum(result.already()))) > 0:
        wanted = "is the one to reach" if int(as_numpy(result.reach).max()) >= 0 else "is not the one to leave"
        yield f"the class of {already} of {count} images {wanted} before any change"
    if flat := int((as_numpy(result.zero_gradient) & ~success).sum()):
        yield (
            f"the gradient was zero at {flat} of {count} images that were not fooled: the network is saturated, "
            "rounded, not differentiable or NaN there, and an attack by gradients says nothing about it; square and "
            "boundary need none"
        )
    no_start = np.zeros(count, bool) if result.no_start is None else as_numpy(result.no_start)
    if without := int(no_start.sum()):
        yield (
            f"no picture to start from was found for {without} of {count} images, and so no attack was made on them; "
            "give a picture that the network takes for another class, or for the one to reach: start=..."
        )
    if failed := int((~success & ~no_start).sum()):
        yield (
            f"{failed} of {count} images were not fooled: that this attack at these settings found nothing does not "
            "show that there is nothing; try more steps, restarts, and other attacks"
        )
    if lost := int((success & ~as_numpy(result.survives_8_bit)).sum()):
        yield (
            f"{lost} of {int(success.sum())} pictures that fool do not when rounded to 8 bits, as .png and .jpg files "
            "are; .npz keeps the numbers"
        )
