"""A sheet of what many channels of a layer look for (Olah et al. 2017, the article's appendix shows whole layers)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array
from crosslens.errors import ParameterError
from crosslens.execution.batching import batch_limit, slices
from crosslens.execution.progress import Progress
from crosslens.introspection.layer_scales import layer_of_units
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, channel, each
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.jobs import make_pictures
from crosslens.synthesis.starting_point import picture_size

from ._ascent_batches import AscentBatches
from .activation_maximisation import ActivationMaximisation


@dataclass(frozen=True, kw_only=True)
class ChannelGrid(ActivationMaximisation):
    """One picture for each of many channels of a layer.

    The pictures are shown side by side; batches of them are optimised together.

    A channel that nothing at the start excites stays as it began, and the notes name it.
    """

    name = "channel_grid"
    needs_target = False
    usual_rate = 0.03
    example: ClassVar = {"steps": 4, "count": 3}
    layer: str | None = param(
        None, "layer with channels; if not given, the last of the last scale but one, before its rectifier"
    )
    channels: tuple[int, ...] | None = param(None, "channels to show; `count` of them, evenly spread, if not given")
    count: int = param(16, "how many channels to show", minimum=1)
    steps: int = param(96, "steps of Adam", minimum=1)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": layer_of_units(model)}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """As many pictures as channels, each from its own noise; history (steps, channels)."""
        if images is not None:
            raise ParameterError(
                "channel_grid makes its pictures from noise; for given images: activation_maximisation"
            )
        self._refuse_data(self.name)
        name = self.layer or layer_of_units(model)
        units = [channel(name, index) for index in self._channels(model, name)]
        for unit in units:
            unit.check(model)
        return make_pictures(self, model, objective, self._batches_of(model, units), None, progress)

    def _batches_of(self, model: Model, units: Sequence[Objective]) -> AscentBatches:
        """The units in batches, each with a seed of its own."""
        size = picture_size(model, None, self.size)
        pixels = self._pixels(model, size)
        ascents, starts = [], []
        for place, (start, stop) in enumerate(slices(len(units), batch_limit(model))):
            objective, seed = each(units[start:stop]), self.seed + place
            ascents.append(self._ascent(model, objective, pixels, size, seed, may_be_dead=True))
            starts.append(replace(self, seed=seed)._start(pixels, stop - start))
        jobs = AscentBatches(ascents, starts, self.steps, self._optimiser(pixels, starts[0]))
        self._record_prior(jobs, pixels, ascents[0].drift)
        return jobs

    def _channels(self, model: Model, layer: str) -> tuple[int, ...]:
        if self.channels is not None:
            return tuple(self.channels)
        shape = model.layer(layer).shape
        total = shape[2 if len(shape) == 3 else 1] or 1
        return tuple(int(k) for k in np.linspace(0, total - 1, min(self.count, total)).round())


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ChannelGrid]
