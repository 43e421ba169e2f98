"""Facets in a file that a target or a start names: FILE.npz#UNIT/FACET, as the method facets wrote it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError
from ..limits.regular_file import check_regular_file
from ..limits.whole_numbers import is_whole_number
from ..model import Model
from ..reading.array_file import read_npz

__all__ = ["FacetRows", "read_facets"]

Numbers = np.ndarray[Any, Any]
METHOD = "facets"
_MAKE = f"crosslens run {METHOD} MODEL DATA -o facets.npz"
_NAMES = ("unit", "facet", "means", "centroids", "space", "layer", "record")


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
    layer: str
    """The layer of the unit."""


def read_facets(text: str, model: Model) -> FacetRows:
    """The facets that a text names: all of the file's one unit, "#7" those of unit 7, "#7/1" facet 1 of these.

    Args:
        text: FILE.npz, or the store of a sweep with facets, then perhaps "#UNIT" or "#UNIT/FACET".
        model: the network whose facets they must be, by its digest.

    Raises:
        ParameterError: no such file, unit or facet, the file holds no facets, or those of another network.
        LayerError: the network is the same, and names its layers otherwise.
    """
    path, _, chosen = text.partition("#")
    words = chosen.split("/") if chosen else []
    if len(words) > 2 or not all(map(is_whole_number, words)):
        raise ParameterError(f"{text!r} names no facets; write FILE.npz, FILE.npz#UNIT or FILE.npz#UNIT/FACET")
    arrays = _arrays(Path(path))
    _refuse_another_network(arrays, path, model)
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
        facet, known = int(words[1]), arrays["facet"][rows].tolist()
        if facet not in known:
            has = f"{len(known)} facets, {known[0]} to {known[-1]}" if len(known) > 1 else f"one facet, {known[0]}"
            raise ParameterError(f"unit {unit} of '{path}' has {has}, not {facet}")
        rows = rows[arrays["facet"][rows] == facet]
    numbers = tuple(arrays["facet"][rows].tolist())
    means, centroids = (arrays[name][rows].astype(np.float32) for name in ("means", "centroids"))
    layer, space = (model.layer(str(arrays[name][rows[0]])).name for name in ("layer", "space"))
    return FacetRows(unit, numbers, means, centroids, space, layer)


def _refuse_another_network(arrays: Mapping[str, Numbers], path: str, model: Model) -> None:
    """Compare the digest that the file records with the network's: kinds, shapes and weights of all layers."""
    try:
        provenance = json.loads(str(arrays["record"]))["provenance"]
    except (ValueError, KeyError, TypeError) as error:
        raise ParameterError(f"'{path}' holds no facets; make them: {_MAKE}") from error
    if provenance.get("model") != model.digest:
        raise ParameterError(
            f"'{path}' holds facets of another network, or of this one with other weights or in another framework "
            f"({provenance.get('backend')}): units and layers need not be the same; make them with this one: {_MAKE}"
        )


def _arrays(path: Path) -> dict[str, Numbers]:
    file = path / METHOD / "result.npz" if path.is_dir() else path
    if not file.exists():
        if path.is_dir():
            raise ParameterError(f"the store '{path}' holds no facets: crosslens sweep MODEL DATA {METHOD} -o {path}")
        raise ParameterError(f"no facets at '{path}': the file does not exist; make them: {_MAKE}")
    check_regular_file(file, ParameterError, "facets")
    try:
        arrays = read_npz(file, _NAMES)
    except ValueError as error:
        raise ParameterError(f"'{file}' holds no facets; make them: {_MAKE}") from error
    return arrays


def _listed(units: Sequence[int]) -> str:
    return ", ".join(map(str, units[:10])) + ", ..." * (len(units) > 10)
