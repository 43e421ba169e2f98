"""What a backend implements: the part of a model that each framework computes in its own way.

`crosslens.Model` builds on it what callers use: checked images, layers by name or alias, copies, what the output means.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

from ..arrays import Array
from ..metadata.origin import Origin
from ..metadata.recipe import Recipe, rebuild
from .backward_rules import BackwardRules
from .input_spec import InputSpec
from .layer import OUTPUT, Layer, shape_in_words
from .linearization import Linearization, Pullback
from .preprocessing import Preprocess
from .reduction import Reduction

__all__ = ["BackendModel", "Differentiable", "described"]


class Differentiable(Protocol):
    """An objective as a backend sees it: array code that gives values and cotangents (`crosslens.Objective`)."""

    @property
    def layers(self) -> frozenset[str]:
        """The layers that it reads."""

    def value_and_cotangents(self, activations: Mapping[str, Array]) -> tuple[Array, Mapping[str, Array]]:
        """Its value for each image (N,), and by layer the gradient of their sum at the layer's activations."""


class BackendModel(ABC):
    """A network as its backend provides it. The methods with an underscore get canonical names and checked arrays."""

    backend: ClassVar[str]
    """The framework's name: "torch", "tensorflow", "onnx"."""
    rules_for: ClassVar[frozenset[str]] = frozenset()
    """The options of `crosslens.Model.modified` that the backend has rules for; the others are refused."""
    input: InputSpec
    preprocess: Preprocess
    origin: Origin = Origin()
    """Where the preprocessing comes from, and what the network's file says of it."""
    labels: Sequence[str] | None = None
    fixed_inputs: Mapping[str, Any] = MappingProxyType({})
    """The values of the other inputs, as `wrap(inputs=)` gave them, for provenance."""
    output_kind: str | None = None
    """What the user says that the output is; see `crosslens.Model.output`."""
    batch_size: int | None = None
    """Images at once, as the user set it; None lets `crosslens.execution.batching` decide."""
    rules: BackwardRules = BackwardRules()  # set by `crosslens.Model.modified`
    recipe: Recipe | None = None
    """How `crosslens.wrap` makes it again, to pickle it; None lets pickle take the object as it is."""
    pickles_whole: ClassVar[bool] = False
    """Whether pickle can take the object as it is; only models of files have a recipe then."""
    largest_batch: int = 8
    """Larger batches are no faster (benchmarks/NOTES.md)."""

    @property
    @abstractmethod
    def layers(self) -> Mapping[str, Layer]:
        """Every layer by name, in execution order, `INPUT` first and `OUTPUT` last."""

    @property
    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Name and version of each framework that computes, for provenance."""

    @property
    def takes_default_preprocessing(self) -> bool:
        """Whether "imagenet" is applied because nobody said what the network was trained on."""
        return self.origin.preprocess == "default" and self.preprocess.preset == "imagenet"

    @cached_property
    def elements(self) -> int:
        """The number of activations of all layers for one image."""
        return sum(prod(n or 1 for n in layer.shape[1:]) for layer in self.layers.values())

    def threads(self, count: int) -> AbstractContextManager[int | None]:
        """Compute with this many threads within a block, on the processor; the settings before come back at its end.

        Gives the number in fact: another where the framework has started; None where the backend cannot tell.
        """
        return nullcontext()

    def diagnosis(self) -> Iterable[tuple[str, bool | None, str]]:
        """What the backend can say before any work: (what, well or not or None for a fact, text) of each finding."""
        return ()

    def caveats(self) -> tuple[str, ...]:
        """Notes for every attribution by this model: gradients that are approximate, for example."""
        return ()

    def __repr__(self) -> str:
        image, output = (shape_in_words(shape) for shape in (self.input.shape, self.layers[OUTPUT].shape[1:]))
        return f"<{type(self).__name__}: {image} -> {output}, {len(self.layers)} layers>"

    def placed(self, x: Array) -> Array:
        """`x` on the device where the network computes, if arrays can live there (torch on a GPU); else `x` itself."""
        return x

    def upstream(self, names: Iterable[str]) -> frozenset[str] | None:
        """The layers that the named ones are computed from, themselves included; None if the backend cannot tell."""
        return None

    def layers_of(self, layer: object) -> tuple[str, ...] | None:
        """The layers that an object of the framework is in this network, by name: one for each time that it runs.

        None for what is no part of the network; () for a part that is no layer. Override where layers are objects.
        """
        return None

    def differentiate(
        self, function: Callable[..., Any], arrays: Sequence[Array], *, gradient: bool
    ) -> tuple[Array, Sequence[Array]] | None:
        """A user's function of activations, called on the framework's own tensors and differentiated by it.

        Args:
            function: takes a tensor for each array and gives numbers (N,).
            arrays: activations (N, ...), channels first, of any kind.
            gradient: whether gradients are asked for.

        Returns:
            The numbers, and the gradient of their sum at each array, as arrays like the first of `arrays`; no gradients
            unless asked for. None where the framework cannot differentiate functions in Python (override where it can),
            or this one has no gradient.
        """
        return None

    def reads(self, layer: str) -> tuple[str, ...] | None:
        """The layers whose activations this layer reads directly, in order; None if the backend cannot tell.

        `INPUT` counts as a layer; () for a layer that depends on no other.
        """
        return None

    @abstractmethod
    def weights(self, layer: str) -> Mapping[str, Array]:
        """The parameters of one layer, by name, in one layout for all frameworks.

        kernel (out, in / groups, kh, kw) or (out, in), bias (out,); scale, offset, mean and variance (C,) of a
        normalisation. Empty for a layer without parameters.
        """

    def other_weights(self) -> Iterable[Array]:
        """Parameters that belong to no layer: a scale of the network's own, an embedding of positions."""
        return ()

    @property
    def nonlinearities(self) -> Mapping[str, int] | None:
        """The number of activation functions of each kind, "rectifier" for those that `modified(relu=)` changes.

        None lets `crosslens.introspection.nonlinearities` count them by the kinds of the layers.
        """
        return None

    @property
    def rectified_layers(self) -> tuple[str, ...] | None:
        """The layers that are the output of a rectifier, in execution order, each tensor under one name.

        None lets `crosslens.introspection.unit_layers` tell them by the kinds of the layers.
        """
        return None

    def _modified(self, rules: BackwardRules) -> Self:
        """A copy with other backward rules; only the options in `rules_for` are not "exact".

        Raises:
            ModelError: the network has no rectifier (`no_rectifier`) and `rules.relu` is not "exact".
        """
        return self._copy()

    @abstractmethod
    def _with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> Self:
        """A copy of the network with these parameters, named and laid out as `weights` gives them."""

    @abstractmethod
    def _forward(self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]) -> Mapping[str, Array]:
        """The activations of these layers. `capture` does not contain `INPUT`."""

    @abstractmethod
    def _linearize(
        self, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Mapping[str, Array]
    ) -> Linearization:
        """As `crosslens.Model.linearize`. `capture` does not contain `INPUT`, `wrt` may."""

    def _reduce(
        self, x: Array, reductions: Sequence[Reduction], capture: tuple[str, ...]
    ) -> tuple[Mapping[Reduction, Array], Mapping[str, Array]] | None:
        """As `crosslens.data.reduce`; override where the backend reduces where the activations are.

        Args:
            x: images (N, C, H, W).
            reductions: of layers with positions under their canonical names, at least one; the sum of each layer that
                is reduced is among them, and where one is not finite the others are not used.
            capture: layers whose activations are returned whole; `INPUT` is not one.

        Returns:
            By reduction an array (N, units) as `reduced` gives it; activations by layer. None: the caller does it.
        """
        return None

    def _vjp(
        self,
        x: Array,
        cotangents: Mapping[str, Array],
        wrt: tuple[str, ...],
        capture: tuple[str, ...],
        replace: Mapping[str, Array],
    ) -> Pullback:
        """As `crosslens.Model.vjp`; override where knowing the cotangents beforehand saves work."""
        with self._linearize(x, (*capture, *(c for c in cotangents if c not in capture)), wrt, replace) as at:
            return Pullback(at.vjp(cotangents), {name: at.activations[name] for name in capture})

    def _compiled_pullback(
        self,
        x: Array,
        objective: Differentiable,
        layers: Mapping[str, str],
        wrt: tuple[str, ...],
        capture: tuple[str, ...],
        replace: Mapping[str, Array],
    ) -> tuple[Pullback, Array] | None:
        """As `crosslens.Model.compiled_pullback`; override where a backend can compile an objective into its graph.

        Args:
            x: images (N, C, H, W).
            objective: what is differentiated.
            layers: the canonical name of each layer that the objective reads, by the objective's own name for it.
            wrt: layers to differentiate with respect to; `INPUT` may be one.
            capture: layers whose activations are returned; `INPUT` is not one.
            replace: activations to run on from instead of a layer's own.
        """
        return None

    def __reduce_ex__(self, protocol: Any) -> Any:
        """By its recipe: a network of a file by the path, of an object with the object."""
        if self.recipe is None:
            return super().__reduce_ex__(protocol)
        return rebuild, (self.recipe.packed(self), self._settings())

    def __copy__(self) -> Self:
        return self._copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if self.recipe is None:
            copy = self._copy(**deepcopy(vars(self), memo))
        else:
            recipe = replace(self.recipe, network=deepcopy(self.recipe.network, memo))
            copy = rebuild(recipe, self._settings())
        return copy

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("labels", "batch_size", "output_kind", "origin")}

    def _copy(self, *forget: str, **changed: Any) -> Self:
        """A copy that shares everything with this model but the attributes in `changed`.

        The digest and the cached properties named in `forget` are computed anew.
        """
        copy = object.__new__(type(self))
        vars(copy).update({name: value for name, value in vars(self).items() if name not in {"history", *forget}})
        vars(copy).update(changed)
        return copy


LABELS = 3
"""Class names that are shown."""


def described(model: BackendModel, meaning: str) -> list[tuple[str, str]]:
    """Backend, input, output, preprocessing, labels and number of layers, as name and text; `meaning` of the output."""
    versions = ", ".join(f"{name} {version}" for name, version in model.versions.items())
    low, high = model.input.bounds or (None, None)
    bounds = "" if low is None else f", values from {low:g} to {high:g}"
    rows = [
        ("backend", f"{model.backend} ({versions})"),
        ("input", shape_in_words(model.input.shape) + bounds),
        ("output", f"{shape_in_words(model.layers[OUTPUT].shape[1:])}{meaning}"),
        ("preprocessing", _preprocessing(model)),
        ("layers", f"{len(model.layers)}: model.layers lists them"),
    ]
    if model.labels is not None:
        more = ", ..." * (len(model.labels) > LABELS)
        rows.insert(3, ("labels", f"{len(model.labels)}: {', '.join(map(str, model.labels[:LABELS]))}{more}"))
    return rows


def _preprocessing(model: BackendModel) -> str:
    if model.preprocess.identity:
        return "none"
    settings = ", ".join(f"{name} {value}" for name, value in vars(model.preprocess).items() if name != "preset")
    return f"{model.preprocess.preset}: {settings}" if model.preprocess.preset else settings
