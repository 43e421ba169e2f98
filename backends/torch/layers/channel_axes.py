"""The channel axis of each tensor, followed from function to function by evidence, never assumed.

A convolution's maps have channels at axis 1. A permutation moves the axis, a sum or an activation keeps it, a reshape
keeps each axis that it neither splits nor merges. Where nothing is known, a normalisation or a linear layer over the
last axis shows that channels are there. What is known goes forward through the network, and backward to what is left.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["ChannelAxes"]

Axes = Mapping[int, int]
"""Which axis of a result an axis of an argument has become."""

_POOLS = "max_pool avg_pool lp_pool fractional_max_pool adaptive_max_pool adaptive_avg_pool max_unpool"
_NORMS = "batch_norm group_norm instance_norm local_response_norm native_batch_norm native_group_norm"
_RESIZES = "interpolate upsample grid_sample pixel_shuffle pixel_unshuffle channel_shuffle"
_FIRST = tuple(f"conv {_POOLS} {_NORMS} {_RESIZES}".split())
"""Beginnings of functions that are defined on (N, C, ...)."""
_LAST = frozenset({"linear", "addmm", "layer_norm", "native_layer_norm", "rms_norm"})
_PRODUCTS = "matmul bmm baddbmm mm einsum tensordot scaled_dot_product_attention multi_head_attention_forward"
_MIXES = frozenset(f"{_PRODUCTS} as_strided unfold fold gather stft lstm gru rnn_tanh rnn_relu embedding".split())
"""Functions whose axes mean something else than their arguments'."""
_RESHAPES = frozenset({"reshape", "view", "flatten", "unflatten", "reshape_as", "view_as", "unsafe_view"})
_REDUCES = "mean sum amax amin max min std var norm logsumexp prod median argmax any all"
_DROPS = frozenset(f"{_REDUCES} squeeze select unbind".split())


class ChannelAxes:
    """The channel axis of each tensor, as far as the recorded calls show it."""

    def __init__(self) -> None:
        self._numbers: Any = WeakTensorKeyDictionary()
        self._known: list[int | None] = []
        self._rows: list[int | None] = []
        self._expected: dict[int, int] = {}
        self._links: list[tuple[int, int, Axes]] = []
        self._propagated = False

    def __contains__(self, tensor: Tensor) -> bool:
        return tensor in self._numbers

    def add(self, tensor: Tensor, axis: int | None = None, rows: int | None = None) -> int:
        """Number a tensor; `axis` is that of its channels and `rows` that of its batch, where known."""
        self._numbers[tensor] = len(self._known)
        self._known.append(axis)
        self._rows.append(rows)
        return len(self._known) - 1

    def number(self, tensor: Tensor) -> int | None:
        """The tensor's number as it is now: an in-place function gives it another one."""
        number: int | None = self._numbers.get(tensor)
        return number

    def axis(self, number: int | None) -> int | None:
        """The axis of a tensor's channels, None where nothing shows it; to be asked when the network has run."""
        if not self._propagated:
            self._propagate()
        return None if number is None else self._known[number]

    def rows(self, number: int | None) -> int | None:
        """The axis of a tensor's batch, None where nothing shows it."""
        return None if number is None else self._rows[number]

    def record(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], given: Sequence[Any], y: Tensor
    ) -> None:
        """One call of a function.

        Args:
            name: the function's.
            args: its arguments.
            kwargs: its keyword arguments.
            given: (number, shape) of each tensor among them before the call.
            y: a tensor that it returned or wrote to.
        """
        shape = tuple(y.shape)
        links = [(number, axis_map(name, args, kwargs, before, shape)) for number, before in given]
        rows = next((axes.get(row) for number, axes in links if (row := self._rows[number]) is not None), None)
        if name.startswith(_FIRST):
            self.add(y, 1 if y.ndim > 2 else None, rows)
            number, before = given[0]
            if len(before) == y.ndim:
                self._expected.setdefault(number, 1)
            return
        known = (axes.get(self._known[number]) for number, axes in links if self._known[number] is not None)
        axis = next((each for each in known if each is not None), None)
        if axis is None and name in _LAST and y.ndim > 2 and given[0][1][:-1] == shape[:-1]:
            axis = y.ndim - 1
            self._expected.setdefault(given[0][0], y.ndim - 1)
        out = self.add(y, axis, rows)
        self._links += [(number, out, axes) for number, axes in links if axes]

    def _propagate(self) -> None:
        self._propagated = True
        for _ in range(2):
            for number, axis in self._expected.items():
                if self._known[number] is None:
                    self._known[number] = axis
            for before, after, axes in reversed(self._links):
                known = self._known[after]
                if self._known[before] is None and known is not None:
                    self._known[before] = next((a for a, b in axes.items() if b == known), None)
            for before, after, axes in self._links:
                known = self._known[before]
                if self._known[after] is None and known is not None:
                    self._known[after] = axes.get(known)


def axis_map(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], before: tuple[int, ...], after: tuple[int, ...]
) -> Axes:
    """Which axis of a function's result each axis of an argument becomes.

    Args:
        name: the function's.
        args: its arguments.
        kwargs: its keyword arguments.
        before: shape of the argument.
        after: shape of the result.

    >>> axis_map("permute", (None, (0, 2, 3, 1)), {}, (2, 8, 5, 6), (2, 5, 6, 8))
    {0: 0, 2: 1, 3: 2, 1: 3}
    >>> axis_map("reshape", (), {}, (2, 5, 6, 8), (2, 30, 8))
    {0: 0, 3: 2}
    >>> axis_map("mean", (None, (1, 2)), {}, (2, 5, 6, 8), (2, 8))
    {0: 0, 3: 1}
    """
    if name in _MIXES or name in _RESHAPES:
        return _unchanged_by_reshape(before, after) if name in _RESHAPES else {}
    order = _order(name, args, kwargs, len(before))
    if order is not None:
        return {old: new for new, old in enumerate(order)}
    if name in {"unsqueeze", "stack"}:
        at = _numbers(kwargs.get("dim", args[1] if len(args) > 1 else 0), len(after))
        others = [axis for axis in range(len(after)) if axis not in at]
        return dict(enumerate(others)) if len(others) == len(before) else {}
    if name == "getitem":
        return _by_index(args[1], len(before))
    if len(after) < len(before):
        return _by_removed_axes(name, args, kwargs, before, after) if name in _DROPS else {}
    return {axis: axis + len(after) - len(before) for axis in range(len(before))}


def _unchanged_by_reshape(before: tuple[int, ...], after: tuple[int, ...]) -> Axes:
    """Axes that a reshape neither splits nor merges."""
    starts = {(prod(after[:j]), size): j for j, size in enumerate(after) if size > 1}
    targets = {i: starts.get((prod(before[:i]), size)) for i, size in enumerate(before) if size > 1}
    return {i: j for i, j in targets.items() if j is not None}


def _order(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], rank: int) -> list[int] | None:
    """The old axis at each new one, of a permutation."""
    rest = list(args[1:])
    if name == "permute":
        given = kwargs.get("dims", rest[0] if len(rest) == 1 else rest)
        return _numbers(given, rank)
    if name in {"transpose", "swapaxes", "swapdims", "mT", "t", "adjoint"}:
        keys = [kwargs[key] for key in ("dim0", "dim1", "axis0", "axis1") if key in kwargs]
        pair = _numbers([*rest, *keys] or [rank - 2, rank - 1], rank)
        order = list(range(rank))
        if len(pair) == 2:
            order[pair[0]], order[pair[1]] = order[pair[1]], order[pair[0]]
        return order
    if name in {"movedim", "moveaxis"}:
        source, target = (
            _numbers(kwargs.get(key, rest[i] if len(rest) > i else 0), rank)
            for i, key in enumerate(("source", "destination"))
        )
        others = iter([axis for axis in range(rank) if axis not in source])
        moved = dict(zip(target, source, strict=True))
        return [moved[new] if new in moved else next(others) for new in range(rank)]
    return list(reversed(range(rank))) if name == "T" else None


def _numbers(dims: Any, rank: int) -> list[int]:
    dims = dims if isinstance(dims, list | tuple) else [dims]
    return [int(dim) % rank for dim in dims if isinstance(dim, int)]


def _by_removed_axes(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], before: Any, after: Any) -> Axes:
    """The map of a reduction, a choice of one index, or a squeeze."""
    given = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else 0 if name == "unbind" else None))
    if given is None and name == "squeeze":
        given = [axis for axis, size in enumerate(before) if size == 1]
    removed = _numbers(given, len(before)) if given is not None else []
    if name == "squeeze":
        removed = [axis for axis in removed if before[axis] == 1]
    left = [axis for axis in range(len(before)) if axis not in removed]
    return {old: new for new, old in enumerate(left)} if len(left) == len(after) else {}


def _by_index(index: Any, rank: int) -> Axes:
    """The map of slices, numbers and new axes; indices of other kinds show nothing."""
    index = list(index) if isinstance(index, tuple) else [index]
    if any(not (each is None or each is Ellipsis or isinstance(each, int | slice)) for each in index):
        return {}
    used = sum(each is not None and each is not Ellipsis for each in index)
    at = next((i for i, each in enumerate(index) if each is Ellipsis), len(index))
    index[at : at + 1] = [slice(None)] * (rank - used)
    axes, old, new = {}, 0, 0
    for each in index:
        if isinstance(each, slice):
            axes[old] = new
        old, new = old + (each is not None), new + (each is None or isinstance(each, slice))
    return axes
