"""A sheet of what many channels of a layer look for (Olah et al. 2017, the article's appendix shows whole layers)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, namespace
from crosslens.batching import batch_limit, slices
from crosslens.errors import ParameterError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, channel, each
from crosslens.progress import Progress
from crosslens.result import Synthesis
from crosslens.scales import layer_of_units

from .activation_maximisation import ActivationMaximisation


@dataclass(frozen=True, kw_only=True)
class ChannelGrid(ActivationMaximisation):
    """One picture for each of many channels of a layer, side by side; batches of them climb together.

    A channel that nothing at the start excites stays as it began, and the notes name it.
    """

    name = "channel_grid"
    needs_target = False
    example: ClassVar = {"steps": 4, "count": 3}
    layer: str | None = param(
        None, "layer with channels; if not given, the last of the last scale but one, before its rectifier"
    )
    channels: tuple[int, ...] | None = param(None, "channels to show; `count` of them, evenly spread, if not given")
    count: int = param(16, "how many channels to show")
    steps: int = param(96, "steps of Adam")
    learning_rate: float = param(0.03, "length of a step, in the parameterisation's unit")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """As many pictures as channels, each from its own noise; history (steps, channels)."""
        if images is not None:
            raise ParameterError(
                "channel_grid makes its pictures from noise; for given images: activation_maximisation"
            )
        if self.resume is not None:
            raise ParameterError("channel_grid runs in batches and cannot be resumed; resume activation_maximisation")
        layer = self.layer or layer_of_units(model)
        units = [channel(layer, index) for index in self._channels(model, layer)]
        for unit in units:
            unit.check(model)
        batches = list(slices(len(units), batch_limit(model)))
        parts = []
        for place, (start, stop) in enumerate(batches):
            made = replace(self, seed=self.seed + place)._climbed(
                model, None, each(units[start:stop]), objective, _part(progress, place, len(batches)), alone=False
            )
            parts.append(replace(made, state={}))
            if any(note.startswith("interrupted") for note in made.notes):
                break
        return _sheet(parts)

    def _channels(self, model: Model, layer: str) -> tuple[int, ...]:
        if self.channels is not None:
            return tuple(self.channels)
        shape = model.layer(layer).shape
        total = shape[2 if len(shape) == 3 else 1] or 1
        if self.count < 1:
            raise ParameterError(f"count is {self.count}; it must be at least 1")
        return tuple(int(k) for k in np.linspace(0, total - 1, min(self.count, total)).round())


def _part(progress: Progress, place: int, batches: int) -> Progress:
    """Progress of one batch as a part of the whole."""
    return lambda done, total, what: progress(place * total + done, batches * total, what)


def _sheet(parts: Sequence[Synthesis]) -> Synthesis:
    """The batches as one result; one that was interrupted is as long as its last value goes on."""
    longest = max(part.history.shape[0] for part in parts)
    xp = namespace(parts[0].history)
    histories = [xp.concat([h, *[h[-1:, ...]] * (longest - h.shape[0])], axis=0) for h in (p.history for p in parts)]
    whole = set.intersection(*(set(part.snapshots) for part in parts))
    snapshots = {step: xp.concat([part.snapshots[step] for part in parts], axis=0) for step in sorted(whole)}
    return replace(parts[0].joined(parts[1:]), history=xp.concat(histories, axis=1), snapshots=snapshots)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ChannelGrid]
