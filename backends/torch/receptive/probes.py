"""What an operator does, found by running it on numbers that tell: of positions, or the unit matrix.

Operators that move values without computing (rolls, crops, views, pixel shuffles) are run once on the numbers of their
input's positions. Those that are linear along each axis alone (resizing, padding) are run once on the unit matrix.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from crosslens.receptive.dependence import Dependence
from crosslens.receptive.indices import resized
from torch import fx

__all__ = ["Shapes", "UnknownFormError", "constant", "followed", "linear_along_axes", "moved", "size_for_one"]

Shapes: TypeAlias = Sequence[tuple[int, ...]]


class UnknownFormError(Exception):
    """An operator in a form that no rule knows."""


def followed(args: Sequence[Any]) -> Dependence:
    """The first argument, the only one that may depend on the image.

    Raises:
        UnknownFormError: another one does too, or the first does not.
    """
    if not isinstance(args[0], Dependence) or any(isinstance(each, Dependence) for each in args[1:]):
        raise UnknownFormError
    return args[0]


def moved(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    """By running it on the numbers of the input's positions; each constant argument as it is.

    Args:
        node: the operator.
        args: its arguments.
        kwargs: those by name.
        shapes: of its outputs.
    """
    x = followed(args)
    numbers = torch.arange(int(np.prod(x.shape)), dtype=torch.float64).reshape(x.shape) + 1
    made = _run(node, numbers, args, kwargs)
    return [x.moved(each.numpy().astype(np.int64) - 1) for each in made]


def linear_along_axes(
    node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes
) -> Iterable[Dependence]:
    """By running it on unit matrices along each axis of positions; the others are left as they are.

    Args:
        node: the operator.
        args: its arguments.
        kwargs: those by name.
        shapes: of its outputs.
    """
    x = followed(args)
    for axis in range(2, len(x.shape)):
        before, after = x.shape[axis], shapes[0][axis]
        unit = torch.eye(before).reshape(1, before, *(before if a == axis else 1 for a in range(2, len(x.shape))))
        wide = unit.expand(1, before, *args[0].shape[2:axis], before, *args[0].shape[axis + 1 :])
        (made,) = _run(node, wide.contiguous(), args, kwargs)
        matrix = made[0].movedim(axis - 1, 0).reshape(after, before, -1).abs().amax(dim=2)
        x = x.taps(axis, resized(matrix.numpy()), before / after)
    yield x


def _run(node: fx.Node, x: torch.Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The operator's outputs for another first argument.

    Raises:
        UnknownFormError: another tensor's values are not known, or it refuses.
    """
    root = node.graph.owning_module
    own = fx.map_arg((tuple(args[1:]), dict(kwargs)), lambda each: constant(each, root))
    if not callable(node.target):
        raise UnknownFormError
    try:
        made = node.target(x, *own[0], **own[1])
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise UnknownFormError from error
    return list(made) if isinstance(made, tuple | list) else [made]


def constant(node: fx.Node, root: Any) -> Any:
    """The values of a node that depends on no pixel, computed for one image.

    Raises:
        UnknownFormError: it is an input.
    """
    if node.op == "get_attr":
        return getattr(root, str(node.target))
    if isinstance(size := node.meta.get("val"), torch.SymInt | int):
        return size_for_one(size)
    if node.op != "call_function" or not callable(node.target):
        raise UnknownFormError
    args, kwargs = fx.map_arg((node.args, dict(node.kwargs)), lambda each: constant(each, root))
    return node.target(*args, **kwargs)


def size_for_one(n: Any) -> int:
    """A size for a batch of one image, which is a symbol in a recorded graph."""
    if isinstance(n, int):
        return n
    expression = n.node.expr
    return int(expression.subs(dict.fromkeys(expression.free_symbols, 1)))
