"""Networks with several inputs: one is explained, the others hold what the user gives.

An array stands for one image's input, with a batch axis of one or without, or is shared by the whole batch as it is.
Which of these it is, the network says: the first that it runs with (see `readings`).
"""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from crosslens.errors import ModelError, did_you_mean
from torch import Tensor, nn

__all__ = ["Arguments", "arguments", "held_shapes", "held_values", "parameters", "readings"]


@dataclass(frozen=True)
class _Image:
    """Stands where the image goes."""


@dataclass(frozen=True)
class _Held:
    """An array that an input holds, and how it becomes a batch."""

    value: Tensor
    reading: str = "given"

    def batch(self, x: Tensor) -> Tensor:
        """As many as there are images, where the network computes; floats in the network's type, the rest as given."""
        value = self.value.to(x.device, x.dtype if self.value.is_floating_point() else self.value.dtype)
        if self.reading == "shared":
            return value
        value = value[None] if self.reading == "without a batch axis" else value
        return value.expand(x.shape[0], *value.shape[1:])

    def readings(self, batch: int) -> list["_Held"]:
        """The ways to read it, the likeliest first; a shared array whose axis is as long as the batch could be one."""
        shape = self.value.shape
        if not shape:
            return [_Held(self.value, "shared")]
        ways = ["of one", "without a batch axis"] if shape[0] == 1 else ["without a batch axis"]
        return [_Held(self.value, way) for way in (ways if shape[0] == batch else [*ways, "shared"])]


@dataclass(frozen=True)
class Arguments:
    """What a network is called with: positional and by keyword, with the image's place among them."""

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def for_images(self, x: Tensor) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """What to call the network with for these images."""
        found: tuple[Sequence[Any], Mapping[str, Any]] = _mapped(
            (self.positional, dict(self.keywords)), lambda leaf: _filled(leaf, x)
        )
        return found


def readings(given: Arguments, batch: int) -> Iterator[Arguments]:
    """The arguments in each way that the arrays among them may be read, for an example of so many images."""
    tree = given.positional, dict(given.keywords)
    held: list[_Held] = []
    _mapped(tree, lambda leaf: held.append(leaf) if isinstance(leaf, _Held) else None)
    for way in product(*(each.readings(batch) for each in held)):
        found = _mapped(tree, _Exchanged(way))
        yield Arguments(tuple(found[0]), found[1])


class _Exchanged:
    """Leaves with what is held exchanged, one after another."""

    def __init__(self, ways: Sequence[_Held]) -> None:
        self._left = iter(ways)

    def __call__(self, leaf: Any) -> Any:
        return next(self._left) if isinstance(leaf, _Held) else leaf


def parameters(net: nn.Module) -> Mapping[str, inspect.Parameter]:
    """What a module's forward method takes, by name; nothing where Python does not know."""
    forward = getattr(net, "_orig_mod", net).forward
    schema = getattr(forward, "schema", None)
    if schema is not None:  # TorchScript
        named = schema.arguments[1:]  # behind the module itself, whatever it is called
        kind, empty = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
        default = [a.default_value if a.has_default_value() else empty for a in named]
        return {a.name: inspect.Parameter(a.name, kind, default=d) for a, d in zip(named, default, strict=True)}
    try:
        return inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return {}


def arguments(net: nn.Module, given: Mapping[str, Any] | None) -> Arguments | None:
    """How to call a module that explains one input; None where it takes the image alone.

    Raises:
        ModelError: inputs of other names, all or none of several; what it takes and what to type.
    """
    takes, values = parameters(net), dict(given or {})
    open_ended = [name for name, p in takes.items() if p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    named = [name for name in takes if name not in open_ended]
    if not any(takes[name].kind == inspect.Parameter.VAR_KEYWORD for name in open_ended):
        _refuse_unknown(values, list(takes))
    needed = [n for n in named if takes[n].default is inspect.Parameter.empty and n not in values]
    if not values and len(needed) <= 1 and not any(takes[n].kind == inspect.Parameter.KEYWORD_ONLY for n in needed):
        return None
    tree = {name: _held(value) for name, value in values.items()}
    if not any(isinstance(leaf, _Image) for leaf in _leaves(list(tree.values()))):
        optional = all(takes[name].default is not inspect.Parameter.empty for name in named)
        tree[_left_out(named if optional else needed, needed, values)] = _Image()
    return _bound(takes, tree)


def _left_out(named: Sequence[str], needed: Sequence[str], values: Mapping[str, Any]) -> str:
    """The one input that nothing is given for."""
    left = needed or [name for name in named if name not in values][:1]
    if len(left) == 1:
        return left[0]
    _refuse_several(left, values)
    raise ModelError(f"inputs= holds all of the network's inputs, {', '.join(values)}; leave out the one to explain")


def held_values(names: Sequence[str], given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The input to explain among those of a program, and what stands in the place of each.

    Raises:
        ModelError: inputs of other names, all or none of several; what it takes and what to type.
    """
    _refuse_unknown(given, names)
    left = [name for name in names if name not in given]
    image = _left_out(names, left, given)
    return image, {image: _Image(), **{name: _held(value) for name, value in given.items()}}


def _refuse_several(left: Sequence[str], values: Collection[str] = ()) -> None:
    """Refuse more inputs than one that nothing is held for.

    Raises:
        ModelError: their names, and what to type.
    """
    if len(left) > 1:
        more = " more" if values else ""
        raise ModelError(
            f"the network takes {len(left)}{more} inputs, {', '.join(left)}; one is explained and the others hold what "
            f"you give: wrap(net, inputs={{{left[1]!r}: array}})"
        )


def _refuse_unknown(values: Collection[str], takes: Sequence[str]) -> None:
    for name in values:
        if name not in takes:
            raise ModelError(
                f"the network has no input {name!r}; it takes {', '.join(takes)}.{did_you_mean(name, takes)}"
            )


def _bound(takes: Mapping[str, inspect.Parameter], tree: Mapping[str, Any]) -> Arguments:
    """By position as long as nothing is left out, then by keyword."""
    positional: list[Any] = []
    keywords = dict(tree)
    for name, parameter in takes.items():
        if name not in keywords or parameter.kind in {parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD}:
            break
        value = keywords.pop(name)
        positional += value if parameter.kind == parameter.VAR_POSITIONAL else [value]
    return Arguments(tuple(positional), keywords)


def _held(value: Any, *, inside: bool = False) -> Any:
    """A user's value as the network takes it; None inside a list or a mapping is the image's place."""
    if value is None and inside:
        return _Image()
    if isinstance(value, Mapping):
        return {name: _held(each, inside=True) for name, each in value.items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(n, int | float) for n in _leaves(value)):
            return _Held(torch.as_tensor(np.asarray(value)))
        return type(value)(_held(each, inside=True) for each in value)
    return value if isinstance(value, None | bool | int | float | str) else _Held(_tensor(value))


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    try:
        return torch.from_numpy(np.array(value))
    except TypeError as error:
        kind = type(value).__name__
        raise ModelError(f"an input holds a {kind}; give an array, a number, or a list or mapping of these") from error


def held_shapes(given: Arguments) -> str:
    """The shapes of what is held, for a message."""
    shapes = [str(tuple(v.value.shape)) for v in _leaves((given.positional, given.keywords)) if isinstance(v, _Held)]
    return ", ".join(shapes)


def _filled(leaf: Any, x: Tensor) -> Any:
    if isinstance(leaf, _Image):
        return x
    return leaf.batch(x) if isinstance(leaf, _Held) else leaf


def _mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Lists, tuples and mappings with each leaf changed."""
    if isinstance(tree, Mapping):
        return {name: _mapped(each, change) for name, each in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_mapped(each, change) for each in tree)
    return change(tree)


def _leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    _mapped(tree, found.append)
    return found
