"""One call of a function as the backward rules see it: the arguments that depend on the image, and what it writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...layers.functions import function_name
from .kept_values import KeptValues, overwrites

__all__ = ["FunctionCall", "function_call"]


@dataclass(frozen=True)
class FunctionCall:
    """A call of `func`; `varying` are the tensors among its arguments that gradients flow to, with their places."""

    func: Any
    name: str
    """As a user writes it: "relu" for F.relu, x.relu_() and aten's relu.default, "div" for 1 / x too."""
    args: Sequence[Any]
    kwargs: dict[str, Any]
    writes: bool
    """Whether it may overwrite its first argument."""
    reflected: bool
    """Whether its arguments stand in the other order: `2 / x`."""
    varying: Sequence[tuple[int | str, Tensor]] = field(default=())

    @property
    def tensors(self) -> list[Tensor]:
        """The varying arguments."""
        return [each for _, each in self.varying]

    @property
    def map(self) -> Callable[..., Any]:
        """The function of its varying arguments alone, which overwrites nothing and keeps no graph alive."""
        return self.map_of([slot for slot, _ in self.varying])

    def map_of(self, slots: Sequence[int | str]) -> Callable[..., Any]:
        """The function of the arguments at these places alone; every varying argument must be among them."""
        args, kwargs = list(self.args), dict(self.kwargs)
        for slot in slots:
            _put(args, kwargs, slot, None)
        func, writes = self.func, self.writes

        def call(*tensors: Tensor) -> Any:
            positional, named = list(args), dict(kwargs)
            for slot, tensor in zip(slots, tensors, strict=True):
                _put(positional, named, slot, tensor.clone() if writes and slot in {0, "input", "self"} else tensor)
            return func(*positional, **named)

        return call

    def value(self) -> Tensor:
        """What it gives, without its graph; nothing is overwritten yet."""
        with torch.no_grad():
            y: Tensor = self.map(*self.tensors)
        return y

    def finish(self, y: Tensor, kept: KeptValues) -> Tensor:
        """`y`, its value, as the network goes on with it: written to the first argument where the function does."""
        if not self.writes:
            return y
        kept.before_writing(self.args, self.kwargs)
        first: Tensor = self.args[0] if self.args else self.kwargs.get("input", self.kwargs.get("self"))
        return y if first is None else first.copy_(y)

    def argument(self, place: int, *names: str, default: Any = None) -> Any:
        """An argument by its place, or by one of its names."""
        if place < len(self.args):
            return self.args[place]
        return next((self.kwargs[name] for name in names if name in self.kwargs), default)


def function_call(func: Any, args: Any, kwargs: dict[str, Any]) -> FunctionCall:
    """The call of a function by a network, with gradients on."""
    own = getattr(func, "__name__", "").partition(".")[0]
    places: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    varying = [(slot, each) for slot, each in places if isinstance(each, Tensor) and each.requires_grad]
    writes, reflected = overwrites(own, args, kwargs), own.startswith("__r") and own != "__repr__"
    return FunctionCall(func, function_name(func), args, kwargs, writes, reflected, varying)


def _put(args: list[Any], kwargs: dict[str, Any], slot: int | str, value: Any) -> None:
    if isinstance(slot, int):
        args[slot] = value
    else:
        kwargs[slot] = value
