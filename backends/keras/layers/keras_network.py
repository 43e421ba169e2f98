"""Tracing a Keras model: its layers listed in one run, outputs captured and replaced in later ones."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf
from crosslens.errors import ModelError
from crosslens.model import OUTPUT, InputSpec
from crosslens.model.backward_rules import no_rectifier
from crosslens.model.preprocessing import Preprocess

from ..load.held_inputs import Held, Signature, hold, image_of, repeat, signature_of
from ..load.load_errors import explain_errors
from ..pixel_types import as_pixels, fit_preprocessing, refuse_no_pixels
from ..rectifiers import Rectifiers, apply_rule, has_ruled_rectifiers, refusing_functions
from ..relevance.layer_runs import LayerRuns
from ..seeds import FreshSeeds
from ..weights import Weight, weights_of
from ..weights_mark import Structure, structure, weights_mark
from .batch_axis import batch_first
from .capture import Capture
from .channel_axes import with_channel_axes
from .input_shape import input_spec
from .layer_calls import LOCK, visit_calls
from .layer_graph import with_reads
from .layer_tensor import HEADS, LayerTensor, as_rows, native_shape, output_tensor
from .listing import Listing, is_activation
from .operations import base_name, kind_of

__all__ = ["KerasNetwork"]


Outputs = dict[str, Any]
_NOTHING: Mapping[int, tuple[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True)
class KerasNetwork:
    """A built Keras model, its input, and how it differs from the model: a backward rule, other weights."""

    net: Any
    input: InputSpec
    channels_last: bool
    output: int | str | None
    signature: Signature
    image: str
    """The input that is explained."""
    held: Held
    """What the other inputs hold."""
    rule: str = "exact"
    values: Mapping[int, tuple[Any, Any]] = field(default_factory=dict)
    """(variable, tensor) by the variable's id, in place of the model's own values."""

    @classmethod
    def of(cls, net: Any, options: Mapping[str, Any]) -> "KerasNetwork":
        """The network of a `keras.Model`; one that has no weights yet is built first.

        Raises:
            ModelError: several inputs of which none is held, or no input shape where the model does not say.
        """
        signature = signature_of(net)
        image = image_of(signature.entries, options["inputs"])
        refuse_no_pixels(image, signature.entries[image].dtype)
        held = hold(signature.entries, image, options["inputs"])
        shape = signature.entries[image].shape
        spec, last = input_spec(shape, options["input"], _default_format(), options["bounds"])
        network = cls(net, spec, last, options["output"], signature, image, held)
        if not net.built or _unbuilt_sequential(net):
            with explain_errors(f"the model cannot be built with images of shape {spec.example_shape}"):
                network._call_network(tf.zeros((1, *native_shape(spec, last))))
        return network

    def layer_tensors(self) -> Sequence[LayerTensor]:
        """Every layer whose output is one floating tensor with a batch axis, in execution order, `OUTPUT` last.

        Raises:
            ModelError: the output has no batch axis.
        """
        return batch_first(self._list_layers)

    def _list_layers(self, images: int | None) -> tuple[Sequence[LayerTensor], Any]:
        """The layers, and the graph of the trace."""
        layers: list[LayerTensor] = []
        attention: list[Any] = []

        def run(x: Any) -> None:
            listing = Listing(x)

            def see(name: str, operation: Any, call: "partial[Any]") -> Any:
                with _inside_attention(attention, operation):
                    y = listing.call(name, operation, _with_attention_scores(operation, call))
                channels = _channels(operation) if attention else 0
                if name and channels is not None and is_activation(y, x):
                    layer_tensor = LayerTensor(name, _kind(operation), tuple(y.shape), y.dtype, channels, operation)
                    return listing.add(layer_tensor, y)
                return y

            with visit_calls(see):
                y = tf.identity(self._run_selected(x))
            layer_tensors, tensors = listing.layer_tensors()
            layer_tensors, tensors = [*layer_tensors, output_tensor(y)], [*tensors, y]
            axis = (x.shape.rank - 1 if self.channels_last else 1) if self.input.is_image else None
            linked = with_reads(x.graph, x, layer_tensors, tensors)
            layers.extend(with_channel_axes(x.graph, linked, tensors, (x, axis), self.channels_last))

        with LOCK:
            function = tf.function(run, autograph=False).get_concrete_function(self._example(images))
        return layers, function.graph

    @property
    def dtype(self) -> Any:
        """The type of its images; None where it does not say."""
        return self.signature.entries[self.image].dtype

    @property
    def takes_integers(self) -> bool:
        """Whether its images are pixels in a type of integers."""
        return self.input.is_image and self.dtype is not None and bool(tf.as_dtype(self.dtype).is_integer)

    def fit_preprocessing(self, wished: Preprocess) -> Preprocess:
        """The preprocessing for what the image is: see `pixel_types`."""
        return fit_preprocessing(self.image, self.dtype, self.input, wished)

    def refuse_gradient(self) -> None:
        """Nothing to refuse: whether a gradient reaches the image is seen when it is computed."""

    def _example(self, images: int | None = None) -> Any:
        return tf.TensorSpec((images, *native_shape(self.input, self.channels_last)), tf.float32)

    def trace(
        self, x: Any, asked: Mapping[str, LayerTensor], replaced: Mapping[str, Any], runs: LayerRuns | None = None
    ) -> Outputs:
        """Run the model on a native batch while a function is traced, and keep the outputs of these layers.

        Hold `LOCK`.

        Args:
            x: images in the network's layout.
            asked: the layers.
            replaced: by layer, what takes the place of its output.
            runs: where the calls of layers with a kernel rule are recorded.
        """
        graph = tf.compat.v1.get_default_graph()
        capture = Capture(graph, asked, replaced)
        runs = runs or LayerRuns({})
        runs.mark(self.weights_of, self.values)

        def see(name: str, operation: Any, call: "partial[Any]") -> Any:
            inner = f"{base_name(name)}/"
            opened = any(each.startswith(inner) for each in asked)
            with runs.recorded(name, graph):
                return capture.call(name, operation, _with_attention_scores(operation, call) if opened else call)

        with ExitStack() as stack:
            if self.rule != "exact":
                stack.enter_context(apply_rule(Rectifiers(self.rule)))
            if self.values:
                stack.enter_context(refusing_functions("other weights"))
            stack.enter_context(visit_calls(see))
            y = self._run_selected(x, runs.values)
        output = replaced[OUTPUT] if OUTPUT in replaced else tf.identity(y)
        if self.rule != "exact":
            has_ruled_rectifiers(graph)
        return {**capture.outputs, OUTPUT: output}

    def _run_selected(self, x: Any, marked: Mapping[int, tuple[Any, Any]] = _NOTHING) -> Any:
        """The chosen output. A stateless scope drops what the model assigns: statistics, losses, seeds."""
        values = {**self.values, **marked}
        with FreshSeeds(state_mapping=list(values.values()), initialize_variables=False):
            y = _select_output(self.net, self._call_network(x), self.output)
        return as_rows(y)

    def _call_network(self, x: Any) -> Any:
        others = repeat(self.held, self.signature.entries, self.image, x)
        if self.takes_integers:
            x = as_pixels(x, tf.as_dtype(self.dtype)) if hasattr(x, "graph") else tf.cast(x, self.dtype)
        args, kwargs = self.signature.arguments({**others, self.image: x})
        return self.net(*args, **kwargs, training=False)

    def with_rule(self, rule: str) -> "KerasNetwork":
        """The same network with another backward rule, tried out at once.

        Raises:
            ModelError: it has no rectifier, or one out of reach.
        """
        changed = replace(self, rule=rule)
        met = []

        def run(x: Any) -> None:
            rectifiers = Rectifiers(rule)
            with apply_rule(rectifiers):
                changed._run_selected(x)
            met.append(has_ruled_rectifiers(tf.compat.v1.get_default_graph()) or rectifiers.met)

        if rule == "exact":
            return changed
        with LOCK, explain_errors("the network cannot be run with another backward rule"):
            tf.function(run, autograph=False).get_concrete_function(self._example())
        if not any(met):
            raise no_rectifier()
        return changed

    def weights_of(self, layer_tensor: LayerTensor) -> Mapping[str, Weight]:
        """The parameters of one layer by our names."""
        return weights_of(layer_tensor.source) if layer_tensor.source is not None else {}

    @property
    def variables(self) -> Sequence[Any]:
        """All variables of the model but its metrics' and seeds."""
        variables: Sequence[Any] = self.net.weights
        return variables

    def weights_mark(self) -> Hashable:
        """By the content of each variable."""
        return weights_mark(self.net)

    def structure(self) -> Structure:
        """What traced functions hold on to."""
        return structure(self.net)

    def with_values(self, values: Mapping[int, tuple[Any, Any]]) -> "KerasNetwork":
        """The same network with other values for some of its variables."""
        return replace(self, values={**self.values, **values})

    def value(self, variable: Any) -> Any:
        """What a variable holds in this network, as a NumPy array."""
        tensor = self.values[id(variable)][1] if id(variable) in self.values else variable.value
        return tensor.numpy()


def _default_format() -> bool:
    return bool(keras.config.image_data_format() == "channels_last")


def _unbuilt_sequential(net: Any) -> bool:
    return isinstance(net, keras.Sequential) and not getattr(net, "inputs", None)


def _select_output(net: Any, y: Any, output: int | str | None) -> Any:
    outputs = _outputs(net, y)
    names = list(outputs)
    if output is None and len(outputs) > 1:
        raise ModelError(f"the model has {len(outputs)} outputs, {names}; choose one: wrap(model, output=...)")
    if isinstance(output, int):
        if not 0 <= output < len(names):
            raise ModelError(f"output {output} is out of range; the model has {len(outputs)} outputs, {names}")
        return outputs[names[output]]
    if output is not None and output not in outputs:
        raise ModelError(f"the model has no output {output!r}; it has {names}")
    return outputs[names[0] if output is None else output]


def _outputs(net: Any, y: Any) -> dict[Any, Any]:
    if isinstance(y, dict):
        return y
    flat = list(y) if isinstance(y, list | tuple) else [y]
    names = getattr(net, "output_names", None) or []
    return dict(
        zip(names if len(names) == len(set(names)) == len(flat) else map(str, range(len(flat))), flat, strict=True)
    )


_ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)


@contextmanager
def _inside_attention(attention: list[Any], operation: Any) -> Iterator[None]:
    """`attention` holds the attention layers whose call is going on."""
    if not isinstance(operation, _ATTENTION):
        yield
        return
    attention.append(operation)
    yield
    attention.pop()


def _with_attention_scores(operation: Any, call: "partial[Any]") -> "partial[Any]":
    """The call of a layer; of attention one in which its softmax is a layer of its own, as when asked for scores."""
    asked = call.keywords.get("return_attention_scores", False)
    if not isinstance(operation, _ATTENTION) or asked or getattr(operation, "_flash_attention", False):
        return call
    return partial(_first, partial(call, return_attention_scores=True))


def _first(call: "partial[Any]", *args: Any, **kwargs: Any) -> Any:
    return call(*args, **kwargs)[0]


def _kind(operation: Any) -> str:
    """The class of a layer; of a node of a functional graph the name of its function."""
    name = type(operation).__name__
    return name if isinstance(operation, keras.Layer) else kind_of(name)


def _channels(operation: Any) -> int | None:
    """The axis of channels of a layer inside attention; None for one that gives neither tokens nor weights."""
    if isinstance(operation, keras.layers.Softmax):
        return 1
    return HEADS if isinstance(operation, keras.layers.EinsumDense) else None
