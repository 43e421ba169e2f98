"""The pictures of examples as they are made: cut to receptive fields, and beside them attributions, drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from crosslens.arrays import Array, as_numpy, namespace
from crosslens.errors import ParameterError
from crosslens.execution.batching import batch_limit
from crosslens.execution.progress import silent
from crosslens.image.false_colour import pixels
from crosslens.method import Method
from crosslens.method.sanity import refuse_nonfinite
from crosslens.model import Model
from crosslens.objective import Objective, each, neuron
from crosslens.result import Attribution
from crosslens.sheets.cut_out import shrunk
from crosslens.sheets.examples import Examples

from ._example_fields import GREY, LayerFields

__all__ = ["DrawnExamples", "Use"]

Numbers = np.ndarray[Any, Any]
SIZE = 112
"""Pixels of the longer side of a stored picture, at most."""


SAME = 0.01
"""Of a unit's largest value: what an answer may differ from that of the sweep, whose batches may round otherwise."""


class Use(NamedTuple):
    """One example that gets a picture: where its picture goes, and what it is of."""

    image: int
    layer: str
    slot: tuple[int, int, int]
    unit: int
    position: int


@dataclass
class DrawnExamples:
    """The pictures of examples, image by image."""

    examples: Examples
    model: Model
    method: Method | None
    fields: Mapping[str, LayerFields]
    crops: dict[str, dict[tuple[int, int, int], Numbers]] = field(default_factory=dict)
    attributions: dict[str, dict[tuple[int, int, int], Numbers]] = field(default_factory=dict)
    thumbnails: dict[int, Numbers] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    waiting: dict[str, list[tuple[Array, Use]]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    changed: dict[str, None] = field(default_factory=dict)
    """Images for which a unit no longer answers as it did."""

    def add(self, image: Array, record: Mapping[str, Any], uses: Sequence[Use]) -> None:
        """All pictures of one image (1, C, H, W)."""
        drawn = pixels(as_numpy(image)[0], self.model.input.bounds or (0.0, 1.0))
        self.thumbnails[uses[0].image] = shrunk(drawn, SIZE)
        if "label" in record:
            self.labels[uses[0].image] = str(record["label"])
        for use in uses:
            self.crops.setdefault(use.layer, {})[use.slot] = shrunk(self._cut(drawn, use), SIZE)
            if self.method is not None:
                waiting = self.waiting.setdefault(use.layer, [])
                waiting.append((image, use))
                if len(waiting) == batch_limit(self.model):
                    self._explain(self.method, waiting)

    def _explain(self, method: Method, waiting: list[tuple[Array, Use]]) -> None:
        """The attributions of a batch of examples of one layer, which is emptied."""
        batch = namespace(waiting[0][0]).concat([image for image, _ in waiting], axis=0)
        objective = each(self._objective(use) for _, use in waiting).for_model(self.model)
        found = method.with_network_defaults(self.model, batch, objective).run(self.model, batch, objective, silent)
        if not isinstance(found, Attribution):
            raise ParameterError(f"{method.name} gives a {type(found).__name__}, not an attribution of an image")
        refuse_nonfinite(method.name, found)
        values = found.values if method.preset is None else method.preset.apply(found.values, batch.shape[2:])
        found = replace(found, values=values, images=batch)
        for one, (_, use) in zip(found, waiting, strict=True):
            self.attributions.setdefault(use.layer, {})[use.slot] = shrunk(self._drawn(one, use), SIZE)
        if found.scores is not None and self.examples.by == "activation":
            self._compare(as_numpy(found.scores), [use for _, use in waiting])
        waiting.clear()

    def _compare(self, answers: Numbers, uses: Sequence[Use]) -> None:
        """Name the images that are other ones than those that were looked at."""
        for answer, use in zip(answers.tolist(), uses, strict=True):
            own = as_numpy(self.examples.values[use.layer])[:, use.unit]
            if abs(answer - own[use.slot[0], use.slot[2]]) > SAME * max(float(np.abs(own).max()), 1e-6):
                self.changed[self.examples.names[use.image]] = None

    def _objective(self, use: Use) -> Objective:
        shape = self.examples.shapes[use.layer]
        place = np.unravel_index(use.position, shape) if shape else ()
        return neuron(self.examples.looked_at[use.layer], use.unit, *map(int, place))

    def _drawn(self, one: Attribution, use: Use) -> Numbers:
        """The attribution of one image, cut as the image is; values of pixels are cut first, then scaled."""
        fields = self.fields[use.layer]
        if not one.is_per_pixel or one.images.ndim != 4:
            return self._cut(one.drawn(0), use)
        values, image = (fields.cut(as_numpy(each), use.unit, use.position, 0) for each in (one.values, one.images))
        return replace(one, values=values, images=image).drawn(0)

    def _cut(self, drawn: Numbers, use: Use) -> Numbers:
        if self.model.input.is_volume:
            return drawn
        cut = self.fields[use.layer].cut(np.moveaxis(drawn, -1, 0), use.unit, use.position)
        return np.moveaxis(cut, 0, -1)

    def result(self, units: Mapping[str, tuple[int, ...]], shown: int) -> Examples:
        for waiting in self.waiting.values():
            if waiting and self.method:
                self._explain(self.method, waiting)
        size = (len(self.examples.kinds), shown)
        told = {
            "could not be read again and have no picture": self.missing,
            "are other ones than those swept, so their pictures do not show what has these values": list(self.changed),
        }
        notes = [f"{len(each)} images of examples {text}: {_first(each)}" for text, each in told.items() if each]
        return replace(
            self.examples,
            pictured=dict(units),
            crops=_arrays(self.crops, units, size),
            attributions=_arrays(self.attributions, units, size) if self.method else {},
            thumbnails=self.thumbnails,
            labels=self.labels,
            attribution=self.method.name if self.method else "",
            notes=(*self.examples.notes, *notes),
        )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ", ..." * (len(names) > 3)


def _arrays(
    pictures: Mapping[str, Mapping[tuple[int, int, int], Numbers]],
    units: Mapping[str, tuple[int, ...]],
    size: tuple[int, int],
) -> Mapping[str, Numbers]:
    """By layer (kinds, S, shown, h, w, 3), white where there is no picture; layers without any are one white pixel."""
    kinds, shown = size
    arrays = {}
    for layer, chosen in units.items():
        own = pictures.get(layer, {})
        height, width = (max((each.shape[axis] for each in own.values()), default=1) for axis in (0, 1))
        arrays[layer] = np.full((kinds, len(chosen), shown, height, width, 3), 255, np.uint8)
        for slot, picture in own.items():
            arrays[layer][slot] = GREY
            arrays[layer][slot][: picture.shape[0], : picture.shape[1]] = picture
    return arrays
