"""`UniversalResult`: one perturbation for many pictures, and what a network says of pictures that have it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..errors import ImageError
from ..image.false_colour import pixels
from ..input.as_array import as_array
from ..result import Synthesis
from ..result.display import Pixels
from ..result.table import Table
from .adversarial import WORDS
from .adversarial_sheet import adversarial_sheet, magnified
from .cluster_interval import cluster_interval
from .projection import norm_of
from .shown_on_pictures import ShownOnPictures

__all__ = ["HELD_OUT", "NOISE", "TRAINING", "UniversalResult"]

HELD_OUT, TRAINING, NOISE = "held out", "training", "noise"


@dataclass(frozen=True, kw_only=True)
class UniversalResult(ShownOnPictures, Synthesis):
    """A perturbation (1, C, H, W), and the classes of n pictures without it and with it.

    `images` is the perturbation as a picture, magnified on mid-grey; `history` the mean loss of each pass, (passes,).
    """

    perturbation: Array = None
    """(1, C, H, W), in the unit of images in [0, 1], whatever the model's bounds."""
    norm: str = "linf"
    """In which it is bounded."""
    towards: int = -1
    """The class wanted; -1 where any other than the picture's own will do."""
    ids: tuple[str, ...] = ()
    """Of the n pictures, those that were held out first."""
    held_out: Array = None
    """(n,), booleans: whether the picture took no part in the training."""
    before: Array = None
    """(n,): the predicted class without the perturbation."""
    after: Array = None
    """(n,): with it."""
    confidence: Array = None
    """(n,): the probability of the latter."""
    success: Array = None
    """(n,), booleans: whether the picture is fooled: its class is another one, or the one wanted.

    Of independent classes: whether that which was the strongest has a probability below one half."""
    noise_success: Array = None
    """(n,), booleans: whether it is by random noise of the same norm."""
    examples: Array = None
    """(M, C, H, W): the first of the held-out pictures, in the model's bounds."""
    labels: tuple[str, ...] = ()
    """Names of the classes; none where the model has none."""
    _kind: ClassVar[str] = "universal perturbation"

    @property
    def rates(self) -> Table:
        """The share of pictures that are fooled, each with a 95 % interval: held out, training, and held out by noise.

        The intervals are over pictures, for others drawn as these were (`cluster_interval`).
        """
        held, success, noise = (as_numpy(each) for each in (self.held_out, self.success, self.noise_success))
        asked = {HELD_OUT: success[held], TRAINING: success[~held], NOISE: noise[held]}
        limits = np.array([cluster_interval(hits, np.ones(len(hits))) for hits in asked.values()])
        return Table(
            {
                "of": np.array(list(asked)),
                "pictures": np.array([len(hits) for hits in asked.values()]),
                "rate": np.array([hits.mean() for hits in asked.values()]),
                "low": limits[:, 0],
                "high": limits[:, 1],
            }
        )

    @property
    def summary(self) -> Table:
        """`rates`: what the command line prints."""
        return self.rates

    @property
    def classes_reached(self) -> Table:
        """The classes that held-out pictures have with the perturbation, the most frequent first, and how many had."""
        held = as_numpy(self.held_out)
        before, after = as_numpy(self.before)[held], as_numpy(self.after)[held]
        found, counts = np.unique(after, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return Table(
            {
                "class": np.array([self.label(int(found[n])) for n in order]),
                "pictures": counts[order],
                "without": np.array([int((before == found[n]).sum()) for n in order]),
            }
        )

    def comparison_with_noise(self) -> Iterator[str]:
        """A note where it is not shown that other pictures are fooled more often than by noise."""
        rates, low = as_numpy(self.rates.columns["rate"]), float(as_numpy(self.rates.columns["low"])[0])
        if low <= rates[2]:
            count, trained = int(as_numpy(self.held_out).sum()), int((~as_numpy(self.held_out)).sum())
            yield (
                f"of {count} pictures held out {rates[0]:.1%} are fooled, and {rates[2]:.1%} by random noise of the "
                f"same norm: too near to say that the perturbation does more; it was trained on {trained} pictures, of "
                f"which it fools {rates[1]:.1%}: give more pictures, or a larger eps"
            )

    def apply(self, images: Any) -> Array:
        """Pictures with the perturbation, cut off at the bounds.

        Args:
            images: (N, C, H, W) or (C, H, W), within `bounds`, of the perturbation's size.

        Returns:
            (N, C, H, W), within `bounds`.

        Raises:
            ImageError: the pictures have another size.
        """
        if isinstance(images, str | Path):
            raise ImageError(f"apply takes arrays: give crosslens.load_image({str(images)!r}, like=model)")
        x = as_array(images)
        x, shape, (low, high) = x[None, ...] if x.ndim == 3 else x, tuple(self.perturbation.shape[1:]), self.bounds
        if tuple(x.shape[1:]) != shape:
            raise ImageError(
                f"the perturbation is {shape}, and the pictures are {tuple(x.shape[1:])}: it is for pictures as the "
                "network takes them; give crosslens.load_image(path, like=model)"
            )
        return namespace(x).clip(x + (high - low) * like(self.perturbation, x), low, high)

    def figures(self) -> Mapping[str, Any]:
        """The share of held-out pictures that are fooled with its interval, the other shares, and the norm."""
        table = {name: as_numpy(values) for name, values in self.rates.columns.items()}
        asked = {} if self.towards < 0 else {"towards": self.label(self.towards)}
        return {
            **asked,
            "success": float(table["rate"][0]),
            "low": float(table["low"][0]),
            "high": float(table["high"][0]),
            TRAINING: float(table["rate"][1]),
            NOISE: float(table["rate"][2]),
            f"{WORDS[self.norm]} norm": float(norm_of(self.perturbation, self.norm)[0]),
        }

    def _facts(self) -> Iterator[str]:
        values = self.figures()
        wanted = f" towards {self.label(self.towards)}" if self.towards >= 0 else ""
        yield f"{WORDS[self.norm]} {values[f'{WORDS[self.norm]} norm']:.3g}{wanted}"
        count = int(as_numpy(self.held_out).sum())
        yield f"fools {values['success']:.1%} [{values['low']:.1%}, {values['high']:.1%}] of {count} pictures held out"

    def _per_image(self) -> tuple[str, ...]:
        return ("images",)

    def _columns(self) -> Mapping[str, Any]:
        """One row for each picture."""
        names = ("held_out", "before", "after", "confidence", "success", "noise_success")
        return {"id": np.array(self.ids), **{name: as_numpy(getattr(self, name)) for name in names}}

    def on_pictures(self) -> Pixels:
        """Held-out pictures, the perturbation magnified, and the pictures with it, and the classes, (H, W, 3)."""
        pictures = as_numpy(self.examples)
        changed = as_numpy(self.apply(pictures))
        drawn, factor = magnified(as_numpy(self.perturbation)[0], self.bands)
        rows = []
        for n, (before, after) in enumerate(zip(pictures, changed, strict=True)):
            shown = [pixels(before, self.bounds, self.bands), drawn, pixels(after, self.bounds, self.bands)]
            rows.append((shown, self._line(n)))
        rate = self.figures()
        said = (
            f"fools {rate['success']:.1%} [{rate['low']:.1%}, {rate['high']:.1%}] of "
            f"{int(as_numpy(self.held_out).sum())} pictures held out; perturbation x {factor:.3g}"
        )
        return adversarial_sheet(rows, said)

    def _line(self, index: int) -> str:
        before, after = (self.label(int(as_numpy(each)[index])) for each in (self.before, self.after))
        failed = "" if as_numpy(self.success)[index] else "not fooled: "
        return f"{failed}{before} -> {after} {as_numpy(self.confidence)[index]:.2f}"
