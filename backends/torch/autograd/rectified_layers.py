"""Which layers of a network are the output of a rectifier, by one pass."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from .recording import Recording
from .rectifiers import Rectifiers

__all__ = ["RectifiedLayers", "RectifiedOutputs"]


class RectifiedOutputs(Rectifiers):
    """Within this context the outputs of rectifiers are remembered, as long as nothing overwrites them."""

    def __init__(self) -> None:
        super().__init__("exact")
        self._versions: Any = WeakTensorKeyDictionary()

    def rectified(self, y: Tensor) -> Tensor:
        self._versions[y] = y._version
        return y

    def __contains__(self, y: Tensor) -> bool:
        return bool(self._versions.get(y) == y._version)

    def forget(self, y: Tensor) -> None:
        """A layer has taken it as its own."""
        self._versions.pop(y, None)


@dataclass
class RectifiedLayers(Recording):
    """A pass that notes by name which layers give the output of a rectifier; of several the first, the innermost."""

    outputs: RectifiedOutputs = field(default_factory=RectifiedOutputs)
    names: list[str] = field(default_factory=list)

    def record(self, name: str, y: Tensor) -> Tensor:
        if y in self.outputs:
            self.names.append(name)
            self.outputs.forget(y)
        return super().record(name, y)
