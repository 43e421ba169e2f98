"""Facets in a file that a target or a start names: FILE.npz#UNIT/FACET, as the method facets wrote it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..errors import ParameterError

__all__ = ["FacetRows", "read_facets"]

Numbers = np.ndarray[Any, Any]
METHOD = "facets"
_MAKE = f"crosslens run {METHOD} MODEL DATA -o facets.npz"
_NAMES = ("unit", "facet", "means", "centroids", "space")


@dataclass(frozen=True)
class FacetRows:
    """Some facets of one unit, the largest first."""

    unit: int
    numbers: tuple[int, ...]
    means: Numbers
    """(K, C, H, W), float32, in [0, 1]."""
    centroids: Numbers
    """(K, D), float32."""
    space: str
    """The layer of the centroids."""


def read_facets(text: str) -> FacetRows:
    """The facets that a text names: all of the file's one unit, "#7" those of unit 7, "#7/1" facet 1 of these.

    Args:
        text: FILE.npz, or the store of a sweep with facets, then perhaps "#UNIT" or "#UNIT/FACET".

    Raises:
        ParameterError: no such file, unit or facet, or the file holds no facets.
    """
    path, _, chosen = text.partition("#")
    words = chosen.split("/") if chosen else []
    if len(words) > 2 or not all(word.isdecimal() for word in words):
        raise ParameterError(f"{text!r} names no facets; write FILE.npz, FILE.npz#UNIT or FILE.npz#UNIT/FACET")
    arrays = _arrays(Path(path))
    units = list(dict.fromkeys(arrays["unit"].tolist()))
    if not words and len(units) > 1:
        raise ParameterError(
            f"'{path}' holds facets of the units {_listed(units)}; write which: {path}#{units[0]}, or one facet of it: "
            f"{path}#{units[0]}/0"
        )
    unit = int(words[0]) if words else units[0]
    if unit not in units:
        raise ParameterError(f"'{path}' holds no facets of unit {unit}; it holds those of {_listed(units)}")
    rows = np.flatnonzero(arrays["unit"] == unit)
    if len(words) == 2:
        facet = int(words[1])
        if facet >= len(rows):
            raise ParameterError(f"unit {unit} of '{path}' has {len(rows)} facets, 0 to {len(rows) - 1}, not {facet}")
        rows = rows[facet : facet + 1]
    numbers = tuple(arrays["facet"][rows].tolist())
    means, centroids = (arrays[name][rows].astype(np.float32) for name in ("means", "centroids"))
    return FacetRows(unit, numbers, means, centroids, str(arrays["space"][rows[0]]))


def _arrays(path: Path) -> dict[str, Numbers]:
    file = path / METHOD / "result.npz" if path.is_dir() else path
    if not file.exists():
        if path.is_dir():
            raise ParameterError(f"the store '{path}' holds no facets: crosslens sweep MODEL DATA {METHOD} -o {path}")
        raise ParameterError(f"no facets at '{path}': the file does not exist; make them: {_MAKE}")
    try:
        with np.load(file, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in _NAMES}
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, BadZipFile) as error:
        raise ParameterError(f"'{file}' holds no facets; make them: {_MAKE}") from error
    return arrays


def _listed(units: Sequence[int]) -> str:
    return ", ".join(map(str, units[:10])) + ", ..." * (len(units) > 10)
