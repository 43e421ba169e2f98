"""Pictures that units are excited by most and least, optimised in batches (Olah et al. 2017, "Feature Visualization").

Each is the result of activation maximisation under random moves, scales and turns, of the mean of a unit over its
positions, before its rectifier, where a silent unit has a gradient. The negative is the same for minus the unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy
from ...errors import DivergedError, LayerError, TargetError
from ...execution.notices import withhold
from ...execution.progress import silent
from ...introspection.other_size import network_of_size
from ...introspection.unit_layers import rectified_layers, rectifier_inputs
from ...model.base import Model
from ...model.reduction import positions_first
from ...objective import Objective, channel, each
from ...plugins.registry import method
from ...result import Synthesis
from ..book import Shown

__all__ = ["DIVERSE", "Optimisation", "Optimised"]

DIVERSE = 4
"""Pictures of a unit that differ from each other."""
DIVERSE_STEPS = 0.5
"""Of the steps of the other pictures, for they are seen smaller."""
DIVERSE_RATE = 0.08
"""Length of their steps, which are longer for being fewer."""
DIVERSITY = 0.2
"""What their diversity, -1 to 0, counts beside the unit, in units of what it reaches without."""
DIVERSITY_OF_VECTORS = 0.05
"""The same for units without positions, whose pictures are compared at another layer: 0.3 left nothing of the unit."""
VECTOR_RULES = ("blur:0.3:4",)
"""For units that see the whole image: a gradient through all strides of a network leaves grids."""


@dataclass(frozen=True)
class Optimised:
    """The pictures of one unit, (C, H, W) in the model's bounds; None where nothing excites it."""

    positive: Array
    negative: Array
    diverse: tuple[Array, ...]
    values: Mapping[str, float | None]
    """The unit's largest value over the positions of `positive`, its least over those of `negative`."""


class Optimisation:
    """The pictures of units of one layer, by the network at a smaller size where it can run at one: that costs less."""

    def __init__(self, model: Model, layer: str, shown: Shown) -> None:
        self._model, self._layer, self._shown = model, layer, shown
        if None not in model.input.shape[-2:]:
            self._model = network_of_size(model, shown.size, [layer, self.looked_at])

    @cached_property
    def looked_at(self) -> str:
        """The layer whose values are optimised: what the layer's rectifier reads where that has a name."""
        return rectifier_inputs(self._model, [self._layer]).get(self._layer, self._layer)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the pictures: the size asked for, or the least that the network takes from there on."""
        height, width = self._model.input.shape[-2:]
        return height or self._shown.size, width or self._shown.size

    def pictures(self, units: Sequence[int]) -> Mapping[int, Optimised]:
        """Those of each unit; positive and negative of all together, the diverse ones of each alone.

        Raises:
            KeyboardInterrupt: interrupted; a picture that is not finished is none.
            CrosslensError: the network has no gradient.
        """
        signs = (1, -1) if self.looked_at not in rectified_layers(self._model) else (1,)
        asked = [(unit, sign) for unit in units for sign in signs]
        made = dict(zip(asked, self._maximised([self._objective(*one) for one in asked]), strict=True))
        return {unit: self._one(unit, made.get((unit, 1)), made.get((unit, -1))) for unit in units}

    def _one(self, unit: int, positive: Array, negative: Array) -> Optimised:
        values = self._values(unit, positive), self._values(unit, negative)
        reached = {
            "positive": None if values[0] is None else float(values[0].max()),
            "negative": None if values[1] is None else float(values[1].min()),
        }
        diverse = () if values[0] is None else self._diverse(unit, float(np.abs(values[0]).mean()))
        return Optimised(positive, negative, diverse, reached)

    def _objective(self, unit: int, sign: int) -> Objective:
        mean = channel(self.looked_at, unit)
        return mean if sign > 0 else -mean

    def _maximised(self, objectives: Sequence[Objective]) -> list[Array]:
        """A picture (C, H, W) for each objective; None for one without a gradient, from which the others are parted."""
        try:
            return self._run("activation_maximisation", each(objectives), self._shown.steps)
        except (TargetError, DivergedError):
            if len(objectives) == 1:
                return [None]
            return [picture for one in objectives for picture in self._maximised([one])]

    def _diverse(self, unit: int, reached: float) -> tuple[Array, ...]:
        """Pictures that differ; none where the network has no maps in which they could."""
        steps = max(1, round(DIVERSE_STEPS * self._shown.steps))
        weight = reached * (DIVERSITY_OF_VECTORS if len(self._model.layer(self.looked_at).shape) == 2 else DIVERSITY)
        how = {"count": DIVERSE, "weight": weight, "learning_rate": DIVERSE_RATE}
        try:
            made = self._run("diversity", self._objective(unit, 1), steps, **how)
        except (TargetError, DivergedError, LayerError):
            return ()
        return tuple(made)

    def _run(self, name: str, objective: Objective, steps: int, **parameters: Any) -> list[Array]:
        free = None in self._model.input.shape[-2:]
        rules = () if self._model.layer(self.looked_at).has_maps else VECTOR_RULES
        asked = method(name, steps=steps, rules=rules, size=self._shown.size if free else None, **parameters)
        with withhold():
            made = asked(self._model, target=objective, progress=silent)
        assert isinstance(made, Synthesis)
        if made.history.shape[0] < steps:
            raise KeyboardInterrupt
        return list(as_numpy(made.images))

    def _values(self, unit: int, picture: Array) -> np.ndarray[Any, Any] | None:
        """Those of a unit at all positions of a picture."""
        if picture is None:
            return None
        image = self._model.placed(picture[None])
        found: np.ndarray[Any, Any] = positions_first(self._model.forward(image, [self.looked_at])[self.looked_at])
        return found[0, :, unit]
