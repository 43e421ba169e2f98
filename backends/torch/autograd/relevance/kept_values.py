"""Values that a backward rule needs later, kept without a copy until the network is about to overwrite them."""

from collections import defaultdict
from typing import Any

from crosslens.errors import ModelError
from torch import Tensor

from ...layers.functions import tensors_in

__all__ = ["KeptValue", "KeptValues", "overwrites", "same_memory"]


class KeptValue:
    """A tensor as it is now, without its graph."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor.detach()
        self._version = self._tensor._version

    @property
    def tensor(self) -> Tensor:
        """The value.

        Raises:
            ModelError: the network wrote to it where no function shows, for example through NumPy or its own C++ code.
        """
        if self._tensor._version != self._version:
            raise ModelError(
                "the network overwrites a tensor that a backward rule needs, in a way that torch's functions do not "
                "show; run that part out of place, or leave its layers out of the rules"
            )
        return self._tensor

    def copy(self) -> None:
        """Take memory of its own."""
        self._tensor = self._tensor.clone()
        self._version = self._tensor._version


class KeptValues:
    """The kept values of one pass, by the memory that they share with the network's own tensors."""

    def __init__(self) -> None:
        self._by_memory: defaultdict[int, list[KeptValue]] = defaultdict(list)

    def keep(self, tensor: Tensor) -> KeptValue:
        """The tensor's value as it is now; no copy."""
        kept = KeptValue(tensor)
        self._by_memory[_memory(tensor)].append(kept)
        return kept

    def before_writing(self, args: Any, kwargs: Any) -> None:
        """Copy what is kept of the tensors that a function is about to overwrite: its first argument, or `out`."""
        written = [*tensors_in([args[:1], kwargs.get("out"), kwargs.get("input"), kwargs.get("self")])]
        for tensor in written:
            for kept in self._by_memory.pop(_memory(tensor), ()):
                kept.copy()


def overwrites(name: str, args: Any, kwargs: Any) -> bool:
    """Whether a function may write to its first argument, by its name as torch has it ("relu_", "__iadd__")."""
    if name.startswith("__"):
        return name in {"__setitem__", "__set__"} or (name.startswith("__i") and name not in _NO_WRITE)
    return (
        name.endswith("_")
        or "out" in kwargs
        or bool(kwargs.get("inplace", False))
        or any(each is True for each in args[1:])
    )


def same_memory(y: Tensor) -> Tensor:
    """`y` as a tensor of its own on the same memory, no view, for an autograd function to return without a copy."""
    return y.new_empty(0).set_(y.detach())


_NO_WRITE = frozenset({"__index__", "__int__", "__invert__", "__iter__"})


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())
