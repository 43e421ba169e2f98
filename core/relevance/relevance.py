"""`Relevance`: the result of methods that share a target out, with what was lost on the way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..result import Attribution

__all__ = ["Relevance", "absorption_note", "conservation_note"]

_LARGE_GAP = 0.05
"""Share of the relevance at the start above which a gap is told."""
_ROUNDING = 1e-4
"""Share of the map's magnitudes up to which a gap is rounding, where what starts is little beside them."""
_LARGE_ABSORPTION = 0.9
"""Share of the relevance at the start above which it is told that biases took so much."""


@dataclass(frozen=True)
class Relevance(Attribution):
    """How much of the target each pixel, or each value of a layer, is responsible for, in the target's unit.

    `values` are maps (N, h, w), channels added up, or each channel's own; their sum, what biases and the stabiliser
    took, and the gap make up the start.
    """

    start: Array = field(default=None, kw_only=True)
    """(N,) the relevance that was shared out."""
    absorbed: Array = field(default=None, kw_only=True)
    """(N, 2) what biases and the stabiliser of the rules took."""

    def _per_image(self) -> tuple[str, ...]:
        return (*super()._per_image(), "start", "absorbed")

    def drawn(self, index: int, form: str | None = None) -> np.ndarray[Any, Any]:
        """As of any attribution; red for and blue against the target on white if no form is given, as is usual here."""
        return super().drawn(index, form or "signed")

    def figures(self) -> Mapping[str, Any]:
        """The accounts: "start", "sum" over the map, "biases", "stabiliser", and "gap", the rest of the start.

        Numbers for one image, tuples of numbers for several.
        """
        return {name: float(v[0]) if len(v) == 1 else tuple(map(float, v)) for name, v in self._accounts().items()}

    def _accounts(self) -> Mapping[str, np.ndarray[Any, Any]]:
        values = as_numpy(self.values).astype(np.float64)
        start, absorbed = (as_numpy(v).astype(np.float64) for v in (self.start, self.absorbed))
        total = values.reshape(len(values), -1).sum(axis=1)
        biases, stabiliser = absorbed[:, 0], absorbed[:, 1]
        gap = start - total - biases - stabiliser
        return {"start": start, "sum": total, "biases": biases, "stabiliser": stabiliser, "gap": gap}

    def _facts(self) -> Iterator[str]:
        yield from super()._facts()
        if len(self) == 1 and self.start is not None:
            yield from (f"{name} {value:.4g}" for name, value in self.figures().items())


def absorption_note(result: Relevance) -> tuple[str, ...]:
    """What to say where biases took more than is left for the image."""
    accounts = result._accounts()
    taken, size = np.abs(accounts["biases"]), np.abs(accounts["start"])
    share = np.divide(taken, size, out=np.zeros_like(size), where=size > 0)
    if not (share > _LARGE_ABSORPTION).any():
        return ()
    return (
        f"biases took {share.max():.0%} of the relevance, so the map holds little of the target; with rules of one "
        "sign (z_plus, alpha_beta) biases='ignore' shares that out too",
    )


def conservation_note(result: Relevance, reasons: str) -> tuple[str, ...]:
    """What to say where relevance got lost or was made on the way.

    Args:
        result: with its accounts.
        reasons: what in this method may do so.
    """
    accounts = result._accounts()
    size = np.abs(accounts["start"])
    values = np.abs(as_numpy(result.values)).astype(np.float64)
    rounding = _ROUNDING * values.reshape(len(values), -1).sum(axis=1)
    lost = np.abs(accounts["gap"]) > np.maximum(_LARGE_GAP * size, rounding)
    if not lost.any():
        return ()
    worst = int(np.argmax(np.where(size > 0, np.abs(accounts["gap"]) / np.where(size > 0, size, 1), 0)))
    return (
        f"relevance is not conserved: of {accounts['start'][worst]:.4g} at the start, {accounts['sum'][worst]:.4g} is "
        f"in the map, biases took {accounts['biases'][worst]:.4g}, the stabiliser {accounts['stabiliser'][worst]:.4g}, "
        f"and {accounts['gap'][worst]:.4g} is unaccounted for ({reasons})",
    )
