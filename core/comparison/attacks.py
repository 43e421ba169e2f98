"""Attacks in a comparison: whether networks fall to the same pictures, and what of a difference rounding explains.

Attacks by signs amplify rounding: where a gradient is near zero two frameworks step either way, and pictures that fool
both may differ at every pixel. So success, distance and whether a picture fools the other network are compared, and not
the pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..attack import Adversarial
from ..attack.adversarial_sheet import magnified
from ..image.false_colour import pixels
from ..result import Result
from ..result.display import Pixels
from ..robustness.intervals import wilson
from ..robustness.transfer_matrix import Transfer

__all__ = ["AttackRun", "AttackView", "attack_drawings", "attack_figures", "attack_view", "is_attack"]


def is_attack(result: Result) -> bool:
    """Whether it is what an attack gave."""
    return isinstance(result, Adversarial)


def attack_figures(transfer: Transfer, a: str, b: str, n: int, results: Mapping[str, Adversarial]) -> dict[str, float]:
    """The figures of one image, see `crosslens.comparison.figures.ATTACK_FIGURES`.

    Args:
        transfer: the pictures made on each network, tried on each.
        a, b: two networks.
        n: which image.
        results: by network.
    """
    success = [bool(as_numpy(results[name].success)[n]) for name in (a, b)]
    distance = [float(as_numpy(results[name].distance)[n]) for name in (a, b)]
    figures = {"same_success": float(success[0] == success[1]), "shared_picture": 1.0}
    if success[0] != success[1]:
        source, target = (a, b) if success[0] else (b, a)
        figures["shared_picture"] = float(_fools(transfer, source, target, n))
    if all(success):
        figures["distance_difference"] = abs(distance[0] - distance[1]) / (max(distance) or 1.0)
    return figures


def _fools(transfer: Transfer, source: str, target: str, n: int) -> bool:
    """Whether the picture made on one network fools another one, or misses that by a margin within rounding."""
    s, t = transfer.models.index(source), transfer.models.index(target)
    if bool(as_numpy(transfer.fooled)[s, t, n]):
        return True
    margin = float(as_numpy(transfer.margins)[s, t, n])
    return any({source, target} <= set(group) for group in transfer.alike) and margin <= 2 * transfer.rounding


@dataclass(frozen=True)
class AttackRun:
    """One attack on one network."""

    model: str
    success: tuple[bool, ...]
    """Of each image."""
    distance: tuple[float, ...]
    queries: tuple[int, ...]
    gradients: tuple[int, ...]
    interval: tuple[float, float]
    """Of the share of images that were fooled, Wilson's at 95 %."""
    texts: tuple[str, ...]
    """One line on each image."""

    @property
    def fooled(self) -> int:
        """How many images."""
        return sum(self.success)

    @property
    def median_distance(self) -> float | None:
        """Of the pictures that fool; None where none does."""
        found = [each for each, fools in zip(self.distance, self.success, strict=True) if fools]
        return float(np.median(found)) if found else None


@dataclass(frozen=True)
class AttackView:
    """One attack on all networks of a comparison."""

    method: str
    norm: str
    runs: tuple[AttackRun, ...]
    transfer: Transfer
    matrix: bool
    """Whether the matrix was asked for."""

    def as_json(self) -> dict[str, Any]:
        """Success, distance and queries of each network and image, disputes, and the matrix if it was asked for."""
        runs = [
            {
                "model": run.model,
                "fooled": run.fooled,
                "interval": list(run.interval),
                "median_distance": run.median_distance,
                "success": list(run.success),
                "distance": list(run.distance),
                "queries": list(run.queries),
                "gradients": list(run.gradients),
            }
            for run in self.runs
        ]
        matrix = {"transfer": self.transfer.as_json()} if self.matrix else {}
        return {
            "method": self.method,
            "norm": self.norm,
            "runs": runs,
            "disputes": self.transfer.dispute_rows(),
            **matrix,
        }


def attack_view(method: str, results: Mapping[str, Adversarial], transfer: Transfer, *, matrix: bool) -> AttackView:
    """One attack on several networks as plain data.

    Args:
        method: its label in the comparison.
        results: by network.
        transfer: its pictures of each network, tried on each.
        matrix: whether that was asked for.
    """
    first = next(iter(results.values()))
    return AttackView(method, first.norm, tuple(_run(*each) for each in results.items()), transfer, matrix)


def _run(model: str, result: Adversarial) -> AttackRun:
    success = as_numpy(result.success)
    low, high = wilson(success.sum(), len(success))
    return AttackRun(
        model,
        tuple(map(bool, success)),
        tuple(map(float, as_numpy(result.distance))),
        tuple(map(int, as_numpy(result.queries))),
        tuple(map(int, as_numpy(result.gradients))),
        (float(low), float(high)),
        tuple(result.explanation(n) for n in range(len(success))),
    )


def attack_drawings(models: Sequence[str], results: Sequence[Adversarial], index: int) -> list[tuple[str, Pixels]]:
    """For each network the change of an image, magnified, and its picture, each with a line of text."""
    drawn = []
    for model, result in zip(models, results, strict=True):
        low, high = result.bounds
        before, after = (as_numpy(images)[index] for images in (result.starts, result.images))
        change, factor = magnified((after - before) / (high - low), result.bands)
        drawn.append((f"{model}: change x {factor:.3g}", change))
        drawn.append((f"{model}: {result.explanation(index)}", np.asarray(pixels(after, result.bounds, result.bands))))
    return drawn
