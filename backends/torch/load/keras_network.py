"""A Keras model on Keras' torch backend: its layers are called Keras' way, so that torch's hooks do not fire."""

from collections.abc import Collection, Mapping
from typing import Any

import keras
import torch
from crosslens.arrays import Array, as_numpy
from crosslens.errors import ModelError
from crosslens.model import InputSpec
from torch import Tensor

from ...keras.layers.layer_calls import LOCK, visit_calls
from ...keras.layers.layer_objects import operation_of
from ...keras.layers.operations import base_name, before_activation, kind_of, runs_own_code
from ...keras.weights import weights_of
from ..layers.functions import FunctionHooks, FunctionLayer, ModuleCall, ResultKey
from ..layers.kept_state import without_parameter_gradients
from ..layers.listing import FunctionRecorder, LayerOutput, Listing
from ..layers.module_network import OutputHook

__all__ = ["KerasOnTorch"]


class KerasOnTorch:
    """Layers are named as in the Keras backend, "outer/inner"; channels are where Keras has them."""

    batch = None

    def __init__(self, net: Any, spec: InputSpec, values: Mapping[int, tuple[Any, Tensor]] | None = None) -> None:
        self.net, self.input = net, spec
        self.channels_last = keras.config.image_data_format() == "channels_last"
        self._values = values or {}
        self._calls: Mapping[ResultKey, FunctionLayer] = {}

    @classmethod
    def of(cls, net: Any, given: InputSpec | None, bounds: tuple[float, float] | None = None) -> "KerasOnTorch":
        """The network of a `keras.Model` that has its weights, or that gets them from the input shape given.

        Raises:
            ModelError: several inputs, or no input shape where the model does not say.
        """
        shape = getattr(net, "input_shape", None) if net.built else None
        if isinstance(shape, list | dict):
            raise ModelError(f"the model has several inputs, {shape}; wrap a model of one")
        if given is not None:
            return cls(net, given)
        if not isinstance(shape, tuple):
            raise ModelError("this Keras model does not say its input; give it: wrap(model, input_shape=(C, H, W))")
        return cls(net, _spec(shape[1:]).within(bounds))

    @property
    def versions(self) -> Mapping[str, str]:
        """torch's and Keras'."""
        return {"torch": torch.__version__, "keras": keras.__version__}

    def list_layers(self, x: Tensor) -> Listing:
        """All layers, of one pass on a native batch."""
        listing = Listing([ModuleCall(closed=True)], axis=-1 if self.channels_last else 1)
        with FunctionRecorder(listing):
            listing.output = self._run(x, None, listing.module, listing.frames)
        self._calls = listing.calls
        return listing

    def run(self, x: Tensor, names: Collection[str], hook: OutputHook, changed: Collection[str] = ()) -> Any:
        """Run on a native batch.

        Args:
            x: images as the network takes them.
            names: layers whose outputs `hook` gets.
            hook: see `OutputHook`.
            changed: those at which `hook` may return another tensor.
        """
        frames = [ModuleCall(closed=True)]
        calls = {turn: call for turn, call in self._calls.items() if call.name in names}
        if not calls:
            return self._run(x, names, hook, frames)

        def see(name: str, kind: str, y: Tensor) -> Tensor:
            replaced = hook(LayerOutput(name, kind, None, y))
            return y if replaced is None else replaced

        with FunctionHooks(frames, calls, changed, see):
            return self._run(x, names, hook, frames)

    def _run(self, x: Tensor, names: Collection[str] | None, hook: OutputHook, frames: Any) -> Any:
        def see(layer: LayerOutput) -> Tensor:
            replaced = hook(layer) if names is None or layer.name in names else None
            return layer.output if replaced is None else replaced

        def visit(name: str, operation: Any, call: Any) -> Any:
            last = getattr(operation, "data_format", None) in {None, "channels_last"} and self.channels_last
            before = _before(name, operation)
            show = lambda z: see(LayerOutput(before, before.rpartition("/")[2], None, z, -1 if last else 1))  # noqa: E731
            frames.append(ModuleCall(base_name(name), operation, closed=not runs_own_code(operation)))
            try:
                with before_activation(operation, show):
                    y = call()
            finally:
                frames.pop()
            return see(LayerOutput(name, _kind(operation), operation, y, -1 if last else 1)) if name else y

        with LOCK, visit_calls(visit), without_parameter_gradients(tuple(self.net.modules())):
            if not self._values:
                return self.net(x, training=False)
            with keras.StatelessScope(state_mapping=list(self._values.values())):
                return self.net(x, training=False)

    def weights(self, source: Any) -> dict[str, Array]:
        """Copies of one layer's own parameters; a function has none."""
        weights: dict[str, Array] = {}
        if source is None:
            return weights
        for name, each in weights_of(source).items():
            _, value = self._values.get(id(each.variable), (None, each.variable.value))
            weights[name] = each.outside(as_numpy(value.detach().float()))
        return weights

    def other_weights(self, sources: Collection[Any]) -> list[Array]:
        """Copies of the variables that belong to none of these layers."""
        listed = {id(each.variable) for source in sources if source is not None for each in weights_of(source).values()}
        others = [variable.value for variable in self.net.weights if id(variable) not in listed]
        return [as_numpy(value.detach().float()) for value in others if value.is_floating_point()]

    def refuse_changed(self) -> None:
        """Nothing to refuse: Keras names layers anew in each run."""

    def with_weights(self, changed: Mapping[Any, Mapping[str, Array]]) -> "KerasOnTorch":
        """The same model with other values, by layer object, in the place of its variables."""
        values = dict(self._values)
        for source, arrays in changed.items():
            stored = weights_of(source)
            for name, array in arrays.items():
                variable = stored[name].variable
                inside = torch.from_numpy(stored[name].inside(as_numpy(array)).copy())
                values[id(variable)] = (variable, inside.to(variable.value.device, variable.value.dtype))
        twin = KerasOnTorch(self.net, self.input, values)
        twin._calls = self._calls
        return twin

    def part(self, layer: object) -> Any:
        """The layer or node of the model that an object is, or that gives a tensor of the functional model."""
        return operation_of(self.net, layer)

    def counterpart(self, _: Any, source: Any) -> Any:
        """The layer itself: a twin has other values for it."""
        return source


def _kind(operation: Any) -> str:
    """The class of a layer; of a node of a functional graph the name of its function."""
    name = type(operation).__name__
    return name if isinstance(operation, keras.Layer) else kind_of(name)


def _before(name: str, operation: Any) -> str:
    """The name of what enters a fused activation: of a sum with the bias, or of what the layer is named for."""
    kind = "matmul" if isinstance(operation, keras.layers.Dense) else kind_of(type(operation).__name__)
    number = name.removeprefix(base_name(name))
    return f"{base_name(name)}/{'add' if getattr(operation, 'use_bias', False) else kind}{number}"


def _spec(shape: tuple[int | None, ...]) -> InputSpec:
    """Keras' input shape without the batch axis, channels first."""
    if len(shape) not in {3, 4}:
        return InputSpec.latent(tuple(n or 1 for n in shape))
    return InputSpec((shape[-1], *shape[:-1]) if keras.config.image_data_format() == "channels_last" else shape)
