"""A linearisation of an ONNX network: the forward pass has run; backward sessions read its values without a copy."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import onnxruntime as ort
from crosslens.arrays import Array
from crosslens.errors import LayerError
from crosslens.model import Linearization

from ..boundary import one_line_errors
from .batch_split import BatchSplit, arranged, rows_of
from .executable import Executable, SplitExecutable
from .program import Request

__all__ = ["OnnxLinearization"]

Part = tuple[Array, dict[str, Array], dict[str, Array]]
"""Images, and values by layer that replace activations or are cotangents, for some images of the batch."""


@one_line_errors("linearise the network")
class OnnxLinearization(Linearization):
    """One forward pass, then any number of backward passes."""

    def __init__(
        self,
        executable: Callable[[str, Request, Array], Any],
        request: Request,
        parts: Sequence[Part],
        count: int,
        split: BatchSplit,
        check: Callable[[Mapping[str, Array], Mapping[str, Array]], None],
    ) -> None:
        """Run the forward pass.

        Args:
            executable: opens the session of a kind of program for a request at images of a shape.
            request: what to compute.
            parts: the batch, divided.
            count: of images; more rows in the parts are dropped.
            split: how the batch is divided.
            check: called with gradients and cotangents; may refuse them.
        """
        self._executable, self._request, self._parts, self._count = executable, request, parts, count
        self._check = check
        self._split, self._starts = split, [0, *accumulate(len(x) for x, _, _ in parts)]
        self._saved: list[dict[str, ort.OrtValue]] | None = split.map(self._run_forward, parts)
        tensors = self._sessions(0).forward.program.activations
        joined = {
            name: np.concatenate([values[tensor].numpy() for values in self._saved])
            if len(parts) > 1
            else self._saved[0][tensor].numpy()
            for name, tensor in tensors.items()
        }
        self.activations = {name: split.restored(values)[:count] for name, values in joined.items()}

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """Gradients at the `wrt` layers; layers without a cotangent count as zero."""
        if self._saved is None:
            raise LayerError("this linearisation is closed: use it inside its `with` block")
        (given,) = arranged(self._split, cotangents)
        parts = self._split.map(self._run_backward, ((index, given) for index in range(len(self._parts))))
        joined = {name: np.concatenate([part[name] for part in parts]) for name in self._request.wrt}
        gradients = {name: self._split.restored(values)[: self._count] for name, values in joined.items()}
        self._check(gradients, cotangents)
        return gradients

    def close(self) -> None:
        """Free the values of the forward pass."""
        self._saved = None

    def _sessions(self, index: int) -> SplitExecutable:
        sessions: SplitExecutable = self._executable("split", self._request, self._parts[index][0])
        return sessions

    def _run_forward(self, x: Array, replace: Mapping[str, Array], _: Mapping[str, Array]) -> dict[str, ort.OrtValue]:
        forward: Executable = self._executable("split", self._request, x).forward
        return forward.run_bound(forward.feeds(x, replace, {}), {}, self._split.threads)

    def _run_backward(self, index: int, cotangents: Mapping[str, Array]) -> dict[str, Array]:
        x, replace, _ = self._parts[index]
        assert self._saved is not None
        saved = self._saved[index]
        sessions, start = self._sessions(index), self._starts[index]
        tensors = sessions.forward.program.activations
        dys = {
            name: rows_of(cotangents[name], start, len(x))
            if name in cotangents
            else np.zeros(saved[tensors[name]].shape(), np.float32)
            for name in self._request.seeds
        }
        backward = sessions.backward
        values = backward.run_bound(backward.feeds(x, replace, dys), saved, self._split.threads)
        return {name: values[tensor].numpy() for name, tensor in backward.program.gradients.items()}
