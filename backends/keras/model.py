"""The contract of a backend on TensorFlow: functions traced once per question, cached by what they compute."""

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from crosslens.arrays import Array, as_numpy
from crosslens.errors import LayerError, ModelError
from crosslens.introspection.nonlinearities import RECTIFIER, count_activation_functions
from crosslens.model import INPUT, OUTPUT, Layer, Layers, Linearization, Model, Pullback
from crosslens.model.backward_rules import BackwardRules
from crosslens.model.layer import ABSORBED
from crosslens.model.reduction import Reduction, as_reduced
from crosslens.receptive.fields import Fields

from .builtin_normalisation import double_normalisation
from .device import device_of
from .differentiation import differentiate
from .disconnected import refuse_disconnected
from .layers.layer_calls import LOCK
from .layers.layer_graph import upstream
from .layers.layer_objects import operation_of
from .layers.layer_tensor import LayerTensor, activation_name, outside_dtype, to_channels_last
from .load.load_errors import explain_errors
from .receptive.fields import traced_fields
from .recomputed import Recomputed
from .reduction import reduce_inside
from .relevance.layer_runs import LayerRuns
from .relevance.modified_gradient import ModifiedGradient
from .traced_functions import Question, RuleSets, TracedFunctions
from .weights_mark import refuse_changed

__all__ = ["TensorFlowModel"]

_THREADS = int(os.environ.get("TF_NUM_INTRAOP_THREADS", "0")) or len(os.sched_getaffinity(0))
"""Threads that TensorFlow starts with unless its configuration says another number."""


class TensorFlowModel(Model):
    """A Keras model or a SavedModel. Numbers come and go as NumPy arrays, channels first."""

    backend = "tensorflow"
    rules_for = frozenset({"relu", "slope", "kernels", "norms", "products"})
    _modified_gradient: ModifiedGradient | None = None
    """Of a modified model; None for TensorFlow's own gradient."""
    differentiate = staticmethod(differentiate)

    def __init__(self, network: Any, options: Mapping[str, Any]) -> None:
        self.network = network
        self.input = network.input
        self.preprocess = network.fit_preprocessing(options["preprocess"])
        self.labels = options["labels"]
        self.batch_size = options["batch_size"]
        self._device = device_of(options)
        channels, *positions = self.input.example_shape
        affine = self.preprocess.affine(channels) if self.input.is_image else ()
        self._affine = [v.reshape(-1, *[1] * len(positions)) for v in affine]
        self._functions, self._rule_sets = TracedFunctions(), RuleSets()

    @cached_property
    def _tensors(self) -> Mapping[str, LayerTensor]:
        with explain_errors(f"the network cannot be run on images of shape {self.input.example_shape}"):
            tensors = {layer_tensor.name: layer_tensor for layer_tensor in self.network.layer_tensors()}
        self._structure = self.network.structure()
        return tensors

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """Layers by name, "outer/inner" in nested models; the inner name alone is an alias where it is unique."""
        shapes = {layer_tensor.name: layer_tensor.outside_shape for layer_tensor in self._tensors.values()}
        unknown = tuple(name for name, shape in shapes.items() if None in shape[1:])
        if unknown:
            example = np.zeros((1, *self.input.example_shape), np.float32)
            shapes |= {name: (None, *a.shape[1:]) for name, a in self._forward(example, unknown, {}).items()}
        short = _unique_ends(shapes)
        layers = [
            Layer(p.name, p.kind, shapes[p.name], (*p.aliases, *short.get(p.name, ()))) for p in self._tensors.values()
        ]
        return Layers({layer.name: layer for layer in (Layer(INPUT, "Input", (None, *self.input.shape)), *layers)})

    def diagnosis(self) -> Iterable[tuple[str, bool | None, str]]:
        """A layer that normalises behind a preset that does too; pixels that are rounded."""
        yield from double_normalisation(self._tensors, self.preprocess)
        if self.network.takes_integers:
            yield "pixels", None, "integers: images are rounded inside, and gradients pass straight through"

    def caveats(self) -> tuple[str, ...]:
        """Pixels that are rounded; operations without a secant."""
        said = "images are rounded to pixels inside; gradients pass straight through the rounding"
        rounded = (said,) if self.network.takes_integers else ()
        return (*rounded, *(self._modified_gradient.caveats() if self._modified_gradient else ()))

    def layers_of(self, layer: object) -> tuple[str, ...] | None:
        """Of a Keras layer of the model, a node of its functional graph, or a tensor that one gives."""
        operation = operation_of(getattr(self.network, "net", None), layer)
        if operation is None:
            return None
        return tuple(name for name, layer_tensor in self._tensors.items() if layer_tensor.source is operation)

    def upstream(self, names: Iterable[str]) -> frozenset[str]:
        """By the graph of the trace that listed the layers."""
        return upstream(self._tensors, names)

    def reads(self, layer: str) -> tuple[str, ...]:
        """By the graph of the trace that listed the layers."""
        name = self.layer(layer).name
        return self._tensors[name].reads if name in self._tensors else ()

    def threads(self, count: int) -> AbstractContextManager[int]:
        """Those that TensorFlow started with, whatever is asked for: it cannot change them."""
        return nullcontext(tf.config.threading.get_intra_op_parallelism_threads() or _THREADS)

    @property
    def versions(self) -> Mapping[str, str]:
        """TensorFlow's and Keras'."""
        return {"tensorflow": tf.__version__, "keras": keras.__version__}

    def weights(self, layer: str) -> Mapping[str, Array]:
        """Kernels (out, in / groups, kh, kw) or (out, in), biases, normalisations as scale, offset, mean, variance.

        A separable convolution has a "depthwise_kernel" before its "kernel", a PReLU a "slope"; parameters of other
        layers keep Keras' name and layout.
        """
        layer_tensor = self._tensors.get(self.layer(layer).name)
        weights = self.network.weights_of(layer_tensor) if layer_tensor else {}
        return {name: each.outside(self.network.value(each.variable)) for name, each in weights.items()}

    def other_weights(self) -> Iterable[Array]:
        """Variables that belong to no layer: of the model itself, for example."""
        listed = {id(w.variable) for each in self._tensors.values() for w in self.network.weights_of(each).values()}
        values = (np.asarray(self.network.value(v)) for v in self.network.variables if id(v) not in listed)
        return [array for array in values if array.dtype.kind == "f"]

    def weights_mark(self) -> Hashable:
        """By the content of each variable; a SavedModel's were frozen."""
        return self.network.weights_mark()  # type: ignore[no-any-return]

    @property
    def nonlinearities(self) -> Mapping[str, int]:
        """How many activation functions of each kind the layers have, within a Conv2D or Dense too."""
        return count_activation_functions(activation_name(layer_tensor) for layer_tensor in self._tensors.values())

    @property
    def rectified_layers(self) -> tuple[str, ...]:
        """Layers that end in one, a Conv2D(activation="relu") too, and functions; of clips those from 0."""
        return tuple(
            name
            for name, each in self._tensors.items()
            if name != OUTPUT and count_activation_functions([activation_name(each)])[RECTIFIER]
        )

    def _modified(self, rules: BackwardRules) -> Self:
        return self._copy(**self._rule_sets.get_or_make(rules, lambda: self._under(rules)))

    def _under(self, rules: BackwardRules) -> dict[str, Any]:
        """The attributes of this model that are others under these rules."""
        gradient = ModifiedGradient.of(rules, lambda name: self.network.weights_of(self._tensors[name])["kernel"])
        changed = {
            "network": self.network.with_rule(rules.relu),
            "_functions": TracedFunctions(),
            "_modified_gradient": gradient,
        }
        if gradient is not None:
            self._copy(**changed)._try_rules(gradient)
        return changed

    def _try_rules(self, gradient: ModifiedGradient) -> None:
        """Trace the network once, so that a rule that cannot be applied is refused at once."""

        def run(x: Any) -> None:
            runs = LayerRuns({name: self._tensors[name] for name in gradient.tables})
            self.network.trace(self._prepare(tf.cast(x, self._wide)), {}, {}, runs)
            gradient.check([x], runs.runs)

        with LOCK, explain_errors("the network cannot be run with another backward rule"):
            tf.function(run, autograph=False).get_concrete_function(tf.TensorSpec((None, *self.input.shape)))

    def _with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> Self:
        values = {}
        for layer, arrays in changed.items():
            weights = self.network.weights_of(self._tensors[layer])
            for name, array in arrays.items():
                variable = weights[name].variable
                values[id(variable)] = (variable, tf.constant(weights[name].inside(as_numpy(array)), variable.dtype))
        return self._copy(network=self.network.with_values(values), _functions=TracedFunctions(), _rule_sets=RuleSets())

    def _forward(self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]) -> Mapping[str, Array]:
        return self._answer(Question(capture=capture, replace=tuple(replace)), x, {}, replace)[0]

    def _reduce(
        self, x: Array, reductions: Sequence[Reduction], capture: tuple[str, ...]
    ) -> tuple[Mapping[Reduction, Array], Mapping[str, Array]]:
        results, _ = self._answer(Question(capture=capture, reduce=tuple(reductions)), x, {}, {})
        reduced = {each: as_reduced(each.kind, results[each]) for each in reductions}
        return reduced, {name: results[name] for name in capture}

    def _vjp(
        self,
        x: Array,
        cotangents: Mapping[str, Array],
        wrt: tuple[str, ...],
        capture: tuple[str, ...],
        replace: Mapping[str, Array],
    ) -> Pullback:
        question = Question(capture, wrt, tuple(cotangents), tuple(replace))
        activations, gradients = self._answer(question, x, cotangents, replace)
        return Pullback(gradients, activations)

    def _linearize(
        self, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Mapping[str, Array]
    ) -> Linearization:
        return Recomputed(self, x, capture, wrt, replace)

    def _answer(
        self, question: Question, x: Array, cotangents: Mapping[str, Array], replace: Mapping[str, Array]
    ) -> tuple[dict[Any, Array], dict[str, Array]]:
        """Run the function of a question: its activations and reductions, and its gradients."""
        function = self._function(question)
        refuse_changed(self._structure, self.network.structure())
        given = [self._to_tensor(name, cotangents[name], x, "the cotangent at") for name in question.cotangents]
        replaced = [self._to_tensor(name, replace[name], x, "the replacement of") for name in question.replace]
        with explain_errors(f"TensorFlow cannot run the network on {tuple(x.shape)}"):
            activations, gradients = function(tf.constant(as_numpy(x)), given, replaced)
        return (
            dict(zip((*question.capture, *question.reduce), (t.numpy() for t in activations), strict=True)),
            dict(zip(question.wrt, (t.numpy() for t in gradients), strict=True)),
        )

    def _to_tensor(self, name: str, value: Array, x: Array, what: str) -> Any:
        spec = self._spec(name)
        if value.shape[0] != x.shape[0] or not spec.shape.is_compatible_with(value.shape):
            expected = (x.shape[0], *spec.shape[1:])
            raise LayerError(f"{what} {name!r} has shape {tuple(value.shape)}; this layer gives {expected}")
        return tf.constant(np.asarray(as_numpy(value), spec.dtype.as_numpy_dtype))

    def _spec(self, name: str) -> Any:
        """The signature of an activation outside; spatial sizes stay open where those of the image do."""
        shape = self._tensors[name].outside_shape
        if None in self.input.shape[1:] and len(shape) > 2:
            shape = (None, shape[1], *(None for _ in shape[2:])) if len(shape) > 3 else (None, None, shape[2])
        return tf.TensorSpec(shape, outside_dtype(self._tensors[name].dtype))

    def _function(self, question: Question) -> Any:
        self._tensors  # noqa: B018 - traced before, for the shapes of cotangents and replacements
        return self._functions.get_or_trace(question, self._trace)

    def _trace(self, question: Question) -> Any:
        signature = (
            tf.TensorSpec((None, *self.input.shape), tf.float32),
            [self._spec(name) for name in question.cotangents],
            [self._spec(name) for name in question.replace],
        )

        lost: list[str] = []

        def compute(x: Any, cotangents: Sequence[Any], replaced: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            with tf.device(self._device):
                return self._compute(question, x, cotangents, replaced, lost)

        with LOCK, explain_errors("the network cannot be traced"):
            function = tf.function(compute, autograph=False, input_signature=signature).get_concrete_function()
        refuse_disconnected(self, lost)
        return function

    def receptive_fields(self, shape: tuple[int, ...]) -> Fields:
        """By the operators of a function traced for one image of this shape."""
        names = tuple(self._tensors)
        with LOCK, explain_errors("the network cannot be traced"):
            return traced_fields(lambda x: self._compute(Question(capture=names), x, [], [], [])[0], names, shape)

    def _compute(
        self, question: Question, x: Any, cotangents: Sequence[Any], replaced: Sequence[Any], lost: list[str]
    ) -> tuple[list[Any], list[Any]]:
        """Activations and gradients; to `lost` are added the layers from which no gradient gets to the image."""
        inside = {name: self._tensors[name].inside(a) for name, a in zip(question.replace, replaced, strict=True)}
        image = tf.cast(x, self._wide)
        asked = {name: self._tensors[name] for name in (*question.layers, *question.replace)}
        runs = LayerRuns({name: self._tensors[name] for name in getattr(self._modified_gradient, "tables", ())})
        outputs = self.network.trace(self._prepare(image), asked, inside, runs)
        missing = [name for name in question.layers if name not in outputs]
        if missing:
            raise LayerError(f"the layers {missing} did not run this time; this network's path depends on its input")
        activations = [self._tensors[name].outside(outputs[name]) for name in question.capture]
        activations += [reduce_inside(self._tensors[r.layer], outputs[r.layer], r.kind) for r in question.reduce]
        places = [name for name in question.wrt if name != ABSORBED]
        sources = [image if name == INPUT else outputs[name] for name in places]
        targets = [outputs[name] for name in question.cotangents]
        seeds = [self._tensors[name].inside(dy) for name, dy in zip(question.cotangents, cotangents, strict=True)]
        if INPUT in question.wrt:
            self._refuse_disconnected_image(targets, image)
        absorbed = None
        if self._modified_gradient is None:
            gradients = tf.gradients(targets, sources, seeds) if sources else []
        else:
            roots = [image, *inside.values()]
            gradients, absorbed = self._modified_gradient.gradients(
                (targets, seeds), sources, roots, runs.runs, absorbed=ABSORBED in question.wrt
            )
        if None in gradients and not replaced:
            ends = zip(question.cotangents, targets, strict=True)
            lost += [name for name, y in ends if tf.gradients(y, image) == [None]]
        gradients = [tf.zeros_like(s) if dx is None else dx for s, dx in zip(sources, gradients, strict=True)]
        outside = {
            name: dx if name == INPUT else self._tensors[name].outside(dx)
            for name, dx in zip(places, gradients, strict=True)
        }
        return activations, [absorbed if name == ABSORBED else outside[name] for name in question.wrt]

    def _refuse_disconnected_image(self, targets: Sequence[Any], image: Any) -> None:
        """Refuse gradients at an image of integers that do not get there; zeros would look like an answer."""
        self.network.refuse_gradient()
        if self.network.takes_integers and tf.gradients(targets, image) == [None]:
            raise ModelError(
                "no gradient reaches the image: the network reads its pixels as integers; occlusion, rise and lime "
                "need none"
            )

    @property
    def _wide(self) -> Any:
        """The type that the image has inside: float64 where the output has it, so that gradients keep it."""
        return outside_dtype(self._tensors[OUTPUT].dtype)

    def _prepare(self, image: Any) -> Any:
        """The image as the network takes it: reordered, scaled and shifted, in the network's layout.

        Scaling channels first hides the cost of the transposition: 26 ms against 30 for eight images and a convolution.
        """
        x = image
        if self.input.is_image and not self.preprocess.identity:
            gain, offset = self._affine
            x = tf.reverse(x, [1]) if self.preprocess.reverses else x
            x = x * tf.constant(gain, x.dtype) + tf.constant(offset, x.dtype)
        return to_channels_last(x) if self.network.channels_last and x.shape.rank >= 4 else x


def _unique_ends(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The last part of each "outer/inner" that no other name ends in."""
    owners: dict[str, list[str]] = {}
    for name in names:
        owners.setdefault(name.rpartition("/")[2], []).append(name)
    return {owned[0]: (end,) for end, owned in owners.items() if len(owned) == 1 and owned[0] != end}
