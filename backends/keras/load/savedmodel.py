"""A SavedModel folder as something to trace: its inference function, inlined, with one layer per operation.

What can be reached: every operation that gives one floating tensor per image, by its name in the graph; forward,
gradients to and from any of them, `replace`, the constants that enter an operation as its weights, rules for kernels,
slopes, norms and products. What cannot: the Keras layers themselves (a SavedModel holds none), rules for rectifiers, a
forward function that a control-flow operation hides, training.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from crosslens.errors import CrosslensError, ModelError
from crosslens.model import OUTPUT, InputSpec
from crosslens.model.preprocessing import Preprocess
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ..layers.batch_axis import batch_first
from ..layers.channel_axes import with_channel_axes
from ..layers.input_shape import input_spec
from ..layers.layer_graph import with_reads
from ..layers.layer_tensor import LayerTensor, as_rows, native_shape, output_tensor
from ..pixel_types import fit_preprocessing
from ..relevance.layer_runs import LayerRuns
from ..weights import Weight, depthwise, matrix, transposed_weight
from ..weights_mark import FrozenWeights
from .frozen_constants import Constant, extract_constants
from .held_inputs import repeat
from .load_errors import reason
from .savedmodel_check import refuse_unsafe
from .savedmodel_inputs import GraphInputs, graph_inputs
from .savedmodel_sizes import check_operations, check_variables

__all__ = ["GraphNetwork", "load_saved_model"]

_PASSED_ON = {"Identity", "Placeholder", "Const", "NoOp"}
_INLINED = "StatefulPartitionedCall/"
_FED = "fed/"


def load_saved_model(path: Path, trust: bool) -> Any:
    """What `tf.saved_model.load` gives: graphs, no Python code, and where `trust` is not given no access to files.

    Raises:
        ModelError: the folder is damaged, does more than compute, or holds no signatures.
    """
    if not trust:
        refuse_unsafe(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about functions for training, which play no part here
            check_variables(path)
            loaded = tf.saved_model.load(str(path))
    except CrosslensError:
        raise
    except Exception as error:
        raise ModelError(f"TensorFlow cannot load the SavedModel '{path}': {reason(error)}; export it again") from error
    if not loaded.signatures:
        raise ModelError(f"the SavedModel '{path}' has no signatures; export it with model.export('{path.name}')")
    return loaded


@dataclass(frozen=True)
class GraphNetwork(FrozenWeights):
    """The frozen graph of one signature, its big constants beside it."""

    definition: Any
    inputs: GraphInputs
    result: str
    input: InputSpec
    channels_last: bool
    constants: Mapping[str, Constant]
    values: Mapping[int, tuple[Any, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, loaded: Any, options: Mapping[str, Any]) -> "GraphNetwork":
        """The network behind the serving signature of a loaded SavedModel.

        Raises:
            ModelError: no signature to serve, several inputs of which none is held, or several outputs and none chosen.
        """
        function = _signature(loaded)
        result = _select_output(function.structured_outputs, options["output"])
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
        inputs = graph_inputs(function, frozen, options["inputs"])
        spec, last = input_spec(inputs.entry.shape, options["input"], True, options["bounds"])
        definition, constants = extract_constants(frozen.graph.as_graph_def())
        own = _without_own_gradients(definition)
        names = sorted(function.structured_outputs)
        network = cls(definition, inputs, frozen.outputs[names.index(result)].name, spec, last, constants)
        if own and not inputs.takes_integers:
            _check_derivative(network, function, result, own)
        return network

    def fit_preprocessing(self, wished: Preprocess) -> Preprocess:
        """The preprocessing for what the image is: see `pixel_types`."""
        return fit_preprocessing(self.inputs.image, self.inputs.entry.dtype, self.input, wished)

    @property
    def takes_integers(self) -> bool:
        """Whether its images are pixels in a type of integers."""
        return self.inputs.takes_integers

    def refuse_gradient(self) -> None:
        """Refuse a gradient at the image where none gets there."""
        self.inputs.refuse_gradient()

    def layer_tensors(self) -> Sequence[LayerTensor]:
        """Every operation that gives one floating tensor with a batch axis, in order of the graph, `OUTPUT` last.

        Raises:
            ModelError: the output has no batch axis.
        """
        return batch_first(self._list_layers)

    def _list_layers(self, images: int | None) -> tuple[Sequence[LayerTensor], Any]:
        """The layers, and the graph of the trace."""
        listed: list[LayerTensor] = []

        def run(x: Any) -> None:
            y = as_rows(*self._import_graph(x, [self.result], {}))
            check_operations(x.graph)
            operations = {
                op.name.removeprefix("net/"): op for op in x.graph.get_operations() if op.name.startswith("net/")
            }
            shown = {name: op for name, op in operations.items() if name not in self.inputs.casts}
            layers = {name: op for name, op in shown.items() if _is_layer(op, images)}
            entries = [*(self._layer_tensor(name, op, operations) for name, op in layers.items()), output_tensor(y)]
            tensors = [*(op.outputs[0] for op in layers.values()), y]
            axis = (x.shape.rank - 1 if self.channels_last else 1) if self.input.is_image else None
            listed.extend(
                with_channel_axes(
                    x.graph, with_reads(x.graph, x, entries, tensors), tensors, (x, axis), self.channels_last
                )
            )

        function = tf.function(run, autograph=False).get_concrete_function(
            tf.TensorSpec((images, *native_shape(self.input, self.channels_last)), tf.float32)
        )
        return listed, function.graph

    def _layer_tensor(self, name: str, op: Any, operations: Mapping[str, Any]) -> LayerTensor:
        y = op.outputs[0]
        weights = tuple(_constants_of(op))
        short = name.removeprefix(_INLINED)
        scope = short.rpartition("/")[0]
        aliases = tuple(a for a in (name, scope * _last_of_scope(name, operations)) if a and a != short)
        return LayerTensor(short, op.type, tuple(y.shape), y.dtype, 0, (op.type, weights), aliases)

    def trace(
        self, x: Any, asked: Mapping[str, LayerTensor], replaced: Mapping[str, Any], runs: LayerRuns | None = None
    ) -> dict[str, Any]:
        """Run the graph on a native batch inside a function being traced, and keep these operations' outputs.

        Args:
            x: images in the network's layout.
            asked: the operations.
            replaced: by operation, what takes the place of its output.
            runs: where the operations with a kernel rule are recorded.
        """
        inner = [name for name in asked if name not in replaced and name != OUTPUT]
        given = {name: value for name, value in replaced.items() if name != OUTPUT}
        *outputs, y = self._import_graph(x, [*(self._tensor(name) for name in inner), self.result], given)
        output = replaced.get(OUTPUT, tf.identity(as_rows(y)))
        if runs is not None:
            runs.record_operations(lambda name: x.graph.get_operation_by_name(f"net/{self._tensor(name)[:-2]}"))
        return {**dict(zip(inner, outputs, strict=True)), **replaced, OUTPUT: output}

    def _tensor(self, name: str) -> str:
        names = self._names
        return f"{_INLINED + name if _INLINED + name in names else name}:0"

    @property
    def _names(self) -> set[str]:
        return {node.name for node in self.definition.node}

    def _import_graph(self, x: Any, wanted: Sequence[str], replaced: Mapping[str, Any]) -> list[Any]:
        feeds = {f"{name}:0": self._value(constant) for name, constant in self.constants.items()}
        feeds |= {self._tensor(name): value for name, value in replaced.items()}
        feeds |= self.inputs.feeds(x)
        used = {edge.split(":")[0].lstrip("^") for node in self.definition.node for edge in node.input}
        feeds = {
            name: tf.identity(value, name=_FED + name.removesuffix(":0"))
            for name, value in feeds.items()
            if name.removesuffix(":0") in used
        }
        return list(tf.graph_util.import_graph_def(self.definition, feeds, list(wanted), name="net"))

    def _value(self, constant: Constant) -> Any:
        return self.values[id(constant)][1] if id(constant) in self.values else constant.values

    def weights_of(self, layer_tensor: LayerTensor) -> Mapping[str, Weight]:
        """The constants that enter one operation: kernel, bias, or by their name in the graph."""
        if layer_tensor.source is None:
            return {}
        kind, constants = layer_tensor.source
        stored = {}
        for position, name in constants:
            if name not in self.constants:
                continue
            constant = self.constants[name]
            if position == 1 and kind in _KERNELS and len(constant.shape) > 1:
                stored["kernel"] = _KERNELS[kind](constant, None)
            else:
                stored["bias" if kind == "BiasAdd" else name] = transposed_weight(constant, range(len(constant.shape)))
        return stored

    def value(self, constant: Constant) -> Any:
        """What a constant holds in this network, as a NumPy array."""
        return self._value(constant).numpy()

    def with_values(self, values: Mapping[int, tuple[Any, Any]]) -> "GraphNetwork":
        """The same network with other values for some of its constants."""
        return replace(self, values={**self.values, **values})

    def with_rule(self, rule: str) -> "GraphNetwork":
        """Itself for "exact".

        Raises:
            ModelError: for any other rule.
        """
        if rule != "exact":
            raise ModelError(
                f"the backward rule {rule!r} cannot be put into a SavedModel, whose functions are fixed; "
                "save the network as NAME.keras with model.save, and wrap that"
            )
        return self


_KERNELS = {"Conv2D": matrix, "MatMul": matrix, "DepthwiseConv2dNative": depthwise}


def _signature(loaded: Any) -> Any:
    names = list(loaded.signatures)
    for name in ("serving_default", "serve", *names[:1]):
        if name in loaded.signatures:
            return loaded.signatures[name]
    raise ModelError("the SavedModel has no signatures; export it with model.export(folder)")


def _select_output(outputs: Mapping[str, Any], output: int | str | None) -> str:
    names = sorted(outputs)
    if output is None and len(names) > 1:
        raise ModelError(f"the SavedModel has {len(names)} outputs, {names}; choose one: wrap(folder, output=...)")
    if isinstance(output, int) and 0 <= output < len(names):
        return names[output]
    if output is None or output in names:
        return names[0] if output is None else str(output)
    raise ModelError(f"the SavedModel has no output {output!r}; it has {names}")


def _without_own_gradients(definition: Any) -> list[str]:
    """Drop from a graph what `tf.custom_gradient` left in it, and name those operations.

    The gradient functions read tensors of the function that was inlined; without them TensorFlow differentiates what
    was computed, which is the same for silu and its like.
    """
    own = [node for node in definition.node if "_gradient_op_type" in node.attr]
    for node in own:
        del node.attr["_gradient_op_type"]
    return [node.name for node in own]


def _check_derivative(network: GraphNetwork, function: Any, result: str, own: Sequence[str]) -> None:
    """Refuse a SavedModel whose own gradients are not the derivative of what it computes (a reversed gradient, say).

    Raises:
        ModelError: the gradient at one example differs from the one through the SavedModel's own function.
    """
    x = tf.constant(
        np.random.default_rng(0).random((1, *native_shape(network.input, network.channels_last)), np.float32)
    )

    def inlined(x: Any) -> Any:
        (y,) = network._import_graph(x, [network.result], {})
        return tf.gradients(y, x, unconnected_gradients="zero")[0]

    with tf.GradientTape() as tape:
        tape.watch(x)
        others = repeat(network.inputs.held, network.inputs.entries, network.inputs.image, x)
        y = function(**others, **{network.inputs.image: x})[result]
    expected = tape.gradient(y, x, unconnected_gradients="zero").numpy()
    got = tf.function(inlined, autograph=False)(x).numpy()
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    if not np.allclose(got, expected, rtol=1e-3, atol=1e-4 * largest, equal_nan=True):
        raise ModelError(
            f"the SavedModel brings gradients of its own at {', '.join(own[:3])} that are not the derivative of what "
            "it computes; save the network as NAME.keras, or wrap the object"
        )


def _is_layer(op: Any, images: int | None = None) -> bool:
    """Whether an operation gives one floating tensor with a batch axis that is not just passed on."""
    if op.type in _PASSED_ON or len(op.outputs) == 0:
        return False
    y = op.outputs[0]
    return bool(y.dtype.is_floating and y.shape.rank and y.shape[0] == images)


def _constants_of(op: Any) -> Iterator[tuple[int, str]]:
    """(input, constant's name) for what enters an operation without the image having a part in it."""
    for position, tensor in enumerate(op.inputs):
        waiting = [tensor.op]
        while waiting:
            node = waiting.pop()
            if node.name.startswith(_FED):
                yield position, node.name.removeprefix(_FED)
            elif not _is_layer(node):
                waiting.extend(t.op for t in node.inputs)


def _last_of_scope(name: str, operations: Mapping[str, Any]) -> bool:
    """Whether no later operation stands under the same scope: its output is then that of the layer of that name."""
    scope = name.rpartition("/")[0] + "/"
    inside = [other for other, op in operations.items() if other.startswith(scope) and _is_layer(op)]
    return bool(inside) and inside[-1] == name
