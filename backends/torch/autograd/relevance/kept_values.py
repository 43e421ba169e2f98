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

    def is_now(self, tensor: Tensor) -> bool:
        """Whether a tensor is this value, in the same places."""
        mine = self._tensor
        return self._version == mine._version == tensor._version and (
            (mine.data_ptr(), mine.shape, mine.stride()) == (tensor.data_ptr(), tensor.shape, tensor.stride())
        )

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
        same = next((each for each in self._by_memory[_memory(tensor)] if each.is_now(tensor)), None)
        if same is not None:
            return same
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
    place = _IN_PLACE.get(name, len(args))
    in_place = args[place] if place < len(args) else kwargs.get("inplace", False)
    return name.endswith("_") or "out" in kwargs or in_place is True


_IN_PLACE = {
    **dict.fromkeys(("relu", "relu6", "selu", "silu", "mish", "hardswish", "hardsigmoid"), 1),
    **dict.fromkeys(("elu", "celu", "leaky_relu"), 2),
    **dict.fromkeys(("hardtanh", "threshold", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"), 3),
    **dict.fromkeys(("rrelu",), 4),
}
"""By function of torch.nn.functional, the place of `inplace` among its arguments."""


def same_memory(y: Tensor) -> Tensor:
    """`y` as a tensor of its own on the same memory, no view, for an autograd function to return without a copy."""
    return y.new_empty(0).set_(y.detach())


_NO_WRITE = frozenset({"__index__", "__int__", "__invert__", "__iter__"})


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())
