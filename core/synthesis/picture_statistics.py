"""The colours and the spectrum that pictures are made to have: those of photographs, or measured on a data set.

`crosslens run colour_statistics MODEL DATA -o colours.npz` measures, and "data:colours.npz" names what it wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..errors import ParameterError, unknown_name
from ..operators import AMPLITUDES, LUCID, NATURAL, PHOTOGRAPHS, Colour, Identity, Operator
from ..plugins.saved_result import load
from ..result import Result
from ..sheets.colours import Colours

__all__ = ["CHOICES", "COLOURS", "PictureStatistics", "picture_statistics"]

COLOURS: Mapping[str, Operator] = {
    "photographs": Colour.decorrelated(PHOTOGRAPHS),
    "lucid": Colour.decorrelated(LUCID),
    "rgb": Identity(),
}
"""Axes of colour: principal ones measured on photographs, Lucid's published ones, or red, green and blue themselves."""
METHOD = "colour_statistics"
DATA = "data:"
"""What stands before a file or a store."""
CHOICES = (*COLOURS, f"{DATA}FILE")
"""What a parameter of a method may be, as text."""
_MEASURE = f"measure them: crosslens run {METHOD} MODEL DATA -o colours.npz, then {DATA}colours.npz"


@dataclass(frozen=True)
class PictureStatistics:
    """Axes of colour, and how amplitudes fall with the frequency."""

    axes: Operator
    decay: float = NATURAL
    """The power of 1 / f."""
    amplitudes: Any = None
    """Mean magnitudes along the axes by octave, (octaves, C), as `AMPLITUDES`; None where they are not known."""


def picture_statistics(colour: Any, channels: int) -> PictureStatistics:
    """What a parameter `colour` means for pictures with so many channels.

    Args:
        colour: of `COLOURS`, which are for three channels (others keep theirs as they are); "data:" and a file that
            the method colour_statistics wrote, or the store of a sweep with it; its result itself; or a covariance of
            pixels in [0, 1], (C, C), which says nothing of frequencies: photographs' are taken.
        channels: of the pictures.

    Raises:
        ParameterError: no such colours, no such file, or measured on pictures with another number of channels.
    """
    if isinstance(colour, str) and not colour.startswith(DATA):
        if colour not in COLOURS:
            raise ParameterError(unknown_name("colour", colour, CHOICES))
        axes = COLOURS[colour] if channels == 3 else Identity()
        return PictureStatistics(axes, amplitudes=AMPLITUDES if colour == "photographs" else None)
    if isinstance(colour, str):
        colour = _read(Path(colour.removeprefix(DATA)))
    if isinstance(colour, Colours):
        made = PictureStatistics(colour.colours, colour.decay or NATURAL, colour.octaves())
    elif np.ndim(colour) == 2 and not isinstance(colour, Result):
        made = PictureStatistics(Colour.principal(colour))
    else:
        _refuse(f"colour is {colour!r}")
    measured = len(made.axes.matrix)  # type: ignore[attr-defined]
    if measured != channels:
        raise ParameterError(
            f"the colours were measured on pictures with {measured} channel{'s' * (measured != 1)}, and these have "
            f"{channels}; {_MEASURE}, with a model that takes {channels}"
        )
    return made


def _read(path: Path) -> Colours:
    """The result in a file, or in the store of a sweep."""
    file = path / METHOD / "result.npz" if path.is_dir() else path
    if not file.exists():
        if path.is_dir():
            raise ParameterError(f"the store '{path}' holds no colours: crosslens sweep MODEL DATA {METHOD} -o {path}")
        raise ParameterError(f"no colours at '{path}': the file does not exist; {_MEASURE}")
    result = load(file)
    if not isinstance(result, Colours):
        raise ParameterError(f"'{file}' holds a result of {result.method}, not colours; {_MEASURE}")
    return result


def _refuse(what: str) -> NoReturn:
    raise ParameterError(f"{what}; it must be {', '.join(COLOURS)}, {DATA}FILE, a result of {METHOD} or a covariance")
