"""Recording the calls of layers that have a kernel rule, while a Keras network is traced."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import tensorflow as tf

from ..layers.layer_tensor import LayerTensor
from ..weights import Weight
from .linear_map import LayerRun

__all__ = ["LayerRuns"]


class LayerRuns:
    """The calls of these layers in one trace, each with the tensors that it reads as kernel and bias."""

    def __init__(self, layers: Mapping[str, LayerTensor]) -> None:
        self._layers = layers
        self._weights: Mapping[str, Mapping[str, Weight]] = {}
        self._marked: dict[int, tuple[Any, Any]] = {}
        self.runs: list[LayerRun] = []

    def mark(
        self, weights_of: Callable[[LayerTensor], Mapping[str, Weight]], values: Mapping[int, tuple[Any, Any]]
    ) -> None:
        """Give each kernel and bias a tensor of its own in the graph, by which its uses are found.

        Args:
            weights_of: the parameters of a layer.
            values: (variable, tensor) by the variable's id, where a network has other values than the variables hold.
        """
        self._weights = {name: weights_of(layer) for name, layer in self._layers.items()}
        for weights in self._weights.values():
            for parameter in ("kernel", "bias"):
                if parameter in weights:
                    variable = weights[parameter].variable
                    value = values[id(variable)][1] if id(variable) in values else variable.value
                    self._marked.setdefault(id(variable), (variable, tf.identity(value)))

    def record_operations(self, operation_of: Callable[[str], Any]) -> None:
        """Record the operations of a graph whose second input is their kernel, and whose bias stands behind them."""
        for name in self._layers:
            operation = operation_of(name)
            self.runs.append(LayerRun(name, None, operation.inputs[1], None, [operation]))

    @property
    def values(self) -> Mapping[int, tuple[Any, Any]]:
        """(variable, tensor) by the variable's id, for a stateless scope."""
        return self._marked

    def recorded(self, name: str, graph: Any) -> AbstractContextManager[None]:
        """Within the block the layer of this name is called."""
        return self._recorded(name, graph) if name in self._layers else nullcontext()

    @contextmanager
    def _recorded(self, name: str, graph: Any) -> Iterator[None]:
        before = len(graph.get_operations())
        yield
        kernel, bias = (self._tensor(name, parameter) for parameter in ("kernel", "bias"))
        operations = graph.get_operations()[before:]
        self.runs.append(LayerRun(name, self._layers[name].source, kernel, bias, operations))

    def _tensor(self, name: str, parameter: str) -> Any:
        weight = self._weights[name].get(parameter)
        return None if weight is None else self._marked[id(weight.variable)][1]
