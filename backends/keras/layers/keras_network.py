"""A Keras model as something to trace: layers found by running it once, taps and replacements while it runs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from crosslens.errors import ModelError
from crosslens.model import OUTPUT, InputSpec
from crosslens.model.backward_rules import no_rectifier
from crosslens.model.preprocessing import Preprocess

from ..load.held_inputs import Held, Signature, hold, image_of, repeated, signature_of
from ..load.load_errors import explained
from ..pixel_types import as_pixels, fitting, refuse_no_pixels
from ..rectifiers import Rectifiers, reached, refusing_functions, ruling
from ..seeds import FreshSeeds
from ..weights import Stored, stored
from .batch_axis import batch_first
from .capture import Tracing
from .channel_axes import located
from .layer_calls import LOCK, visiting
from .layer_graph import linked
from .layer_tensor import HEADS, Place, in_rows, native_shape, output_place
from .listing import Listing, is_activation
from .operations import base, kind_of

__all__ = ["KerasNetwork", "input_spec"]


Taps = dict[str, Any]


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
            with explained(f"the model cannot be built with images of shape {spec.example_shape}"):
                network._run(tf.zeros((1, *native_shape(spec, last))))
        return network

    def places(self) -> Sequence[Place]:
        """Every layer whose output is one floating tensor with a batch axis, in execution order, `OUTPUT` last.

        Raises:
            ModelError: the output has no batch axis.
        """
        return batch_first(self._listed)

    def _listed(self, images: int | None) -> tuple[Sequence[Place], Any]:
        """The places, and the graph of the trace."""
        found: list[Place] = []
        attention: list[Any] = []

        def run(x: Any) -> None:
            listing = Listing(x)

            def see(name: str, operation: Any, call: "partial[Any]") -> Any:
                with _attending(attention, operation):
                    y = listing.call(name, operation, _opened(operation, call))
                channels = _channels(operation) if attention else 0
                if name and channels is not None and is_activation(y, x):
                    place = Place(name, _kind(operation), tuple(y.shape), y.dtype, channels, operation)
                    return listing.add(place, y)
                return y

            with visiting(see):
                y = tf.identity(self._called(x))
            places, tensors = listing.places()
            places, tensors = [*places, output_place(y)], [*tensors, y]
            axis = (x.shape.rank - 1 if self.channels_last else 1) if self.input.is_image else None
            linked_places = linked(x.graph, x, places, tensors)
            found.extend(located(x.graph, linked_places, tensors, (x, axis), self.channels_last))

        with LOCK:
            function = tf.function(run, autograph=False).get_concrete_function(self._example(images))
        return found, function.graph

    @property
    def dtype(self) -> Any:
        """The type of its images; None where it does not say."""
        return self.signature.entries[self.image].dtype

    @property
    def takes_integers(self) -> bool:
        """Whether its images are pixels in a type of integers."""
        return self.input.is_image and self.dtype is not None and bool(tf.as_dtype(self.dtype).is_integer)

    def fitting(self, wished: Preprocess) -> Preprocess:
        """The preprocessing for what the image is: see `pixel_types`."""
        return fitting(self.image, self.dtype, self.input, wished)

    def refuse_gradient(self) -> None:
        """A gradient gets to the image, or it is seen that it does not."""

    def _example(self, images: int | None = None) -> Any:
        return tf.TensorSpec((images, *native_shape(self.input, self.channels_last)), tf.float32)

    def trace(self, x: Any, asked: Mapping[str, Place], replaced: Mapping[str, Any]) -> Taps:
        """Run the model on a native batch while a function is traced, and keep the outputs of these places.

        Hold `LOCK`.
        """
        graph = tf.compat.v1.get_default_graph()
        tracing = Tracing(graph, asked, replaced)

        def see(name: str, operation: Any, call: "partial[Any]") -> Any:
            inner = f"{base(name)}/"
            opened = any(each.startswith(inner) for each in asked)
            return tracing.call(name, operation, _opened(operation, call) if opened else call)

        with ExitStack() as stack:
            if self.rule != "exact":
                stack.enter_context(ruling(Rectifiers(self.rule)))
            if self.values:
                stack.enter_context(refusing_functions("other weights"))
            stack.enter_context(visiting(see))
            y = self._called(x)
        output = replaced[OUTPUT] if OUTPUT in replaced else tf.identity(y)
        if self.rule != "exact":
            reached(graph)
        return {**tracing.found, OUTPUT: output}

    def _called(self, x: Any) -> Any:
        """The chosen output. A stateless scope drops what the model assigns: statistics, losses, seeds."""
        with FreshSeeds(state_mapping=list(self.values.values()), initialize_variables=False):
            y = _selected(self.net, self._run(x), self.output)
        return in_rows(y)

    def _run(self, x: Any) -> Any:
        others = repeated(self.held, self.signature.entries, self.image, x)
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
            with ruling(rectifiers):
                changed._called(x)
            met.append(reached(tf.compat.v1.get_default_graph()) or rectifiers.met)

        if rule == "exact":
            return changed
        with LOCK, explained("the network cannot be run with another backward rule"):
            tf.function(run, autograph=False).get_concrete_function(self._example())
        if not any(met):
            raise no_rectifier()
        return changed

    def stored(self, place: Place) -> Mapping[str, Stored]:
        """The parameters of one layer by our names."""
        return stored(place.source) if place.source is not None else {}

    def with_values(self, values: Mapping[int, tuple[Any, Any]]) -> "KerasNetwork":
        """The same network with other values for some of its variables."""
        return replace(self, values={**self.values, **values})

    def value(self, variable: Any) -> Any:
        """What a variable holds in this network, as a NumPy array."""
        tensor = self.values[id(variable)][1] if id(variable) in self.values else variable.value
        return tensor.numpy()


def _default_format() -> bool:
    return bool(keras.config.image_data_format() == "channels_last")


def input_spec(
    shape: tuple[int | None, ...] | None,
    asked: InputSpec | None,
    last: bool,
    bounds: tuple[float, float] | None = None,
) -> tuple[InputSpec, bool]:
    """What a network takes, channels first, and whether it stores channels last.

    Raises:
        ModelError: neither the model nor the user says the shape, or they disagree.
    """
    if shape is None:
        if asked is None:
            raise ModelError(
                "this model does not know the shape of its images yet; give it: wrap(model, input_shape=(3, 224, 224))"
            )
        return asked, last
    has_places = len(shape) in {4, 5}
    if has_places:
        last = _stores_channels_last(shape, asked, last)
    own = (shape[-1], *shape[1:-1]) if last and has_places else shape[1:]
    if asked is None:
        return (InputSpec(own) if has_places else InputSpec.latent(own)).within(bounds), last  # type: ignore[arg-type]
    if not _fits(asked, own):
        raise ModelError(f"input_shape is {asked.shape}, but the model takes {own} (channels first, None = any)")
    return asked, last


def _stores_channels_last(shape: tuple[int | None, ...], asked: InputSpec | None, default: bool) -> bool:
    """By the one layout that fits what the user said, else by the end that looks like a picture's channels.

    Keras' own setting decides where both or none does.
    """
    first, last = shape[1:], (shape[-1], *shape[1:-1])
    if asked is not None and _fits(asked, first) != _fits(asked, last):
        return _fits(asked, last)
    front, back = first[0] in {1, 3, 4}, last[0] in {1, 3, 4}
    return default if front == back else back


def _fits(asked: InputSpec, own: tuple[int | None, ...]) -> bool:
    same = len(asked.shape) == len(own)
    return same and not any(a and b and a != b for a, b in zip(asked.shape, own, strict=True))


def _unbuilt_sequential(net: Any) -> bool:
    return isinstance(net, keras.Sequential) and not getattr(net, "inputs", None)


def _selected(net: Any, y: Any, output: int | str | None) -> Any:
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
def _attending(attention: list[Any], operation: Any) -> Iterator[None]:
    """`attention` holds the attention layers whose call is going on."""
    if not isinstance(operation, _ATTENTION):
        yield
        return
    attention.append(operation)
    yield
    attention.pop()


def _opened(operation: Any, call: "partial[Any]") -> "partial[Any]":
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
