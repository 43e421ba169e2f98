"""A model seen through images in [0, 1], whatever its own bounds: where synthesis makes its pictures.

Step sizes, noise, grey borders, squashing and priors of the published methods are all stated for images in [0, 1]. A
synthesis for a network of other bounds therefore runs on this view, and its pictures are mapped back at the end.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from typing import Any, Self

import numpy as np

from ..arrays import Array
from ..model.base import Model
from ..model.digest import WeightsHistory
from ..model.input_spec import InputSpec
from ..model.layer import INPUT, Layer
from ..model.linearization import Linearization, Pullback
from ..model.output.output_spec import OutputSpec
from ..model.repeatability import repeatability
from ..result import Result

__all__ = ["UnitRange", "images_for", "in_model_bounds", "in_unit_range", "synthesis_view"]


class UnitRange(Model):
    """The same network for images x in [0, 1]: it sees low + (high - low) x, and gradients follow the chain rule."""

    def __init__(self, model: Model) -> None:
        self.model, self.wrapped_input = model, model.input
        low, high = model.input.bounds or (0.0, 1.0)
        self._gain = high - low
        self.input = replace(model.input, bounds=(0.0, 1.0))
        self.preprocess, self.origin, self.named = model.preprocess, model.origin, model.named
        self.labels, self.batch_size, self.output_kind = model.labels, model.batch_size, model.output_kind
        self.largest_batch = model.largest_batch
        vars(self)["_repeatability"] = repeatability(model)
        self.backend = model.backend  # type: ignore[misc]  # of the model itself

    @property
    def layers(self) -> Mapping[str, Layer]:
        return self.model.layers

    @property
    def versions(self) -> Mapping[str, str]:
        return self.model.versions

    @property
    def output(self) -> OutputSpec:
        return self.model.output

    @property
    def last_digest(self) -> str:
        return self.model.last_digest

    @property
    def history(self) -> WeightsHistory:
        return self.model.history

    @property
    def frozen_weights(self) -> bool:  # type: ignore[override]  # of the model itself
        return self.model.frozen_weights

    def weights_mark(self) -> Hashable:
        return self.model.weights_mark()

    def follow_weights(self) -> None:
        self.model.follow_weights()

    def other_weights(self) -> Iterable[Array]:
        return self.model.other_weights()

    def threads(self, count: int) -> AbstractContextManager[int | None]:
        return self.model.threads(count)

    def diagnosis(self) -> Iterable[tuple[str, bool | None, str]]:
        return self.model.diagnosis()

    def caveats(self) -> tuple[str, ...]:
        return self.model.caveats()

    def placed(self, x: Array) -> Array:
        return self.model.placed(x)

    def upstream(self, names: Iterable[str]) -> frozenset[str] | None:
        return self.model.upstream(names)

    def layers_of(self, layer: object) -> tuple[str, ...] | None:
        return self.model.layers_of(layer)

    def differentiate(
        self, function: Callable[..., Any], arrays: Sequence[Array], *, gradient: bool
    ) -> tuple[Array, Sequence[Array]] | None:
        return self.model.differentiate(function, arrays, gradient=gradient)

    def reads(self, layer: str) -> tuple[str, ...] | None:
        return self.model.reads(layer)

    def weights(self, layer: str) -> Mapping[str, Array]:
        return self.model.weights(layer)

    @property
    def nonlinearities(self) -> Mapping[str, int] | None:
        return self.model.nonlinearities

    @property
    def rectified_layers(self) -> tuple[str, ...] | None:
        return self.model.rectified_layers

    @property
    def rules_for(self) -> frozenset[str]:  # type: ignore[override]  # of the model itself
        return self.model.rules_for

    def modified(self, **rules: Any) -> Self:
        return self._copy(model=self.model.modified(**rules))

    def _with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> Self:
        return self._copy(model=self.model._with_weights(changed))

    def _forward(self, x: Array, capture: tuple[str, ...], replaced: Mapping[str, Array]) -> Mapping[str, Array]:
        return self.model._forward(self.wrapped_input.from_unit(x), capture, replaced)

    def _linearize(
        self, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replaced: Mapping[str, Array]
    ) -> Linearization:
        return _ScaledLinearization(
            self.model._linearize(self.wrapped_input.from_unit(x), capture, wrt, replaced),
            self._gain,
            self.wrapped_input,
        )

    def _vjp(
        self,
        x: Array,
        cotangents: Mapping[str, Array],
        wrt: tuple[str, ...],
        capture: tuple[str, ...],
        replaced: Mapping[str, Array],
    ) -> Pullback:
        pull = self.model._vjp(self.wrapped_input.from_unit(x), cotangents, wrt, capture, replaced)
        return Pullback(_scale_image_gradient(pull.gradients, self._gain), pull.activations)


class _ScaledLinearization(Linearization):
    """A linearisation whose gradient at the image is one with respect to the image in [0, 1]."""

    def __init__(self, inner: Linearization, gain: float, wrapped_input: InputSpec) -> None:
        self._inner, self._gain, self._wrapped_input = inner, gain, wrapped_input
        self.activations = inner.activations

    @property
    def inside(self) -> Mapping[str, Array]:
        """The model's own, but for the image, which is the one in [0, 1]."""
        inside = self._inner.inside
        return {**inside, INPUT: self._wrapped_input.to_unit(inside[INPUT])} if INPUT in inside else inside

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        return _scale_image_gradient(self._inner.vjp(cotangents), self._gain)

    def last_vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        return _scale_image_gradient(self._inner.last_vjp(cotangents), self._gain)

    def close(self) -> None:
        self._inner.close()


def _scale_image_gradient(gradients: Mapping[str, Array], gain: float) -> Mapping[str, Array]:
    return {**gradients, INPUT: gain * gradients[INPUT]} if INPUT in gradients else gradients


def in_unit_range(model: Model) -> Model:
    """The model as one of images in [0, 1]; itself where they lie there, or where it takes no images."""
    return model if model.input.bounds in {None, (0.0, 1.0)} else UnitRange(model)


def images_for(model: Model, images: Array) -> Array:
    """Images in the bounds of the model that was wrapped, as `model` takes them: in [0, 1] if it is a `UnitRange`."""
    return model.wrapped_input.to_unit(images) if isinstance(model, UnitRange) else images


def synthesis_view(model: Model, images: Array) -> tuple[Model, Array]:
    """The model as one of images in [0, 1], and the user's images for it, where the network computes; None stays."""
    view = in_unit_range(model)
    return view, None if images is None else model.placed(images_for(view, images))


def in_model_bounds(result: Result, model: Model, images: Array) -> Result:
    """A synthesis made in [0, 1] with its pictures in the bounds of the model.

    Args:
        result: what a method made on the view of `model`.
        model: the model itself.
        images: what the user gave; NumPy arrays, or None, bring NumPy arrays back.
    """
    if images is None or isinstance(images, np.ndarray):
        result = result.on_host()  # type: ignore[attr-defined]
    if in_unit_range(model) is model:
        return result
    from_unit = model.input.from_unit
    mapped: dict[str, Any] = {
        field.name: from_unit(getattr(result, field.name))
        for field in fields(result)
        if field.name in {"images", "starts"} and getattr(result, field.name) is not None
    }
    if snapshots := getattr(result, "snapshots", None):
        mapped["snapshots"] = {step: from_unit(pictures) for step, pictures in snapshots.items()}
    return replace(result, **mapped)
