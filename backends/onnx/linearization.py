"""A network at one batch of images: the forward pass has run, what the backward needs lies in bound values."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from crosslens.arrays import Array
from crosslens.errors import LayerError
from crosslens.model import Linearization

from .program import Request
from .session import Pair, filled

__all__ = ["OnnxLinearization"]


class OnnxLinearization(Linearization):
    """Forward once, then backward sessions that read its values without copying them."""

    def __init__(
        self,
        executable: Callable[[str, Request, Array], Any],
        request: Request,
        parts: Sequence[tuple[Array, dict[str, Array], dict[str, Array]]],
        count: int,
    ) -> None:
        self._executable, self._request, self._parts, self._count = executable, request, parts, count
        pairs: list[Pair] = [executable("split", request, x) for x, _, _ in parts]
        self._kept: list[dict[str, ort.OrtValue]] | None = [
            pair.ahead.bound(pair.ahead.feeds(x, given, {}), {})
            for pair, (x, given, _) in zip(pairs, parts, strict=True)
        ]
        tensors = pairs[0].ahead.program.activations
        self.activations = {
            name: np.concatenate([kept[tensor].numpy() for kept in self._kept])[:count]
            if len(parts) > 1
            else self._kept[0][tensor].numpy()[:count]
            for name, tensor in tensors.items()
        }

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """Gradients at the `wrt` layers; layers without a cotangent count as zero."""
        if self._kept is None:
            raise LayerError("this linearisation is closed: use it inside its `with` block")
        found = [self._back(position, cotangents) for position in range(len(self._parts))]
        return {name: np.concatenate([part[name] for part in found])[: self._count] for name in self._request.wrt}

    def close(self) -> None:
        """Free what the forward pass left."""
        self._kept = None

    def _back(self, position: int, cotangents: Mapping[str, Array]) -> dict[str, Array]:
        x, given, _ = self._parts[position]
        assert self._kept is not None
        kept = self._kept[position]
        pair: Pair = self._executable("split", self._request, x)
        tensors = pair.ahead.program.activations
        start = position * len(x)
        dys = {
            name: filled(cotangents[name], start, len(x))
            if name in cotangents
            else np.zeros(kept[tensors[name]].shape(), np.float32)
            for name in self._request.seeds
        }
        found = pair.back.bound(pair.back.feeds(x, given, dys), kept)
        return {name: found[tensor].numpy() for name, tensor in pair.back.program.gradients.items()}
