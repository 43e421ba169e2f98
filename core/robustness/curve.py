"""`RobustnessCurve`: accuracy against the radius of attacks, with intervals, and what each image took to be fooled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError, unknown_name
from ..result.base import new_axes
from ..result.display import counted
from ..result.formats import PICTURES
from .figure import PlottedTable
from .intervals import wilson

__all__ = ["ALL", "RobustnessCurve", "curve_columns"]

Values = np.ndarray[Any, Any]
ALL = "all attacks"
"""The worst case: an image is right where no attack fools the network about it."""
WORDS = {"linf": "L-inf", "l2": "L2", "l1": "L1"}


def curve_columns(attacks: tuple[str, ...], eps: tuple[float, ...], least: Values) -> Mapping[str, Values]:
    """The table of a curve: a row for each attack, and for all of several, at each radius.

    Args:
        attacks: by name.
        eps: the radii.
        least: (A, N), the least change by which each attack fools the network about each image, 0 where it is wrong
            without any, infinite where none was found.
    """
    every = {**dict(zip(attacks, least, strict=True)), **({ALL: least.min(axis=0)} if len(attacks) > 1 else {})}
    count = least.shape[1]
    right = np.stack([[int((own > radius).sum()) for radius in eps] for own in every.values()])
    low, high = wilson(right, count)
    return {
        "attack": np.asarray(list(every)).repeat(len(eps)),
        "eps": np.tile(np.asarray(eps, np.float64), len(every)),
        "accuracy": right.ravel() / count,
        "low": low.ravel(),
        "high": high.ravel(),
        "right": right.ravel(),
        "images": np.full(right.size, count),
    }


@dataclass(frozen=True, kw_only=True)
class RobustnessCurve(PlottedTable):
    """One row for each attack and radius, those of `ALL` attacks together last where there are several.

    Columns: "attack", "eps"; "accuracy", the share of images that stay right at every picture which the attack found
    within this radius; "low" and "high", its Wilson interval at 95 %; "right", their number; "images", how many count.
    An image is right where the network says its label or, if `against` is "prediction", what it says of the image
    itself; one that is wrong without any change is wrong at all radii.
    """

    attacks: tuple[str, ...]
    eps: tuple[float, ...]
    """Increasing from 0, in the unit of images in [0, 1]."""
    norm: str
    """"linf", "l2" or "l1"."""
    against: str
    """"label" or "prediction"."""
    least: Array
    """(A, N): the least change by which each attack fooled the network; 0: wrong without any; infinite: none found."""
    names: tuple[str, ...] = ()
    """Of the N images, in the order of the data."""
    keep: Array = None
    """(N,): the class that counts as right."""
    predicted: Array = None
    """(N,): the class that the network predicts for the image itself."""
    queries: Array = None
    """(A, N): forward passes at all radii together."""
    gradients: Array = None
    """(A, N): backward passes."""
    flat: Array = field(default=None)
    """(A, N): at how many radii the gradient was zero somewhere on the way."""
    _kind: ClassVar[str] = "robustness curve"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".svg", ".npz", ".csv", ".parquet", ".json")
    _choices: ClassVar[str] = (
        ".png, .jpg, .webp or .svg for the plot, .csv, .parquet or .json for the table, .npz for everything"
    )

    def least_of(self, attack: str = ALL) -> Values:
        """(N,): the least change by which this attack fooled the network about each image, or any of them.

        Raises:
            ParameterError: no such attack.
        """
        least = as_numpy(self.least)
        if attack == ALL:
            return np.asarray(least.min(axis=0))
        if attack not in self.attacks:
            raise ParameterError(unknown_name("attack", attack, [*self.attacks, ALL], of="this curve"))
        return np.asarray(least[self.attacks.index(attack)])

    def fooled(self, attack: str = ALL) -> Values:
        """(E, N), booleans: whether each image was fooled within each radius; what is true of one is of larger ones."""
        return np.asarray(self.least_of(attack)[None, :] <= np.asarray(self.eps)[:, None])

    def figures(self) -> Mapping[str, Any]:
        """The accuracy without any change, and at the largest radius, by all attacks together."""
        least = self.least_of()
        return {
            f"{self._measure} at eps {radius:g}": float((least > radius).mean())
            for radius in dict.fromkeys((self.eps[0], self.eps[-1]))
        }

    @property
    def _measure(self) -> str:
        return "accuracy" if self.against == "label" else "agreement"

    def _facts(self) -> Iterator[str]:
        yield counted(as_numpy(self.least).shape[1], "image")
        yield f"{', '.join(self.attacks)} in {WORDS[self.norm]}"
        yield from (f"{name} {value:.4g}" for name, value in self.figures().items())

    def plot(self, axes: Any = None) -> Any:
        """Draw accuracy against the radius on matplotlib axes (new ones if not given); returns the axes."""
        axes = axes or new_axes()
        columns = {name: as_numpy(values) for name, values in self.columns.items()}
        for n, attack in enumerate(dict.fromkeys(columns["attack"].tolist())):
            own = columns["attack"] == attack
            colour, style = ("black", "--") if attack == ALL else (f"C{n % 10}", "-")
            eps = columns["eps"][own]
            axes.plot(eps, columns["accuracy"][own], style, marker="o", ms=3.5, color=colour, label=attack)
            axes.fill_between(eps, columns["low"][own], columns["high"][own], color=colour, alpha=0.12, lw=0)
        what = "accuracy" if self.against == "label" else "agreement with the clean prediction"
        axes.set_xlabel(f"eps: {WORDS[self.norm]} distance, images in [0, 1]")
        axes.set_ylabel(what)
        axes.set_ylim(-0.02, 1.02)
        axes.grid(alpha=0.3)
        axes.legend(title=f"{counted(as_numpy(self.least).shape[1], 'image')}, 95 % intervals", fontsize="small")
        return axes

    def as_json(self) -> dict[str, Any]:
        """The table, each image's least changes (null: none found), and where all that came from."""
        least = {attack: as_numpy(own).tolist() for attack, own in zip(self.attacks, self.least, strict=True)}
        return {
            "norm": self.norm,
            "against": self.against,
            "eps": list(self.eps),
            "columns": {name: as_numpy(values).tolist() for name, values in self.columns.items()},
            "images": list(self.names),
            "least": least,
            "parameters": dict(self.parameters),
            "provenance": dict(self.provenance),
            "notes": list(self.notes),
        }
