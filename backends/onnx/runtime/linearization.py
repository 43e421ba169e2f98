"""A network at one batch of images: the forward pass has run, what the backward needs lies in bound values."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import onnxruntime as ort
from crosslens.arrays import Array
from crosslens.errors import LayerError
from crosslens.model import Linearization

from .batch_split import Share, filled
from .executable import Executable, Pair
from .program import Request

__all__ = ["OnnxLinearization"]


class OnnxLinearization(Linearization):
    """Forward once, then backward sessions that read its values without copying them."""

    def __init__(
        self,
        executable: Callable[[str, Request, Array], Any],
        request: Request,
        parts: Sequence[tuple[Array, dict[str, Array], dict[str, Array]]],
        count: int,
        divided: Share,
        checked: Callable[[Mapping[str, Array], Mapping[str, Array]], None],
    ) -> None:
        """`checked` is called with gradients and cotangents, and may refuse them."""
        self._executable, self._request, self._parts, self._count = executable, request, parts, count
        self._checked = checked
        self._divided, self._starts = divided, [0, *accumulate(len(x) for x, _, _ in parts)]
        self._kept: list[dict[str, ort.OrtValue]] | None = divided.each(self._ahead, parts)
        tensors = self._pair(0).ahead.program.activations
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
        found = self._divided.each(self._back, ((position, cotangents) for position in range(len(self._parts))))
        gradients = {name: np.concatenate([part[name] for part in found])[: self._count] for name in self._request.wrt}
        self._checked(gradients, cotangents)
        return gradients

    def close(self) -> None:
        """Free what the forward pass left."""
        self._kept = None

    def _pair(self, position: int) -> Pair:
        pair: Pair = self._executable("split", self._request, self._parts[position][0])
        return pair

    def _ahead(self, x: Array, given: Mapping[str, Array], _: Mapping[str, Array]) -> dict[str, ort.OrtValue]:
        ahead: Executable = self._executable("split", self._request, x).ahead
        return ahead.bound(ahead.feeds(x, given, {}), {}, self._divided.threads)

    def _back(self, position: int, cotangents: Mapping[str, Array]) -> dict[str, Array]:
        x, given, _ = self._parts[position]
        assert self._kept is not None
        kept = self._kept[position]
        pair, start = self._pair(position), self._starts[position]
        tensors = pair.ahead.program.activations
        dys = {
            name: filled(cotangents[name], start, len(x))
            if name in cotangents
            else np.zeros(kept[tensors[name]].shape(), np.float32)
            for name in self._request.seeds
        }
        found = pair.back.bound(pair.back.feeds(x, given, dys), kept, self._divided.threads)
        return {name: found[tensor].numpy() for name, tensor in pair.back.program.gradients.items()}
