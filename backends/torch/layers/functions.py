"""Functions as layers: what a network calls between its modules, named by the module that was running."""

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
_OPERATOR_NAMES = {"truediv": "div", "rtruediv": "div", "itruediv": "div", **_REFLECTED}
"""Python's operator methods without their underscores, and the function that each of them is."""


def function_name(func: Any) -> str:
    """A function's name as a user writes it: "relu" for F.relu, x.relu_() and aten's relu.default, "add" for `+`."""
    name = getattr(func, "__name__", "")
    if name == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", ""))
    name = name.partition(".")[0]
    plain = name.strip("_")
    return _OPERATOR_NAMES.get(plain, plain) if name.startswith("__") else plain


@dataclass(eq=False)
class ModuleCall:
    """A call of a module that has not returned; the network's own path is empty."""

    path: str = ""
    module: nn.Module | None = None
    closed: bool = False
    """Whether its functions are not layers, as in `nn.Conv2d` or `nn.MultiheadAttention`."""


def track_module_calls(
    hooks: ExitStack, named: Sequence[tuple[str, nn.Module]], closed: Callable[[str, nn.Module], bool]
) -> list[ModuleCall]:
    """A list that hooks keep up to date: the calls of modules in this thread that have not returned, innermost last.

    Args:
        hooks: closing it removes the hooks.
        named: the modules, by path.
        closed: whether a module's functions are not layers.
    """
    frames, thread = [ModuleCall()], threading.get_ident()

    def enter(module: nn.Module, path: str, is_closed: bool) -> None:
        if threading.get_ident() == thread:
            frames.append(ModuleCall(path, module, is_closed))

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
    """A function's result: the path and name of the function, and the number of the result among those of that base."""

    base: str
    number: int


@dataclass(frozen=True)
class FunctionLayer:
    """A result of a function that is a layer; `in_place` where the function overwrote its first argument."""

    name: str
    in_place: bool = False


class FunctionHooks(TorchFunctionMode):
    """Within this context `see(name, function, result)` gets results and returns what the network goes on with.

    Args:
        frames: see `track_module_calls`.
        calls: the results to see.
        changed: layers at which `see` may return another tensor.
        see: called with the layer's name, the function's name and the result.
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
        self._counts: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`; `see` gets its results if they are asked for."""
        kwargs = dict(kwargs or {})
        frame = self._frames[-1]
        name = function_name(func)
        base = f"{frame.path}/{name}"
        if frame.closed or base not in self._bases:
            return func(*args, **kwargs)
        call = self._calls.get(ResultKey(base, self._counts[base] + 1))
        if call is not None and call.in_place and call.name in self._changed:
            return self._see_before_writing(func, base, args, kwargs)
        return self._see_results(func(*args, **kwargs), base, name)

    def _see_results(self, y: Any, base: str, function: str) -> Any:
        if isinstance(y, Tensor):
            self._counts[base] += 1
            call = self._calls.get(ResultKey(base, self._counts[base]))
            return y if call is None else self._see(call.name, function, y)
        if not isinstance(y, list | tuple):
            return y
        results = [self._see_results(each, base, function) for each in y]
        if all(a is b for a, b in zip(results, y, strict=True)):
            return y
        return type(y)(*results) if hasattr(y, "_fields") else type(y)(results)

    def _see_before_writing(self, func: Any, base: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """Compute an in-place function on a copy, see the result, then write it to the argument that it overwrites."""
        key = next((k for k in ("out", "input", "self") if k in kwargs), None)
        x = kwargs[key] if key else args[0]
        if key:
            kwargs[key] = x.clone()
        else:
            args = (x.clone(), *args[1:])
        return x.copy_(self._see_results(func(*args, **kwargs), base, base.rpartition("/")[2]))
