"""Translate layer names between models: a layer named in one, or the first one's default, in all others."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

import numpy as np

from ..alignment.align import Alignment, align
from ..alignment.layer_family import layer_family
from ..alignment.probe_images import probes
from ..alignment.similarity import similarities
from ..arrays import Array, as_numpy
from ..errors import CrosslensError, LayerError
from ..execution.notices import notice
from ..execution.progress import Progress
from ..method.base import Method
from ..method.no_target import NO_TARGET
from ..method.provenance import named_layers, names_layers
from ..model.base import INPUT, OUTPUT, Model
from ..model.layer import LayerLike
from ..objective import Objective
from ..objective.renamed_layers import RenamedLayers
from ..objective.target import resolve_target
from ..result import Result

__all__ = ["LayerTranslation", "TranslatedMethod"]

MOST_PROBES = 4
"""Number of images that layers are matched on."""
SAME = 0.99
"""Score (`crosslens.alignment.similarity`) from which two layers are counterparts without a look at the others."""


@dataclass(frozen=True)
class TranslatedMethod:
    """A method with its layers named as in one of the models."""

    method: Method
    default: bool = False
    """Whether its layers are the counterparts of the default of the first model."""
    missing: str = ""
    """Why this model has no counterpart of the first one's default, so that its own default is explained."""

    def __call__(self, model: Model, images: Array, target: Any, progress: Progress | None = None) -> Result:
        """Run it, and say in the result where its layers come from."""
        result: Result = self.method(model, images, target, progress=progress)
        if self.default:
            return replace(result, provenance={**result.provenance, "default_layer": True})
        if not self.missing:
            return result
        layers = ", ".join(map(repr, result.provenance["layers"]))
        note = f"another layer is explained here, this model's own default {layers}: {self.missing}"
        notice(f"{result.method}: {note}")
        return replace(result, notes=(*result.notes, note))


class LayerTranslation:
    """Finds the counterpart of a layer of one model in another one of the same network."""

    def __init__(self, models: Mapping[str, Model], images: Array) -> None:
        """`models` by name; `images` (N, C, H, W), or None where methods make their own."""
        self.models, self.images = models, images
        self.first = next(iter(models))
        self._counterparts: dict[tuple[str, str, str], str] = {}
        self._alignments: dict[tuple[str, str], Alignment] = {}
        self._preferred: dict[str, tuple[str, ...]] = {}

    def targets(self, target: Any) -> dict[str, Any]:
        """The target for each model: where it names a layer that a model does not have, the counterpart is read.

        Raises:
            LayerError: no model has a layer of that name, or one has no counterpart of it.
        """
        if not isinstance(target, str | Objective):
            return dict.fromkeys(self.models, target)
        by_model: dict[str, Objective | LayerError] = {name: self._objective(target, name) for name in self.models}
        source = next((name for name, each in by_model.items() if isinstance(each, Objective)), None)
        if source is None:
            raise next(each for each in by_model.values() if isinstance(each, LayerError))
        return {
            name: target if isinstance(each, Objective) else self._translate_objective(by_model[source], source, name)
            for name, each in by_model.items()
        }

    def _objective(self, target: Any, model: str) -> Objective | LayerError:
        count = None if self.images is None else self.images.shape[0]
        try:
            return resolve_target(target, self.models[model], count)
        except LayerError as error:
            return error

    def _translate_objective(self, objective: Any, source: str, to: str) -> Objective:
        inner = [name for name in objective.layers if name not in {INPUT, OUTPUT}]
        return RenamedLayers(objective, {name: self.counterpart(name, source, to) for name in inner})

    def methods(self, method: Method, targets: Mapping[str, Any]) -> Mapping[str, TranslatedMethod | CrosslensError]:
        """The method for each model: with the counterparts of the layers it names, or of the first model's default.

        An error for a model that has no counterpart of a layer, or for each where the method does not fit the first.
        """
        try:
            with_defaults = self._with_default_layers(method, self.first, targets)
        except CrosslensError as error:
            return dict.fromkeys(self.models, error)
        if with_defaults is method:
            return {name: self._named_in(method, name) for name in self.models}
        others = {
            name: self._with_first_default(method, with_defaults, name, targets)
            for name in self.models
            if name != self.first
        }
        return {self.first: TranslatedMethod(method), **others}

    def _named_in(self, method: Method, to: str) -> TranslatedMethod | CrosslensError:
        try:
            return TranslatedMethod(self._translate_method(method, to))
        except CrosslensError as error:
            return error

    def _with_default_layers(self, method: Method, model: str, targets: Mapping[str, Any]) -> Method:
        network = self.models[model]
        objective = resolve_target(targets[model], network, None) if method.needs_target else NO_TARGET
        return method.with_network_defaults(network, self.images, objective)

    def _with_first_default(
        self, method: Method, of_first: Method, to: str, targets: Mapping[str, Any]
    ) -> TranslatedMethod:
        """The method with the counterpart of the first model's default; of several, its own default if that is one."""
        with suppress(LayerError):
            self._preferred[to] = named_layers(self._with_default_layers(method, to, targets))
        try:
            return TranslatedMethod(self._translate_method(of_first, to, self.first), default=True)
        except LayerError as error:
            return TranslatedMethod(method, missing=str(error))

    def _translate_method(self, method: Method, to: str, source: str | None = None) -> Method:
        """The method with the layers of model `to`: those of `source`, or, without one, of whatever model has them."""
        changed: dict[str, Any] = {}
        for each in fields(method):
            value = getattr(method, each.name)
            if isinstance(value, Method):
                changed[each.name] = self._translate_method(value, to, source)
            elif names_layers(each.name) and value is not None and value != ():
                several = isinstance(value, list | tuple)
                layers = tuple(self._layer_in(to, layer, source) for layer in (value if several else (value,)))
                changed[each.name] = layers if several else layers[0]
        same = all(getattr(method, name) == value for name, value in changed.items())
        return method if same else replace(method, **changed)

    def _layer_in(self, to: str, layer: LayerLike, source: str | None) -> str:
        """A layer of model `source`, or, without one, one that the user named in any of the models.

        A framework's own object is a layer of the models that wrap its network.
        """
        if source is not None:
            return self.counterpart(layer, source, to)
        sources = [name for name in self.models if _has(self.models[name], layer)]
        if not sources:
            self.models[self.first].layer(layer)  # raises, and names the nearest
        if not isinstance(layer, str):
            return self.counterpart(self.models[sources[0]].layer_name(layer), sources[0], to)
        return layer if to in sources else self.counterpart(layer, sources[0], to)

    def counterpart(self, layer: str, source: str, to: str) -> str:
        """The layer of model `to` that has the values of `layer` of model `source`.

        Raises:
            LayerError: there is none; the message names the counterparts of its neighbours.
        """
        key = layer, source, to
        if source == to or layer in {INPUT, OUTPUT}:
            return layer
        if key not in self._counterparts:
            self._counterparts[key] = self._by_activations(layer, source, to) or self._by_alignment(layer, source, to)
        return self._counterparts[key]

    def _by_activations(self, layer: str, source: str, to: str) -> str | None:
        """The layer with the same values; of several one preferred, or of the same kind, or the first."""
        one, other, x = self.models[source].layer(layer), self.models[to], self._probes()[:2, ...]
        size = prod(n or 1 for n in one.shape[1:])
        names = [n for n, each in other.layers.items() if n not in {INPUT, OUTPUT} and _size(each.shape) == size]
        if not names:
            return None
        activation, candidates = self.models[source].forward(x, [layer])[layer], other.forward(x, names)
        score = similarities([as_numpy(activation)], [as_numpy(candidates[n]) for n in names]).score[0]
        best = [n for n, value in zip(names, score, strict=True) if value >= max(SAME, float(np.max(score)) - 1e-4)]
        one_family = [n for n in best if layer_family(other.layers[n].kind) == layer_family(one.kind) != ""]
        preferred = [n for n in best if n == one.name or n in self._preferred.get(to, ())]
        return next(iter([*preferred, *one_family, *best]), None)

    def _by_alignment(self, layer: str, source: str, to: str) -> str:
        if (source, to) not in self._alignments:
            models = self.models[source], self.models[to]
            self._alignments[source, to] = align(*models, images=self._probes(), names=(source, to))
        return self._alignments[source, to].translate(layer, source, to)

    def _probes(self) -> Array:
        """Some of the images, or photographs where there are none of the models' own size."""
        sizes = [model.input.shape for model in self.models.values()]
        fits = self.images is not None and all(
            n in {None, m} for shape in sizes for n, m in zip(shape, self.images.shape[1:], strict=True)
        )
        return self.images[:MOST_PROBES, ...] if fits else probes(self.models[self.first])


def _size(shape: tuple[int | None, ...]) -> int:
    return prod(n or 1 for n in shape[1:])


def _has(model: Model, layer: LayerLike) -> bool:
    try:
        model.layer(layer)
    except LayerError:
        return False
    return True
