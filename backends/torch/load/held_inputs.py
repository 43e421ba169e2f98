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

__all__ = ["Arguments", "call_arguments", "forward_parameters", "held_shapes", "held_values", "readings"]


@dataclass(frozen=True)
class _Image:
    """Takes the image's place among the arguments."""


@dataclass(frozen=True)
class _HeldArray:
    """An array that an input holds, and how it is made a batch of."""

    value: Tensor
    reading: str = "given"

    def batch(self, x: Tensor) -> Tensor:
        """One for each image, where the network computes; floats in the network's type, others in their own."""
        value = self.value.to(x.device, x.dtype if self.value.is_floating_point() else self.value.dtype)
        if self.reading == "shared":
            return value
        value = value[None] if self.reading == "without a batch axis" else value
        return value.expand(x.shape[0], *value.shape[1:])

    def readings(self, batch: int) -> list["_HeldArray"]:
        """The ways to read it, the likeliest first; an array as long as the batch is never read as shared."""
        shape = self.value.shape
        if not shape:
            return [_HeldArray(self.value, "shared")]
        ways = ["of one", "without a batch axis"] if shape[0] == 1 else ["without a batch axis"]
        return [_HeldArray(self.value, way) for way in (ways if shape[0] == batch else [*ways, "shared"])]


@dataclass(frozen=True)
class Arguments:
    """Arguments of a network, positional and by keyword, with a mark in the image's place."""

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def for_images(self, x: Tensor) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """What to call the network with for these images."""
        call: tuple[Sequence[Any], Mapping[str, Any]] = _map_leaves(
            (self.positional, dict(self.keywords)), lambda leaf: _batch_of(leaf, x)
        )
        return call


def readings(given: Arguments, batch: int) -> Iterator[Arguments]:
    """The arguments in each way that their arrays can be read, for an example batch of so many images."""
    tree = given.positional, dict(given.keywords)
    held: list[_HeldArray] = []
    _map_leaves(tree, lambda leaf: held.append(leaf) if isinstance(leaf, _HeldArray) else None)
    for way in product(*(each.readings(batch) for each in held)):
        positional, keywords = _map_leaves(tree, _ReplaceHeld(way))
        yield Arguments(tuple(positional), keywords)


class _ReplaceHeld:
    """Replaces the held arrays among leaves, one after another."""

    def __init__(self, ways: Sequence[_HeldArray]) -> None:
        self._rest = iter(ways)

    def __call__(self, leaf: Any) -> Any:
        return next(self._rest) if isinstance(leaf, _HeldArray) else leaf


def forward_parameters(net: nn.Module) -> Mapping[str, inspect.Parameter]:
    """The parameters of a module's forward method by name; none where Python cannot tell."""
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


def call_arguments(net: nn.Module, given: Mapping[str, Any] | None) -> Arguments | None:
    """How to call a module of which one input is explained; None where it takes the image alone.

    Args:
        net: the module.
        given: what the other inputs hold, by name.

    Raises:
        ModelError: inputs of other names, all or none of several; what it takes and what to type.
    """
    takes, values = forward_parameters(net), dict(given or {})
    open_ended = [name for name, p in takes.items() if p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    named = [name for name in takes if name not in open_ended]
    if not any(takes[name].kind == inspect.Parameter.VAR_KEYWORD for name in open_ended):
        _refuse_unknown(values, list(takes))
    needed = [n for n in named if takes[n].default is inspect.Parameter.empty and n not in values]
    if not values and len(needed) <= 1 and not any(takes[n].kind == inspect.Parameter.KEYWORD_ONLY for n in needed):
        return None
    tree = {name: _held_value(value) for name, value in values.items()}
    if not any(isinstance(leaf, _Image) for leaf in _leaves(list(tree.values()))):
        optional = all(takes[name].default is not inspect.Parameter.empty for name in named)
        tree[_explained_input(named if optional else needed, needed, values)] = _Image()
    return _bound(takes, tree)


def _explained_input(named: Sequence[str], needed: Sequence[str], values: Mapping[str, Any]) -> str:
    """The one input for which nothing is given."""
    free = needed or [name for name in named if name not in values][:1]
    if len(free) == 1:
        return free[0]
    _refuse_several(free, values)
    raise ModelError(f"inputs= holds all of the network's inputs, {', '.join(values)}; leave out the one to explain")


def held_values(names: Sequence[str], given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The input to explain among those of a program, and what stands in the place of each.

    Raises:
        ModelError: inputs of other names, all or none of several; what it takes and what to type.
    """
    _refuse_unknown(given, names)
    free = [name for name in names if name not in given]
    image = _explained_input(names, free, given)
    return image, {image: _Image(), **{name: _held_value(value) for name, value in given.items()}}


def _refuse_several(free: Sequence[str], values: Collection[str] = ()) -> None:
    """Refuse more than one input for which nothing is given.

    Raises:
        ModelError: their names, and what to type.
    """
    if len(free) > 1:
        more = " more" if values else ""
        raise ModelError(
            f"the network takes {len(free)}{more} inputs, {', '.join(free)}; one is explained and the others hold what "
            f"you give: wrap(net, inputs={{{free[1]!r}: array}})"
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


def _held_value(value: Any, *, inside: bool = False) -> Any:
    """A user's value as the network takes it; None inside a list or a mapping is the image's place."""
    if value is None and inside:
        return _Image()
    if isinstance(value, Mapping):
        return {name: _held_value(each, inside=True) for name, each in value.items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(n, int | float) for n in _leaves(value)):
            return _HeldArray(torch.as_tensor(np.asarray(value)))
        return type(value)(_held_value(each, inside=True) for each in value)
    return value if isinstance(value, None | bool | int | float | str) else _HeldArray(_tensor(value))


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
    shapes = [
        str(tuple(v.value.shape)) for v in _leaves((given.positional, given.keywords)) if isinstance(v, _HeldArray)
    ]
    return ", ".join(shapes)


def _batch_of(leaf: Any, x: Tensor) -> Any:
    if isinstance(leaf, _Image):
        return x
    return leaf.batch(x) if isinstance(leaf, _HeldArray) else leaf


def _map_leaves(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Lists, tuples and mappings with each leaf replaced by what `change` returns."""
    if isinstance(tree, Mapping):
        return {name: _map_leaves(each, change) for name, each in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_map_leaves(each, change) for each in tree)
    return change(tree)


def _leaves(tree: Any) -> list[Any]:
    leaves: list[Any] = []
    _map_leaves(tree, leaves.append)
    return leaves
