"""Listing a network's layers in one pass: what its modules return, and what functions compute between them."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from .channel_axes import ChannelAxes
from .functions import FunctionLayer, ModuleCall, ResultKey, function_name, tensors_in

__all__ = ["FunctionRecorder", "LayerOutput", "Listing"]

_CONVERTS = "to type type_as float double half bfloat16 cpu cuda data real requires_grad"
_DROPOUTS = "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout"
_SELECTS = "getitem slice select expand expand_as broadcast_to"
_SAME = frozenset(f"{_CONVERTS} {_DROPOUTS} {_SELECTS} contiguous clone detach alias lift_fresh_copy".split())
"""Functions that choose, copy or convert existing values: their results are not layers."""
_CREATES = ("zeros", "ones", "empty", "full", "rand", "new_", "arange", "eye")
"""Beginnings of the names of functions whose results do not depend on the image."""


@dataclass(frozen=True)
class LayerOutput:
    """One output of one layer: a tensor while the network runs, its shape in a listing."""

    name: str
    kind: str
    source: Any
    output: Any = None
    axis: int = 1
    """The axis of its channels if it has four axes or more."""
    rows: int = 0
    """The axis of the batch, as far as a listing shows it."""
    shape: tuple[int, ...] = ()
    """() for anything but a floating tensor."""
    aliases: tuple[str, ...] = ()
    is_view: bool = False
    """Whether it shares the memory of another tensor, which the function did not write to."""
    in_place: bool = False


@dataclass
class _Result:
    """A function's result: the layer that it may become, its key, and the module that was running."""

    output: LayerOutput
    key: ResultKey
    frame: ModuleCall


@dataclass
class Listing:
    """One pass that is running, or finished: `outputs` are its layers in the order in which they finish."""

    frames: Sequence[ModuleCall] = ()
    axes: ChannelAxes = field(default_factory=ChannelAxes)
    axis: int = 1
    """The axis of channels where the pass shows nothing."""
    output: Any = None
    calls: dict[ResultKey, FunctionLayer] = field(default_factory=dict)
    _listed: list[tuple[LayerOutput, int | None]] = field(default_factory=list)
    _last: Any = field(default_factory=WeakTensorKeyDictionary)
    """By tensor, the function result whose values it holds now."""
    _weights: Any = field(default_factory=WeakTensorKeyDictionary)
    _results_by_function: Counter[str] = field(default_factory=Counter)
    _layers_by_function: Counter[str] = field(default_factory=Counter)

    @property
    def outputs(self) -> list[LayerOutput]:
        """Outputs of modules, and of functions whose result no module returns as its own."""
        return [
            replace(output, axis=self._axis_at(number, output), rows=self.axes.rows(number) or 0)
            for output, number in self._listed
        ]

    def _axis_at(self, number: int | None, output: LayerOutput) -> int:
        axis = self.axes.axis(number)
        return output.axis if axis is None else axis

    def axis_of(self, tensor: Tensor) -> int:
        """The axis of a tensor's channels: where its last function left them."""
        axis = self.axes.axis(self.axes.number(tensor))
        return self.axis if axis is None else axis

    def module(self, layer: LayerOutput) -> None:
        """A module returns; `layer` has its name and its output. The function in it that computed that is its alias."""
        for y in tensors_in(layer.output):
            if y not in self.axes:
                self.axes.add(y)
        y = layer.output
        floating = isinstance(y, Tensor) and y.is_floating_point()
        aliases: tuple[str, ...] = ()
        result = self._last.get(y) if isinstance(y, Tensor) else None
        if result is not None and result.frame.module is layer.source and floating:
            aliases = (result.output.name,)
            self._listed = [each for each in self._listed if each[0].name != result.output.name]
            self.calls.pop(result.key, None)
        shape = tuple(y.shape) if floating else ()
        number = self.axes.number(y) if isinstance(y, Tensor) else None
        self._listed.append((replace(layer, output=None, shape=shape, aliases=aliases), number))

    def attention(self, layer: LayerOutput) -> None:
        """Attention computes its weights, which torch's functions hide."""
        self._weights[layer.output] = True
        self._listed.append((replace(layer, output=None, shape=tuple(layer.output.shape)), None))

    def overwrite(self, tensor: Tensor) -> None:
        """A tensor is overwritten: it no longer holds a function's result."""
        self._last.pop(tensor, None)

    def function(self, name: str, y: Tensor, *, overwritten: bool, view: bool, is_layer: bool) -> None:
        """A function returns a tensor.

        Args:
            name: the function's.
            y: one of its results.
            overwritten: whether it is an argument that the function wrote to.
            view: whether it shares the memory of an argument.
            is_layer: whether it becomes a layer, if it is floating and not the weights of attention.
        """
        frame = self.frames[-1]
        base = f"{frame.path}/{name}"
        self._results_by_function[base] += 1
        if not is_layer or not y.is_floating_point() or y in self._weights:
            return
        self._layers_by_function[base] += 1
        own = base if self._layers_by_function[base] == 1 else f"{base}#{self._layers_by_function[base]}"
        output = LayerOutput(own, name, None, shape=tuple(y.shape), is_view=view, in_place=overwritten)
        key = ResultKey(base, self._results_by_function[base])
        number = self.axes.number(y)
        self.calls[key] = FunctionLayer(own, overwritten)
        self._last[y] = _Result(output, key, frame)
        self._listed.append((output, number))


class FunctionRecorder(TorchFunctionMode):
    """Within this context a listing is told of each function, and follows the axes of what depends on the image."""

    def __init__(self, listing: Listing) -> None:
        super().__init__()
        self._listing = listing

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`, and list its results."""
        kwargs = dict(kwargs or {})
        axes = self._listing.axes
        before = [*tensors_in([args, kwargs])]
        given = [(axes.number(t), tuple(t.shape)) for t in before if t in axes]
        versions = [_version(t) for t in before]
        y = func(*args, **kwargs)
        name = function_name(func)
        changed = {id(t): t for t, v in zip(before, versions, strict=True) if _version(t) != v}
        for tensor in changed.values():
            self._listing.overwrite(tensor)
        if given and name == "setitem" and args[0] not in axes:
            axes.add(args[0])
        results = [*tensors_in(y)]
        if given:
            self._follow(name, args, kwargs, given, y, {id(t) for t in before} - changed.keys())
        if not self._listing.frames[-1].closed:
            for result in results:
                self._list(name, result, before, changed, bool(given))
        return y

    def _follow(self, name: str, args: Any, kwargs: Any, given: Any, y: Any, same: set[int]) -> None:
        for result in tensors_in(y):
            if id(result) not in same:
                self._listing.axes.record(name, args, kwargs, given, result)

    def _list(self, name: str, y: Tensor, before: Sequence[Tensor], changed: Container[int], dependent: bool) -> None:
        given = {id(t) for t in before}
        new = id(y) not in given or id(y) in changed
        is_layer = dependent and new and name not in _SAME and not name.startswith(_CREATES)
        view = is_layer and id(y) not in given and any(_same_memory(y, t) for t in before)
        self._listing.function(name, y, overwritten=id(y) in given, view=view, is_layer=is_layer)


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _same_memory(a: Tensor, b: Tensor) -> bool:
    if a.layout != torch.strided or b.layout != torch.strided:
        return False
    return int(a.untyped_storage().data_ptr()) == int(b.untyped_storage().data_ptr())
