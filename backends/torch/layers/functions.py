"""Functions as layers: what a network calls between its modules, named by the module in whose forward it happens."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = [
    "FunctionHooks",
    "FunctionLayer",
    "ModuleCall",
    "ResultKey",
    "function_name",
    "tensors_in",
    "track_module_calls",
]

_REFLECTED = {f"{side}{name}": name for side in "ri" for name in ("add", "sub", "mul", "div", "pow", "matmul")}
_SPOKEN = {"truediv": "div", "rtruediv": "div", "itruediv": "div", **_REFLECTED}
"""What Python's operators are called without their underscores, and the function that each of them is."""


def function_name(func: Any) -> str:
    """A function's name as a user writes it: "relu" for F.relu, x.relu_() and aten's relu.default, "add" for `+`."""
    name = getattr(func, "__name__", "")
    if name == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", ""))
    name = name.partition(".")[0]
    plain = name.strip("_")
    return _SPOKEN.get(plain, plain) if name.startswith("__") else plain


@dataclass(eq=False)
class ModuleCall:
    """A call of a module that has not returned; the network itself has no path."""

    path: str = ""
    module: nn.Module | None = None
    closed: bool = False
    """Whether what happens in it is torch's own affair: `nn.Conv2d`, `nn.MultiheadAttention`."""


def track_module_calls(
    hooks: ExitStack, named: Sequence[tuple[str, nn.Module]], closed: Callable[[str, nn.Module], bool]
) -> list[ModuleCall]:
    """The calls of modules under way in this thread, innermost last; hooks of `hooks` keep the list."""
    frames, thread = [ModuleCall()], threading.get_ident()

    def enter(module: nn.Module, path: str, shut: bool) -> None:
        if threading.get_ident() == thread:
            frames.append(ModuleCall(path, module, shut))

    def leave(module: nn.Module) -> None:
        if threading.get_ident() == thread and any(frame.module is module for frame in frames):
            while frames.pop().module is not module:
                pass

    for path, module in named:
        shut = closed(path, module)
        before = nn.Module.register_forward_pre_hook(module, lambda m, _, path=path, shut=shut: enter(m, path, shut))
        hooks.callback(before.remove)
        hooks.callback(nn.Module.register_forward_hook(module, lambda m, *_: leave(m)).remove)
    return frames


def tensors_in(values: Any) -> Iterator[Tensor]:
    """The tensors among a function's arguments or results, those in lists, tuples and mappings too."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for each in values:
            yield from tensors_in(each)
    elif isinstance(values, Mapping):
        yield from tensors_in(list(values.values()))


class ResultKey(NamedTuple):
    """One result of one function, by the path and function that it has in common with others, and its turn there."""

    base: str
    number: int


@dataclass(frozen=True)
class FunctionLayer:
    """A result of a function that is a layer; `in_place` where the function overwrote its first argument."""

    name: str
    in_place: bool = False


class FunctionHooks(TorchFunctionMode):
    """Within this context `see(name, result)` gets the results of these calls and returns what is gone on with.

    Args:
        frames: see `track_module_calls`.
        calls: those to see, by their turn.
        changed: names of those of which `see` may return another tensor; others run untouched.
        see: called with a layer's name, its function and its result.
    """

    def __init__(
        self,
        frames: Sequence[ModuleCall],
        calls: Mapping[ResultKey, FunctionLayer],
        changed: Collection[str],
        see: Callable[[str, str, Tensor], Tensor],
    ) -> None:
        super().__init__()
        self._frames, self._calls, self._changed, self._see = frames, calls, changed, see
        self._bases = {turn.base for turn in calls}
        self._turns: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`, its results seen if they are asked for."""
        kwargs = dict(kwargs or {})
        frame = self._frames[-1]
        name = function_name(func)
        base = f"{frame.path}/{name}"
        if frame.closed or base not in self._bases:
            return func(*args, **kwargs)
        call = self._calls.get(ResultKey(base, self._turns[base] + 1))
        if call is not None and call.in_place and call.name in self._changed:
            return self._overwritten(func, base, args, kwargs)
        return self._shown(func(*args, **kwargs), base, name)

    def _shown(self, y: Any, base: str, function: str) -> Any:
        if isinstance(y, Tensor):
            self._turns[base] += 1
            call = self._calls.get(ResultKey(base, self._turns[base]))
            return y if call is None else self._see(call.name, function, y)
        if not isinstance(y, list | tuple):
            return y
        found = [self._shown(each, base, function) for each in y]
        if all(a is b for a, b in zip(found, y, strict=True)):
            return y
        return type(y)(*found) if hasattr(y, "_fields") else type(y)(found)

    def _overwritten(self, func: Any, base: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """Computed beside, seen, and only then written over the argument, which the network may go on with."""
        key = next((k for k in ("out", "input", "self") if k in kwargs), None)
        x = kwargs[key] if key else args[0]
        if key:
            kwargs[key] = x.clone()
        else:
            args = (x.clone(), *args[1:])
        return x.copy_(self._shown(func(*args, **kwargs), base, base.rpartition("/")[2]))
