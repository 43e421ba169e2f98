"""The insertion metric (Petsiuk et al., 2018, https://arxiv.org/abs/1806.07421, section 4.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array
from crosslens.method import Method, param
from crosslens.method.fills import Fill
from crosslens.plugins.hookspecs import hookimpl

from ._pixel_curve import FILL, PixelCurve


@dataclass(frozen=True, kw_only=True)
class Insertion(PixelCurve):
    """Judge a method by inserting important pixels first.

    Judge a method: how fast the class comes when the pixels it calls important are inserted first; high is good.

    The class's probability against the share of pixels of the image that stand in a blurred one, and the area under
    that curve. Any other target than a class is followed in its own unit. Equal values go from the upper left.
    """

    name = "insertion"
    aliases: ClassVar[Mapping[str, str]] = {
        "insertion_curve": "",
    }
    verb = "inserted"
    fill: Fill = param("blurred", FILL)

    def ends(self, image: Array, fill: Array) -> tuple[Array, Array]:
        return fill, image


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Insertion]
