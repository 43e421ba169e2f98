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

from collections.abc import Iterable, Mapping
from functools import cached_property
from os import PathLike
from typing import Any, Self

from ..arrays import Array
from ..errors import CrosslensError, ImageError, LayerError, ModelError
from ..html_table import html_table
from . import per_image
from .backend import Differentiable, described
from .backward_rules import BackwardRules
from .gradient_memory import check_gradient_memory
from .input_spec import InputSpec
from .kernel_rules import KernelRule
from .layer import INPUT, OUTPUT, Layer, LayerLike, refuse_other_shape
from .linearization import (
    Linearization,
    NamedLinearization,
    Pullback,
    add_at_input,
    inner_names,
    sum_by_layer,
    zeros_at,
)
from .named_layers import NamedLayers
from .output.output_kind import output_spec
from .output.output_spec import OutputSpec
from .randomise import redrawn_layers
from .repeatability import repeatability

__all__ = ["INPUT", "OUTPUT", "InputSpec", "Layer", "Linearization", "Model", "Pullback", "refuse_unwrapped"]


class Model(NamedLayers):
    """A network behind the contract above. `crosslens.wrap` makes one from what a framework has."""

    named: tuple[str, Mapping[str, Any]] | None = None  # the text that `crosslens.wrap` was given, and options

    def forward(
        self, x: Array, capture: Iterable[LayerLike] = (OUTPUT,), *, replace: Mapping[Any, Array] | None = None
    ) -> Mapping[Any, Array]:
        """The activations of these layers.

        Args:
            x: images (N, C, H, W), float32 in [0, 1].
            capture: names or aliases of layers, or the framework's own objects, such as [net.conv3].
            replace: activations, channels-first, to run on from instead of a layer's own.

        Returns:
            One array per layer in `capture`, channels-first, under the name or object that was asked for.

        Raises:
            ImageError, LayerError: what is wrong with `x`, `capture` or `replace`.
        """
        names = self._resolve(capture)
        x, replace = self._checked(x, replace)
        activations = {**per_image.forward(self, x, inner_names(names.values()), replace), INPUT: x}
        return {asked: activations[name] for asked, name in names.items()}

    def vjp(
        self,
        x: Array,
        cotangents: Mapping[Any, Array],
        *,
        wrt: Iterable[LayerLike] = (INPUT,),
        capture: Iterable[LayerLike] = (),
        replace: Mapping[Any, Array] | None = None,
    ) -> Pullback:
        """Gradients of sum_l <cotangents[l], activation of l> at the `wrt` layers, the cotangents known beforehand.

        Args:
            x: images (N, C, H, W), float32 in [0, 1].
            cotangents: by layer, of the shape of its activations.
            wrt: layers to differentiate with respect to.
            capture: layers whose activations to hand out as well, at no further forward pass.
            replace: as in `forward`.
        """
        seeds, wanted, captured = self._resolve(cotangents), self._resolve_wrt(wrt), self._resolve(capture)
        x, replace = self._checked(x, replace)
        self._check_gradient(x)
        given = sum_by_layer(cotangents, seeds)
        for name, value in given.items():
            self._check_shape(f"the cotangent at {name!r}", value, name, x)
        at_input = given.pop(INPUT, None)
        inner, targets = inner_names(captured.values()), tuple(dict.fromkeys(wanted.values()))
        rest = (targets, inner, replace)
        pull = per_image.vjp(self, x, given, *rest) if given else zeros_at(self._forward, x, *rest)
        gradients = add_at_input(pull.gradients, at_input)
        activations = {**pull.activations, INPUT: x}
        return Pullback(
            {asked: gradients[name] for asked, name in wanted.items()},
            {asked: activations[name] for asked, name in captured.items()},
        )

    def linearize(
        self,
        x: Array,
        capture: Iterable[LayerLike],
        *,
        wrt: Iterable[LayerLike] = (INPUT,),
        replace: Mapping[Any, Array] | None = None,
    ) -> Linearization:
        """The network at `x`: activations first, then gradients for cotangents computed from them.

        Use it as a context manager.

        Args:
            x: images (N, C, H, W), float32 in [0, 1].
            capture: layers whose activations are returned; it must hold every layer that cotangents will be given for.
            wrt: layers to differentiate with respect to.
            replace: as in `forward`.
        """
        names, wanted = self._resolve(capture), self._resolve_wrt(wrt)
        x, replace = self._checked(x, replace)
        self._check_gradient(x)
        captured, targets = inner_names(names.values()), tuple(dict.fromkeys(wanted.values()))
        return NamedLinearization(per_image.linearize(self, x, captured, targets, replace), x, names, wanted)

    def compiled_pullback(
        self,
        x: Array,
        objective: Differentiable,
        *,
        wrt: Iterable[LayerLike] = (INPUT,),
        capture: Iterable[LayerLike] = (),
        replace: Mapping[Any, Array] | None = None,
    ) -> tuple[Pullback, Array] | None:
        """The gradients of an objective and its values (N,), all computed in one graph that the backend compiles.

        None where the backend cannot compile this objective, or each image needs a batch of its own. Callers use
        `crosslens.objective.pullback`, which then takes the other way.

        Args:
            x: images (N, C, H, W), float32 in [0, 1].
            objective: what is differentiated.
            wrt: layers to differentiate with respect to.
            capture: layers whose activations are returned as well.
            replace: as in `forward`.
        """
        if per_image.one_by_one(self, x):
            return None
        layers, captured = (self._resolve(names) for names in (sorted(objective.layers), capture))
        wanted = self._resolve_wrt(wrt)
        x, replaced = self._checked(x, replace)
        self._check_gradient(x)
        targets = tuple(dict.fromkeys(wanted.values()))
        compiled = self._compiled_pullback(x, objective, layers, targets, inner_names(captured.values()), replaced)
        if compiled is None:
            return None
        pull, value = compiled
        activations = {**pull.activations, INPUT: x}
        gradients = {asked: pull.gradients[name] for asked, name in wanted.items()}
        return Pullback(gradients, {asked: activations[name] for asked, name in captured.items()}), value

    def modified(
        self,
        *,
        relu: str = "exact",
        slope: str = "exact",
        kernels: Mapping[Any, KernelRule] | None = None,
        norms: str = "exact",
        products: str = "exact",
    ) -> Self:
        """The same network with other backward rules; activations stay what they are, the original is untouched.

        Args:
            relu: the rule at rectifiers: ReLU, any clip from 0, LeakyReLU, PReLU. With f the rectifier and dy the
                gradient at its output, the gradient at its input is, for "exact", f'(x) dy; "guided" (Springenberg et
                al. 2015), f'(x) max(dy, 0); "deconvnet" (Zeiler and Fergus 2014), max(dy, 0); "linear", dy.
            slope: the factor at nonlinearities. "exact": f'(x). "ratio": f(x) / x at activation functions, by which
                relevance passes unchanged (ReLU6, GELU, tanh, ...). "secant" (DeepLIFT's rescale rule): at elementwise
                functions (f(x) - f(x')) / (x - x'), the batch being images, then as many references x'; products of
                two inputs that vary, softmax, normalisations and maxima have the like, so that the gradients times
                x - x' add up to the difference of the outputs. A ratio is f'(x) where |x| < 1e-10, a secant the
                mean of f'(x) and f'(x') where x and x' are close (`close_pairs`; 1e-10 apart if f is not smooth).
            kernels: by layer with a kernel, a table that replaces its backward pass. What biases and the stabiliser
                took is the gradient at `ABSORBED`, (N, 2), added up over these layers.
            norms: "exact", or "stop" to treat the deviation by which a normalisation divides as a constant.
            products: "exact", or "half" to halve both gradients of a product of two inputs that vary.

        Raises:
            ParameterError: an unknown value, or a table that does not fit its layer.
            LayerError: a layer of `kernels` does not exist, or has no kernel.
            ModelError: the backend has no such rule, or `relu` is not "exact" and the network has no rectifier.
        """
        rules = BackwardRules(relu, slope, self._kernel_rules(kernels or {}), norms, products)
        rules.refuse_unsupported(self.backend, self.rules_for)
        given = {"relu": relu, "slope": slope, "kernels": kernels, "norms": norms, "products": products}
        made = self._modified(rules)
        made.rules = rules
        return self._remember(made, "modified", **given)

    def _remember(self, made: Self, method: str, *given: Any, **named: Any) -> Self:
        """A model that a method of this one has made, with the recipe to make it again."""
        if self.recipe is not None:
            made.recipe = self.recipe.then(method, *given, **named)
        return made

    def _kernel_rules(self, kernels: Mapping[Any, KernelRule]) -> dict[str, KernelRule]:
        rules = {name: kernels[asked] for asked, name in self._resolve(kernels).items()}
        for name, rule in rules.items():
            if (kernel := self.weights(name).get("kernel")) is None:
                raise LayerError(f"layer {name!r} has no kernel, so no kernel rule can replace its backward pass")
            rule.check(name, tuple(kernel.shape))
        return rules

    def randomised(self, layers: Iterable[LayerLike], seed: int) -> Self:
        """A copy with the weights of these layers redrawn (Adebayo et al. 2018); the original is untouched.

        Each kernel and bias becomes normal with its own mean and deviation, in the layout of `weights`, so that the
        same seed and the same order of layers give the same draws on every backend.

        Raises:
            LayerError: a layer has no weights.
        """
        names = list(layers) if not isinstance(layers, str) else layers
        redrawn = self._with_weights(redrawn_layers(self, self._resolve(names).values(), seed))
        return self._remember(redrawn, "randomised", names, seed)

    @cached_property
    def output(self) -> OutputSpec:
        """What the output means: logits, probabilities, a score, maps. Found out at the first use, by a pass or two.

        Raises:
            ModelError: `output_kind` contradicts what the network gives.
        """
        return output_spec(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: backend, input, output, number of layers, preprocessing."""
        try:
            kind, evidence = self.output.kind.replace("_", " "), self.output.evidence
            meaning = f", {kind}" + f" ({evidence})" * bool(evidence)
        except CrosslensError:  # a network that does not run on noise
            meaning = ""
        return html_table((), described(self, meaning))

    def _check_gradient(self, x: Array) -> None:
        """Refuse images whose gradients need too much memory, and a batch that is not images and as many references.

        Raises:
            MemoryLimitError: see `check_gradient_memory`.
            ImageError: the number of images is odd.
            ModelError: the network mixes the images of a batch, so that a reference would change what it stands beside.
        """
        check_gradient_memory(self, x)
        if self.rules.slope != "secant":
            return
        if x.shape[0] % 2:
            raise ImageError(
                f"slope='secant' takes images and as many references in one batch; received {x.shape[0]}, an odd number"
            )
        if (layer := repeatability(self).mixed_at) is not None:
            raise ModelError(
                f"this network mixes the images of a batch at layer {layer!r}: a reference would change its image, and "
                "DeepLIFT needs both in one batch; integrated_gradients and expected_gradients do not"
            )

    def _checked(self, x: Array, replace: Mapping[Any, Array] | None) -> tuple[Array, dict[str, Array]]:
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


def refuse_unwrapped(model: object, what: str) -> None:
    """Refuse a path or an object of a framework where a `Model` is needed, in a call of `what`.

    Raises:
        ModelError: what to type.
    """
    if not isinstance(model, Model):
        kind = type(model)
        shown = repr(str(model)) if isinstance(model, str | PathLike) else f"a {kind.__module__}.{kind.__name__}"
        raise ModelError(
            f"{what} takes a model: model = crosslens.wrap(network), then {what}(model, ...); received {shown}"
        )
