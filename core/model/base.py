"""The contract of a backend: activations by name, and vector-Jacobian products from any layers to any layers.

What every backend promises (`crosslens.testing` turns each line into a check):

- Images are float32 in the model's bounds, (N, C, H, W), or volumes (N, C, D, H, W). The network's own preprocessing
  is applied inside, with its exact adjoint: gradients at `INPUT` are with respect to that image.
- Activations are channels-first whatever the framework stores: (N, C, H, W) maps, (N, T, D) tokens, (N, K) vectors.
- `layers` is in execution order, `INPUT` first and `OUTPUT` last; a layer's later runs are `name#2`, `name#3`.
- `vjp` and `linearize` give, for each layer L of `wrt`, the gradient of sum_l <cotangent_l, activation_l> at L's
  output; zeros where L has no influence. A cotangent at L itself counts.
- `replace={L: a}` runs on from `a` instead of L's own output. Capturing L gives `a`; `wrt` L is the gradient at `a`.
- The wrapped object is never changed: modes, hooks, weights and global settings are as they were, after errors too.
- Arrays come back as NumPy, or as the framework's own where that follows the array API and lives on a GPU."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import Any, ClassVar

from ..arrays import Array
from ..errors import LayerError
from . import per_image
from .input_spec import InputSpec
from .layer import INPUT, OUTPUT, Layer, refuse_other_shape, shape_in_words, unknown_layer
from .linearization import Linearization, NamedLinearization, Pullback, add_at_input, gathered, inner_names, zeros_at
from .output_spec import OutputSpec
from .preprocessing import Preprocess
from .randomise import redrawn_layers

__all__ = ["BACKWARD_RULES", "INPUT", "OUTPUT", "InputSpec", "Layer", "Linearization", "Model", "Pullback"]

BACKWARD_RULES = ("exact", "guided", "deconvnet", "linear")


class Model(ABC):
    """A network behind the contract above. `crosslens.wrap` makes one from what a framework has."""

    backend: ClassVar[str]
    """The framework's name: "torch", "tensorflow", "onnx"."""
    input: InputSpec
    preprocess: Preprocess
    labels: Sequence[str] | None = None
    held: Mapping[str, Any] = MappingProxyType({})
    """What other inputs hold, for provenance."""
    output_kind: str | None = None
    """What the user says that the output is; see `output`."""
    batch_size: int | None = None
    """Images at once, as the user set it; None lets `crosslens.execution.batching` decide."""
    largest_batch: int = 8
    """More images at once, by themselves, gain nothing (benchmarks/NOTES.md)."""

    @property
    @abstractmethod
    def layers(self) -> Mapping[str, Layer]:
        """Every layer by name, in execution order, `INPUT` first and `OUTPUT` last."""

    @property
    @abstractmethod
    def versions(self) -> Mapping[str, str]:
        """Name and version of each framework that computes, for provenance."""

    def diagnosis(self) -> Iterable[tuple[str, bool | None, str]]:
        """What the backend can say before any work: (what, well or not or None for a fact, text) of each finding."""
        return ()

    def caveats(self) -> tuple[str, ...]:
        """What every attribution by this model has to say: how far its gradients are none, for example."""
        return ()

    def __repr__(self) -> str:
        image, output = (shape_in_words(shape) for shape in (self.input.shape, self.layers[OUTPUT].shape[1:]))
        return f"<{type(self).__name__}: {image} -> {output}, {len(self.layers)} layers>"

    def placed(self, x: Array) -> Array:
        """`x` where the network computes, if arrays can live there: on torch's GPU. Elsewhere `x` itself."""
        return x

    def upstream(self, names: Iterable[str]) -> frozenset[str] | None:
        """The layers that the named ones are computed from, themselves included; None where nobody can tell."""
        return None

    def reads(self, layer: str) -> tuple[str, ...] | None:
        """The layers that this one is computed from with no other layer between, in order; None where nobody can tell.

        `INPUT` counts as a layer; () for a layer that depends on no other.
        """
        return None

    @abstractmethod
    def weights(self, layer: str) -> Mapping[str, Array]:
        """The parameters of one layer, by name, in one layout for all frameworks.

        kernel (out, in / groups, kh, kw) or (out, in), bias (out,); scale, offset, mean and variance (C,) of a
        normalisation. Empty for a layer without parameters.
        """

    @abstractmethod
    def modified(self, *, relu: str = "exact") -> "Model":
        """The same network with another backward rule at its rectifiers: ReLU, any clip from 0, LeakyReLU, PReLU.

        With f the rectifier and dy the gradient at its output, the gradient at its input is, for "exact", f'(x) dy;
        "guided" (Springenberg et al. 2015), f'(x) max(dy, 0); "deconvnet" (Zeiler and Fergus 2014), max(dy, 0);
        "linear", dy.

        Raises:
            ParameterError: no such rule.
            ModelError: another rule than "exact" is asked for and the network has no rectifier.
        """

    @abstractmethod
    def _with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> "Model":
        """A copy of the network with these parameters, named and laid out as `weights` gives them."""

    @abstractmethod
    def _forward(self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]) -> Mapping[str, Array]:
        """Activations of these layers; names are canonical, checked, and never `INPUT`."""

    @abstractmethod
    def _linearize(
        self, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Mapping[str, Array]
    ) -> Linearization:
        """As `linearize`; `capture` holds no `INPUT`, `wrt` may."""

    def _vjp(
        self,
        x: Array,
        cotangents: Mapping[str, Array],
        wrt: tuple[str, ...],
        capture: tuple[str, ...],
        replace: Mapping[str, Array],
    ) -> Pullback:
        """As `vjp`; override where knowing the cotangents beforehand saves work."""
        with self._linearize(x, (*capture, *(c for c in cotangents if c not in capture)), wrt, replace) as at:
            return Pullback(at.vjp(cotangents), {name: at.activations[name] for name in capture})

    def _climbed(self, x: Array, objective: Any, *_: Any) -> tuple[Pullback, Array] | None:
        """`pullback` within the backend's own graph: see `crosslens.objective`; None where it cannot."""
        return None

    def forward(
        self, x: Array, capture: Iterable[str] = (OUTPUT,), *, replace: Mapping[str, Array] | None = None
    ) -> Mapping[str, Array]:
        """The activations of these layers.

        Args:
            x: images (N, C, H, W), float32 in [0, 1].
            capture: names or aliases of layers.
            replace: activations, channels-first, to run on from instead of a layer's own.

        Returns:
            One array per name in `capture`, channels-first, under the name that was asked for.

        Raises:
            ImageError, LayerError: what is wrong with `x`, `capture` or `replace`.
        """
        names = self._resolve(capture)
        x, replace = self._checked(x, replace)
        found = {**per_image.forward(self, x, inner_names(names.values()), replace), INPUT: x}
        return {asked: found[name] for asked, name in names.items()}

    def vjp(
        self,
        x: Array,
        cotangents: Mapping[str, Array],
        *,
        wrt: Iterable[str] = (INPUT,),
        capture: Iterable[str] = (),
        replace: Mapping[str, Array] | None = None,
    ) -> Pullback:
        """Gradients of sum_l <cotangents[l], activation of l> at the `wrt` layers, the cotangents known beforehand.

        Args:
            x: images (N, C, H, W), float32 in [0, 1].
            cotangents: by layer, of the shape of its activations.
            wrt: layers to differentiate with respect to.
            capture: layers whose activations to hand out as well, at no further forward pass.
            replace: as in `forward`.
        """
        seeds, wanted, captured = self._resolve(cotangents), self._resolve(wrt), self._resolve(capture)
        x, replace = self._checked(x, replace)
        given = gathered(cotangents, seeds)
        for name, value in given.items():
            self._check_shape(f"the cotangent at {name!r}", value, name, x)
        at_input = given.pop(INPUT, None)
        inner, targets = inner_names(captured.values()), tuple(dict.fromkeys(wanted.values()))
        rest = (targets, inner, replace)
        pull = per_image.vjp(self, x, given, *rest) if given else zeros_at(self._forward, x, *rest)
        gradients = add_at_input(pull.gradients, at_input)
        found = {**pull.activations, INPUT: x}
        return Pullback(
            {asked: gradients[name] for asked, name in wanted.items()},
            {asked: found[name] for asked, name in captured.items()},
        )

    def linearize(
        self,
        x: Array,
        capture: Iterable[str],
        *,
        wrt: Iterable[str] = (INPUT,),
        replace: Mapping[str, Array] | None = None,
    ) -> Linearization:
        """The network at `x`: activations first, then gradients for cotangents computed from them.

        Use it as a context manager. `capture` must hold every layer that cotangents will be given for.
        """
        names, wanted = self._resolve(capture), self._resolve(wrt)
        x, replace = self._checked(x, replace)
        captured, targets = inner_names(names.values()), tuple(dict.fromkeys(wanted.values()))
        return NamedLinearization(per_image.linearize(self, x, captured, targets, replace), x, names, wanted)

    def randomised(self, layers: Iterable[str], seed: int) -> "Model":
        """A copy with the weights of these layers redrawn (Adebayo et al. 2018); the original is untouched.

        Each kernel and bias becomes normal with its own mean and deviation, in the layout of `weights`, so that the
        same seed and the same order of layers give the same draws on every backend.

        Raises:
            LayerError: a layer has no weights.
        """
        return self._with_weights(redrawn_layers(self, self._resolve(layers).values(), seed))

    @cached_property
    def output(self) -> OutputSpec:
        """What the output means: logits, probabilities, a score, maps. Found out at the first use, by a pass or two.

        Raises:
            ModelError: `output_kind` contradicts what the network gives.
        """
        from ..introspection.output_kind import output_spec

        return output_spec(self)

    @cached_property
    def digest(self) -> str:
        """A hash of the layers' kinds, shapes and weights: two files of one network in one framework share it."""
        from .digest import digest

        return digest(self)

    @cached_property
    def elements(self) -> int:
        """Activations of all layers of one image, counted."""
        return sum(prod(n or 1 for n in layer.shape[1:]) for layer in self.layers.values())

    def layer(self, name: str) -> Layer:
        """The layer of this name or alias.

        Raises:
            LayerError: no such layer; the message names the nearest.
        """
        if (found := self.layers.get(name) or self._aliases.get(name)) is None:
            raise unknown_layer(name, self.layers, self._aliases)
        return found

    @cached_property
    def _aliases(self) -> Mapping[str, Layer]:
        return {alias: layer for layer in self.layers.values() for alias in layer.aliases}

    def _resolve(self, names: Iterable[str]) -> dict[str, str]:
        if isinstance(names, str):
            raise LayerError(f"layers are given as a list of names, not as one string: [{names!r}]")
        return {name: self.layer(name).name if name not in {INPUT, OUTPUT} else name for name in names}

    def _checked(self, x: Array, replace: Mapping[str, Array] | None) -> tuple[Array, dict[str, Array]]:
        replaced = {name: (replace or {})[asked] for asked, name in self._resolve(replace or ()).items()}
        x = replaced.pop(INPUT, x)
        self.input.check(x)
        for name, values in replaced.items():
            if values.shape[0] != x.shape[0]:
                raise LayerError(f"replace[{name!r}] holds {values.shape[0]} activations for {x.shape[0]} images")
            self._check_shape(f"replace[{name!r}]", values, name, x)
        return x, replaced

    def _check_shape(self, what: str, values: Array, name: str, x: Array) -> None:
        shape = (x.shape[0], *(self.layers[name].shape[1:] if name != INPUT else x.shape[1:]))
        known = name == INPUT or tuple(x.shape[1:]) == self.input.example_shape
        refuse_other_shape(what, tuple(values.shape), shape, positions=known)
