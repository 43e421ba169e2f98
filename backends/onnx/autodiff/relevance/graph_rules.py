"""The backward rules of a modified network, as a key of its sessions: equal rules share them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.errors import ModelError
from crosslens.model import BackwardRules, KernelRule

from ...ir.layers import LayerTensor

__all__ = ["EXACT", "GraphRules", "graph_rules"]


@dataclass(frozen=True, eq=False)
class GraphRules:
    """The options of `Model.modified`, explained there, with the rules of kernels by the tensor that holds y."""

    relu: str = "exact"
    slope: str = "exact"
    norms: str = "exact"
    products: str = "exact"
    kernels: Mapping[str, KernelRule] = field(default_factory=dict)
    store: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict, repr=False)
    """Constants computed from the tables; their names hold `label`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GraphRules) and self._key == other._key

    def __getstate__(self) -> dict[str, Any]:
        """Pickled without the computed constants."""
        return {**vars(self), "store": {}}

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def exact(self) -> bool:
        """Whether nothing is changed."""
        return self == EXACT

    @property
    def pairs(self) -> bool:
        """Whether gradients need images and their references in one run."""
        return self.slope == "secant"

    @property
    def label(self) -> str:
        """Part of the names of constants that are computed from the tables."""
        return f"rules {self._key[-1]}"

    @cached_property
    def _key(self) -> tuple[str, ...]:
        digest = blake2b(digest_size=16)
        for tensor, rule in sorted(self.kernels.items()):
            digest.update(repr((tensor, rule.stabiliser, rule.local, tuple(map(tuple, rule.border)))).encode())
            _add(digest, rule.gain)
            _add(digest, rule.shift)
            for branch in rule.branches:
                digest.update(repr((branch.weight, branch.side, len(branch.kernels))).encode())
                _add(digest, branch.bias)
                for inputs, kernel in branch.kernels:
                    _add(digest, inputs)
                    _add(digest, kernel)
        return self.relu, self.slope, self.norms, self.products, digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    if value is None or isinstance(value, str):
        digest.update(f"<{value}>".encode())
        return
    array = np.ascontiguousarray(as_numpy(value))
    digest.update(f"<{array.dtype}{array.shape}>".encode())
    digest.update(array.data if array.size else b"")


EXACT = GraphRules()


def graph_rules(rules: BackwardRules, layers: Mapping[str, LayerTensor], batch: int | None) -> GraphRules:
    """The rules of `Model.modified` for a graph: of kernels by the layer's tensor.

    Args:
        rules: checked.
        layers: the layers' tensors by name.
        batch: the only batch size that the network takes, if any.

    Raises:
        ModelError: pairs of images and references, and a network that takes an odd number of images.
    """
    kernels = {layers[name].tensor: rule for name, rule in rules.kernels.items()}
    made = GraphRules(rules.relu, rules.slope, rules.norms, rules.products, kernels)
    if made.pairs and batch and batch % 2:
        raise ModelError(
            f"slope='secant' takes images and references in one run, and this file takes {batch} at a time: an odd "
            "number. Export it with a free batch size (dynamic_axes in torch.onnx.export)"
        )
    return made
