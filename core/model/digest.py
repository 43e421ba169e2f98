"""A model's digest, by which results say which network they are of, and whether its weights changed since."""

from collections.abc import Hashable
from functools import cached_property
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np

from ..arrays import array_bytes, array_digest, as_numpy
from .backend import BackendModel

__all__ = ["FollowsWeights", "WeightsHistory", "content_mark", "digest"]

SAMPLES = 64
"""Values of an array that its mark holds, evenly spread."""


def digest(model: BackendModel) -> str:
    """A hash of the layers' kinds, shapes and weights, and of the weights that belong to no layer."""
    state = blake2b(digest_size=16)
    for layer in model.layers.values():
        state.update(f"{layer.kind}{layer.shape}".encode())
        for name, values in sorted(model.weights(layer.name).items()):
            state.update(name.encode() + array_bytes(values))
    for each in sorted(map(array_digest, model.other_weights())):
        state.update(each.encode())
    return state.hexdigest()


def content_mark(values: np.ndarray[Any, Any]) -> Hashable:
    """What tells arrays with other values apart at the speed of memory: the sum of all words, some values, the end.

    A digest reads 1 GB a second, this 20; any one value that changes, changes the sum.
    """
    raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    whole = raw.size // 4 * 4
    words = raw[:whole].view(np.uint32)
    total = int(np.add.reduce(words, dtype=np.uint32))
    return values.shape, total, words[:: max(1, words.size // SAMPLES)].tobytes(), raw[whole:].tobytes()


class WeightsHistory:
    """The digest of a model's weights as they were last seen, and the first one."""

    def __init__(self) -> None:
        self.changes = 0
        """How often the weights were found to be other than before."""
        self._mark: Hashable = None
        self._digest = self._first = ""

    def __repr__(self) -> str:
        return f"<WeightsHistory: {self.changes} changes seen, digest {self._digest or 'not needed yet'}>"

    def look(self, mark: Hashable) -> bool:
        """Whether the mark of the weights as they are now is other than the one before."""
        before, self._mark = self._mark, mark
        if before is None or before == self._mark:
            return False
        self.changes += 1
        self._digest = ""
        return True

    def digest(self, model: BackendModel) -> str:
        """The digest of the weights as they were last seen."""
        self._digest = self._digest or digest(model)
        self._first = self._first or self._digest
        return self._digest

    @property
    def notes(self) -> tuple[str, ...]:
        """A note where the digest is other than the first one."""
        if self._digest == self._first:
            return ()
        return (
            "the weights changed since this model's first result: compare this result with earlier ones as with those "
            "of another network (provenance['model'] tells them apart)",
        )


class FollowsWeights(BackendModel):
    """A model that knows whether its weights are those of its earlier results."""

    frozen_weights: ClassVar[bool] = False
    """Whether the weights are a copy that nobody else can change, as those of an ONNX file."""

    @property
    def digest(self) -> str:
        """A hash of the layers' kinds, shapes and weights as they are now.

        Two files of one network in one framework share it.
        """
        self.follow_weights()
        return self.last_digest

    @property
    def last_digest(self) -> str:
        """The digest of the weights as `follow_weights` last saw them."""
        return self.history.digest(self)

    def follow_weights(self) -> None:
        """Look whether the weights changed, and if so forget what was measured with the earlier ones.

        Passes always use the weights as they are. Methods, `crosslens.compare` and `digest` look by themselves.
        """
        if self.history.look(self.weights_mark()):
            for measured in ("output", "_repeatability"):
                vars(self).pop(measured, None)

    @cached_property
    def history(self) -> WeightsHistory:
        """The digests of the weights as they were seen."""
        return WeightsHistory()

    def weights_mark(self) -> Hashable:
        """Something cheap that is another when the weights are; () where they cannot change.

        Here by the weights of all layers; a backend may see them at less cost.
        """
        if self.frozen_weights:
            return ()
        arrays = [each for layer in self.layers for each in self.weights(layer).values()]
        return tuple(content_mark(as_numpy(each)) for each in (*arrays, *self.other_weights()))
