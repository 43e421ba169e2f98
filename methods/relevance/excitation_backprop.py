"""Excitation backprop (Zhang et al., 2018, https://arxiv.org/abs/1608.00507)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from crosslens.arrays import Array, namespace
from crosslens.execution.progress import Progress
from crosslens.introspection import default_layer
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.relevance import (
    COMPOSITES,
    Propagation,
    Relevance,
    conservation_note,
    refuse_after_softmax,
    refuse_unreached,
)

from ._channels import channels_added_up
from ._contrast import contrastive

REASONS = "a layer that others bypass, or layers without a rule, such as a normalisation that stands alone"
KEPT = 0.05
"""Share of the probability, kept by units that no input excites, above which the result says so."""


@dataclass(frozen=True, kw_only=True)
class ExcitationBackprop(Method):
    """Which units would win on the way down.

    Marginal winning probability: a winner is passed down layer by layer, to inputs by their excitation x w+.

    Equation 4: P(i | j) is x_i w_ij / sum_i x_i w_ij over positive weights, biases left out. The target has probability
    1, so the map of a layer that others do not bypass adds up to 1, less what stays at units that are active by their
    bias alone and that no input excites ("stabiliser" in `result.figures()`). "contrast" (section 3.3) subtracts what
    the dual unit, with negative weights, would give: it leaves what is the target's own, and adds up to 0.
    """

    name = "excitation_backprop"
    aliases: ClassVar[Mapping[str, str]] = {
        "excitation_bp": "",
        "contrastive_excitation_backprop": "contrast=True",
        "marginal_winning_probability": "",
    }
    layer: str | None = param(None, "layer of the map; the last one with maps if not given, as in Grad-CAM")
    contrast: bool = param(False, "subtract the probabilities under the target's negative weights")
    volumes = True

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        """The layer."""
        return {} if self.layer else {"layer": default_layer(model, objective, images)}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Relevance:
        """Maps (N, h, w) of probabilities, of the size of the layer's; with contrast, differences of such."""
        refuse_after_softmax(model, objective, self.name)
        assert self.layer is not None
        refuse_unreached(model, objective, self.layer)
        composite = contrastive(model, objective, self.layer) if self.contrast else COMPOSITES["excitation"]
        found = Propagation.of(model, composite, objective, layer=self.layer).of_target(images, objective)
        values, taken = (
            _over(channels_added_up(found.values, self.layer), found.start),
            _over(found.absorbed, found.start),
        )
        start = _over(found.start, found.start)
        if self.contrast:  # both units' probability is 1, and the rule takes the second one off the first
            taken = taken - namespace(taken).stack([0 * start, start], axis=1)
            start = 0 * start
        result = Relevance(values, scores=found.scores, start=start, absorbed=taken)
        return replace(result, notes=(*conservation_note(result, REASONS), *self._kept_note(taken), *found.notes))

    def _kept_note(self, taken: Array) -> tuple[str, ...]:
        most = float(namespace(taken).max(taken[:, 1]))
        if self.contrast or most <= KEPT:
            return ()
        return (f"up to {most:.0%} of the probability stays at units that no input excites, their bias alone",)


def _over(values: Array, start: Array) -> Array:
    """Each image's values over its number of `start`; 0 where that is 0, for then nothing is passed down."""
    xp = namespace(values)
    number = xp.reshape(xp.astype(start, values.dtype), (-1, *[1] * (values.ndim - 1)))
    return xp.where(number == 0, xp.zeros_like(values), values / xp.where(number == 0, xp.ones_like(number), number))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ExcitationBackprop]
