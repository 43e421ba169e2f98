"""The layers of a network, found in one pass: what its modules return, and what its functions compute in between."""

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
_CHOOSES = "getitem slice select expand expand_as broadcast_to"
_SAME = frozenset(f"{_CONVERTS} {_DROPOUTS} {_CHOOSES} contiguous clone detach alias lift_fresh_copy".split())
"""Functions that choose, copy or convert what is there already: their results are no layers."""
_MADE = ("zeros", "ones", "empty", "full", "rand", "new_", "arange", "eye")
"""Beginnings of functions whose results hold nothing of the image."""


@dataclass(frozen=True)
class LayerOutput:
    """One output of one layer: a tensor while the network runs, its shape in a listing."""

    name: str
    kind: str
    source: Any
    output: Any = None
    axis: int = 1
    """Where its channels stand if it has four axes or more."""
    rows: int = 0
    """Where its images stand, as far as a listing shows it."""
    shape: tuple[int, ...] = ()
    """() for what is no floating tensor."""
    aliases: tuple[str, ...] = ()
    is_view: bool = False
    """Whether a function gives it in memory of another tensor, without writing there."""
    in_place: bool = False


@dataclass
class _Result:
    """A function's result: the layer that it may become, and what was true of it when it was made."""

    place: LayerOutput
    turn: ResultKey
    frame: ModuleCall


@dataclass
class Listing:
    """One pass under way, or done: `places` are its layers in the order in which they finish."""

    frames: Sequence[ModuleCall] = ()
    axes: ChannelAxes = field(default_factory=ChannelAxes)
    axis: int = 1
    """Of channels where nothing shows them elsewhere."""
    output: Any = None
    calls: dict[ResultKey, FunctionLayer] = field(default_factory=dict)
    _found: list[tuple[LayerOutput, int | None]] = field(default_factory=list)
    _results: dict[str, _Result] = field(default_factory=dict)
    _last: Any = field(default_factory=WeakTensorKeyDictionary)
    """The result of a function that a tensor is now."""
    _weights: Any = field(default_factory=WeakTensorKeyDictionary)
    _turns: Counter[str] = field(default_factory=Counter)
    _named: Counter[str] = field(default_factory=Counter)

    @property
    def places(self) -> list[LayerOutput]:
        """Those of modules, and of functions whose result no module returns as its own."""
        return [
            replace(place, axis=self.axis_at(number, place), rows=self.axes.rows(number) or 0)
            for place, number in self._found
        ]

    def axis_at(self, number: int | None, place: LayerOutput) -> int:
        """Of a layer's channels."""
        found = self.axes.axis(number)
        return place.axis if found is None else found

    def axis_of(self, tensor: Tensor) -> int:
        """Of a tensor's channels: where its last function left them."""
        found = self.axes.axis(self.axes.number(tensor))
        return self.axis if found is None else found

    def module(self, place: LayerOutput) -> None:
        """A module returns; `place` has its name and its output. The function in it that made that is its alias."""
        for y in tensors_in(place.output):
            if y not in self.axes:
                self.axes.add(y)
        y = place.output
        floating = isinstance(y, Tensor) and y.is_floating_point()
        aliases: tuple[str, ...] = ()
        made = self._last.get(y) if isinstance(y, Tensor) else None
        if made is not None and made.frame.module is place.source and floating:
            aliases = (made.place.name,)
            self._found = [each for each in self._found if each[0].name != made.place.name]
            self.calls.pop(made.turn, None)
        shape = tuple(y.shape) if floating else ()
        number = self.axes.number(y) if isinstance(y, Tensor) else None
        self._found.append((replace(place, output=None, shape=shape, aliases=aliases), number))

    def attention(self, place: LayerOutput) -> None:
        """The weights of attention, which torch's functions hide."""
        self._weights[place.output] = True
        self._found.append((replace(place, output=None, shape=tuple(place.output.shape)), None))

    def overwrite(self, tensor: Tensor) -> None:
        """A tensor is no longer what a function gave."""
        self._last.pop(tensor, None)

    def function(self, name: str, y: Tensor, overwritten: bool, view: bool, *, counts: bool) -> None:
        """A function gives a tensor; it becomes a layer if it `counts`."""
        frame = self.frames[-1]
        base = f"{frame.path}/{name}"
        self._turns[base] += 1
        if not counts or not y.is_floating_point() or y in self._weights:
            return
        self._named[base] += 1
        own = base if self._named[base] == 1 else f"{base}#{self._named[base]}"
        place = LayerOutput(own, name, None, shape=tuple(y.shape), is_view=view, in_place=overwritten)
        turn = ResultKey(base, self._turns[base])
        number = self.axes.number(y)
        self.calls[turn] = FunctionLayer(own, overwritten)
        self._last[y] = _Result(place, turn, frame)
        self._found.append((place, number))


class FunctionRecorder(TorchFunctionMode):
    """Within this context a listing learns of each function, and follows the axes of what comes from the image."""

    def __init__(self, listing: Listing) -> None:
        super().__init__()
        self._listing = listing

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`, and note what it gives."""
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
                self._note(name, result, before, changed, bool(given))
        return y

    def _follow(self, name: str, args: Any, kwargs: Any, given: Any, y: Any, same: set[int]) -> None:
        for result in tensors_in(y):
            if id(result) not in same:
                self._listing.axes.record(name, args, kwargs, given, result)

    def _note(self, name: str, y: Tensor, before: Sequence[Tensor], changed: Container[int], moving: bool) -> None:
        given = {id(t) for t in before}
        new = id(y) not in given or id(y) in changed
        counts = moving and new and name not in _SAME and not name.startswith(_MADE)
        view = counts and id(y) not in given and any(_same_memory(y, t) for t in before)
        self._listing.function(name, y, id(y) in given, view, counts=counts)


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _same_memory(a: Tensor, b: Tensor) -> bool:
    if a.layout != torch.strided or b.layout != torch.strided:
        return False
    return int(a.untyped_storage().data_ptr()) == int(b.untyped_storage().data_ptr())
