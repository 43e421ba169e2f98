"""What tells images apart beside their features: their labels, and a digest of their pixels."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Batch, State, Statistic

__all__ = ["ImageMarks"]

DIGEST = 16
"""Bytes."""


@dataclass(frozen=True)
class ImageMarks(Statistic):
    """Each image's label, "" where it has none, and a digest of its pixels as the model takes them."""

    any_grouping: ClassVar[bool] = True

    def empty(self) -> State:
        return {"label": np.zeros(0, "U1"), "digest": np.zeros((0, DIGEST), np.uint8)}

    def add(self, state: State, batch: Batch) -> State:
        if not len(batch):
            return state
        labels: list[Any] = [str(record.get("label", "")) for record in batch.samples.records]
        digests = [blake2b(image.tobytes(), digest_size=DIGEST).digest() for image in as_numpy(batch.samples.images)]
        values = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST)
        return self.merge(state, {"label": np.array(labels), "digest": values})

    def merge(self, first: State, second: State) -> State:
        return {name: np.concatenate([first[name], second[name]]) for name in ("label", "digest")}
