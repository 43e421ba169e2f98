"""Contrastive marginal winning probability: the top layer's rule, positive weights less those of the dual unit."""

from dataclasses import dataclass

from crosslens.errors import LayerError
from crosslens.model import INPUT, Model
from crosslens.model.kernel_rules import Branch
from crosslens.objective import Objective
from crosslens.relevance import COMPOSITES, Composite, ExcitationBackprop, LinearMap, Rule, linear_maps

from ._prepared import prepared

__all__ = ["contrastive"]


@dataclass(frozen=True)
class _Contrast(ExcitationBackprop):
    """By K+, less by (-K)+: what excites a unit, less what excites the one with opposite weights (section 3.3)."""

    def branches(self, linear: LinearMap) -> tuple[Branch, ...]:
        (winning,) = super().branches(linear)
        ((inputs, _),) = winning.kernels
        return winning, Branch(((inputs, (-linear.kernel).clip(min=0)),), weight=-1.0)


@dataclass(frozen=True)
class _Contrastive(Composite):
    top: str = ""

    def rule(self, linear: LinearMap) -> Rule:
        return _Contrast() if linear.layer == self.top else super().rule(linear)


def contrastive(model: Model, objective: Objective, layer: str) -> Composite:
    """Excitation backprop with the contrast at the last linear layer before a target.

    Args:
        model: the network.
        objective: the target.
        layer: where probabilities are asked for.

    Raises:
        LayerError: the layer is not one that the last linear layer is computed from.
    """
    ends = sorted(model.layer(name).name for name in objective.layers if name != INPUT)
    top, reads = prepared(model, ("top", *ends), lambda: _top(model, ends))
    below = model.upstream(reads) if reads and INPUT not in reads else None
    name = layer if layer == INPUT else model.layer(layer).name
    if name != INPUT and below is not None and name not in below:
        raise LayerError(
            f"contrast=True contrasts at what the last linear layer before the target, {top!r}, reads, and "
            f"{name!r} does not come before that; give an earlier layer=, or contrast=False"
        )
    plain = COMPOSITES["excitation"]
    return _Contrastive(plain.convolution, plain.dense, plain.first, top=top)


def _top(model: Model, ends: list[str]) -> tuple[str, tuple[str, ...]]:
    """The last linear layer before these, and what it reads."""
    before = model.upstream(ends)
    last = [each for each in linear_maps(model, ends) if before is None or each.layer in before][-1]
    return last.layer, last.reads
