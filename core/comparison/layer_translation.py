"""One place in several models: a layer that is named in one, or chosen by default in the first, found in the others."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

import numpy as np

from ..alignment.align import align
from ..alignment.layer_family import layer_family
from ..alignment.probe_images import probes
from ..alignment.similarity import similarities
from ..arrays import Array, as_numpy
from ..errors import LayerError
from ..execution.progress import Progress, silent
from ..method.base import Method
from ..method.no_target import NO_TARGET
from ..method.provenance import named_layers, names_layers
from ..model.base import INPUT, OUTPUT, Model
from ..objective import Objective
from ..objective.renamed_layers import RenamedLayers
from ..objective.target import resolve_target
from ..result import Result

__all__ = ["Counterparts", "Fitted"]

_PROBES = 4
"""So many of the images are what layers are matched on."""
SAME = 0.99
"""Score (`crosslens.alignment.similarity`) from which two layers are counterparts without a look at the others."""


@dataclass(frozen=True)
class Fitted:
    """A method for one of the models."""

    method: Method
    default: bool = False
    """Whether its layers are the counterparts of the default of the first model."""
    missing: str = ""
    """Why the first model's default was not found, so that this model's own is explained."""

    def __call__(self, model: Model, images: Array, target: Any, progress: Progress = silent) -> Result:
        """Run it, and say in the result where its layers come from."""
        result: Result = self.method(model, images, target, progress=progress)
        if self.default:
            return replace(result, provenance={**result.provenance, "default_layer": True})
        if not self.missing:
            return result
        own = ", ".join(map(repr, result.provenance["layers"]))
        note = f"another place is explained here, this model's own default {own}: {self.missing}"
        return replace(result, notes=(*result.notes, note))


class Counterparts:
    """The layers of several models of one network, found in each other."""

    def __init__(self, models: Mapping[str, Model], images: Array) -> None:
        """`models` by name; `images` (N, C, H, W), or None where methods make their own."""
        self.models, self.images = models, images
        self.first = next(iter(models))
        self._known: dict[tuple[str, str, str], str] = {}
        self._alignments: dict[tuple[str, str], Any] = {}
        self._preferred: dict[str, tuple[str, ...]] = {}

    def targets(self, target: Any) -> dict[str, Any]:
        """The target for each model: where it names a layer that a model does not have, the counterpart is read.

        Raises:
            LayerError: no model has a layer of that name, or one has no counterpart of it.
        """
        if not isinstance(target, str | Objective):
            return dict.fromkeys(self.models, target)
        found: dict[str, Objective | LayerError] = {name: self._resolved(target, name) for name in self.models}
        source = next((name for name, each in found.items() if isinstance(each, Objective)), None)
        if source is None:
            raise next(each for each in found.values() if isinstance(each, LayerError))
        return {
            name: target if isinstance(each, Objective) else self._renamed(found[source], source, name)
            for name, each in found.items()
        }

    def _resolved(self, target: Any, model: str) -> Objective | LayerError:
        count = None if self.images is None else self.images.shape[0]
        try:
            return resolve_target(target, self.models[model], count)
        except LayerError as error:
            return error

    def _renamed(self, objective: Any, source: str, to: str) -> Objective:
        inner = [name for name in objective.layers if name not in {INPUT, OUTPUT}]
        return RenamedLayers(objective, {name: self.find(name, source, to) for name in inner})

    def fitted(self, method: Method, targets: Mapping[str, Any]) -> dict[str, Fitted]:
        """The method for each model: with the counterparts of the layers it names, or of the first model's default.

        Raises:
            LayerError: no model has a layer of that name, or one has no counterpart of it.
        """
        settled = self._settled(method, self.first, targets)
        if settled is method:
            return {name: Fitted(self._translated(method, name)) for name in self.models}
        others = {name: self._default(method, settled, name, targets) for name in self.models if name != self.first}
        return {self.first: Fitted(method), **others}

    def _settled(self, method: Method, model: str, targets: Mapping[str, Any]) -> Method:
        network = self.models[model]
        objective = resolve_target(targets[model], network, None) if method.needs_target else NO_TARGET
        return method.with_network_defaults(network, self.images, objective)

    def _default(self, method: Method, settled: Method, to: str, targets: Mapping[str, Any]) -> Fitted:
        """With the first model's default; of layers that hold the same values, its own default if that is one."""
        with suppress(LayerError):
            self._preferred[to] = named_layers(self._settled(method, to, targets))
        try:
            return Fitted(self._translated(settled, to, self.first), default=True)
        except LayerError as error:
            return Fitted(method, missing=str(error))

    def _translated(self, method: Method, to: str, source: str | None = None) -> Method:
        """The method with the layers of model `to`: those of `source`, or, without one, of whatever model has them."""
        changed: dict[str, Any] = {}
        for each in fields(method):
            value = getattr(method, each.name)
            if isinstance(value, Method):
                changed[each.name] = self._translated(value, to, source)
            elif names_layers(each.name) and value:
                names = [value] if isinstance(value, str) else value
                theirs = tuple(
                    self._named(name, to) if source is None else self.find(name, source, to) for name in names
                )
                changed[each.name] = theirs[0] if isinstance(value, str) else theirs
        same = all(getattr(method, name) == value for name, value in changed.items())
        return method if same else replace(method, **changed)

    def _named(self, layer: str, to: str) -> str:
        """A layer that the user named in any of the models."""
        knowing = [name for name in self.models if _has(self.models[name], layer)]
        if not knowing:
            self.models[self.first].layer(layer)  # raises, and names the nearest
        return layer if to in knowing else self.find(layer, knowing[0], to)

    def find(self, layer: str, source: str, to: str) -> str:
        """The layer of model `to` that has the values of `layer` of model `source`.

        Raises:
            LayerError: there is none; the message names the neighbours that are found.
        """
        key = layer, source, to
        if source == to or layer in {INPUT, OUTPUT}:
            return layer
        if key not in self._known:
            self._known[key] = self._alike(layer, source, to) or self._aligned(layer, source, to)
        return self._known[key]

    def _alike(self, layer: str, source: str, to: str) -> str | None:
        """The layer with the same values; of several one preferred, or of the same kind, or the first."""
        one, other, x = self.models[source].layer(layer), self.models[to], self._probes()[:2, ...]
        size = prod(n or 1 for n in one.shape[1:])
        names = [n for n, each in other.layers.items() if n not in {INPUT, OUTPUT} and _size(each.shape) == size]
        if not names:
            return None
        theirs = other.forward(x, names)
        score = similarities(
            [as_numpy(self.models[source].forward(x, [layer])[layer])], [as_numpy(theirs[n]) for n in names]
        ).score[0]
        best = [n for n, value in zip(names, score, strict=True) if value >= max(SAME, float(np.max(score)) - 1e-4)]
        kin = [n for n in best if layer_family(other.layers[n].kind) == layer_family(one.kind) != ""]
        preferred = [n for n in best if n == one.name or n in self._preferred.get(to, ())]
        return next(iter([*preferred, *kin, *best]), None)

    def _aligned(self, layer: str, source: str, to: str) -> str:
        if (source, to) not in self._alignments:
            models = self.models[source], self.models[to]
            self._alignments[source, to] = align(*models, images=self._probes(), names=(source, to))
        found: str = self._alignments[source, to].translate(layer, source, to)
        return found

    def _probes(self) -> Array:
        """Some of the images, or photographs where there are none of the models' own size."""
        sizes = [model.input.shape for model in self.models.values()]
        fits = self.images is not None and all(
            n in {None, m} for shape in sizes for n, m in zip(shape, self.images.shape[1:], strict=True)
        )
        return self.images[:_PROBES, ...] if fits else probes(self.models[self.first])


def _size(shape: tuple[int | None, ...]) -> int:
    return prod(n or 1 for n in shape[1:])


def _has(model: Model, layer: str) -> bool:
    try:
        model.layer(layer)
    except LayerError:
        return False
    return True
