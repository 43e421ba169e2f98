"""The pictures of an adversarial patch: what is known of each before, which are held out, and reading them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, array_bytes, as_numpy
from crosslens.data import Batch, Rows, Source, State
from crosslens.errors import ImageError, ModelError, ParameterError
from crosslens.method.unit_range import images_for
from crosslens.model import Model
from crosslens.model.output.output_spec import OutputSpec
from crosslens.objective.aim import Aim

__all__ = ["Known", "PictureMarks", "Pictures", "aim_at", "held_out", "split", "without_class"]

Numbers = np.ndarray[Any, Any]
KEPT_BYTES = 256 << 20
"""Of pictures that are kept in memory between steps."""


def aim_at(spec: OutputSpec, towards: int, count: int) -> Aim:
    """That `count` images are to reach a class."""
    return Aim(spec, np.full(count, -1), np.full(count, towards))


@dataclass(frozen=True)
class PictureMarks(Rows):
    """Of each picture a digest of its pixels, its predicted class, and 1 where it is of the class wanted already."""

    spec: OutputSpec
    towards: int
    dtype: ClassVar[Any] = np.int64

    @property
    def shape(self) -> Sequence[int]:
        return (3,)

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({self.spec.reading("logit").layer})

    def rows(self, batch: Batch) -> Array:
        aim = aim_at(self.spec, self.towards, len(batch))
        logits = aim.class_logits(batch.activations)
        bad = ~np.isfinite(logits).all(axis=1)
        if bad.any():
            raise ModelError(
                f"the network's output is NaN or infinite for image {batch.samples.ids[int(bad.argmax())]!r}; look at "
                "its weights and at preprocess="
            )
        digests = [_digest(batch.samples.images[n, ...]) for n in range(len(batch))]
        return np.stack([digests, logits.argmax(axis=1), aim.succeeded(aim.deciding(logits))], axis=1)


def _digest(image: Array) -> int:
    return int.from_bytes(blake2b(array_bytes(image), digest_size=8).digest(), "big", signed=True)


def split(digests: Numbers, share: float, seed: int) -> Numbers:
    """Which pictures are held out, booleans (n,): those of the smallest keyed hashes of their pixels.

    Pictures of the same pixels go to the same side. At least one lies on either side.

    Raises:
        ParameterError: fewer than two different pictures.
    """
    different = np.unique(digests)
    if len(different) < 2:
        what = f"all {len(digests)} pictures have the same pixels" if len(digests) > 1 else "there is one picture"
        raise ParameterError(f"{what}: what is trained on some is judged on others; give two different ones at least")
    count = min(max(1, round(share * len(different))), len(different) - 1)
    hashes = [blake2b(int(each).to_bytes(8, "big", signed=True), key=str(seed).encode()).digest() for each in different]
    first = sorted(range(len(different)), key=hashes.__getitem__)[:count]
    return np.isin(digests, different[first])


def held_out(digests: Numbers, share: float | None, trained_on: Numbers | None, seed: int) -> Numbers:
    """Which pictures a patch is judged on, booleans (n,), never one that it was trained on earlier.

    Args:
        digests: of the pictures, (n,).
        share: of them that is held out; None for all, where the patch is not trained any more.
        trained_on: digests of the pictures that an earlier training took; None for none.
        seed: of the split.

    Raises:
        ParameterError: none is left, or there are too few.
    """
    held = np.ones(len(digests), bool) if share is None else split(digests, share, seed)
    if trained_on is not None:
        held &= ~np.isin(digests, trained_on)
    if not held.any():
        raise ParameterError(
            f"the patch was trained on all {len(digests)} pictures that it would be judged on: give others"
        )
    return held


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of pictures before, (n,) each: the place in the source, a digest of the pixels, the class."""

    index: Numbers
    digests: Numbers
    classes: Numbers


def without_class(state: State) -> tuple[Known, tuple[str, ...]]:
    """The pictures that are not of the class wanted, all where every one is, and a note on what was done."""
    index, rows = state["index"], state["rows"][state["index"]]
    already = rows[:, 2] != 0
    kept, notes = ~already, tuple[str, ...]()
    if already.all():
        kept = already
        notes = (f"all {len(rows)} pictures are of the class wanted without a patch: the rate says nothing of it",)
    elif already.any():
        notes = (f"{already.sum()} of {len(rows)} pictures are of the class wanted without a patch, and are left out",)
    return Known(index[kept], rows[kept, 0], rows[kept, 1]), notes


class Pictures:
    """The images of a source one by one, (1, C, H, W) in [0, 1] where the network computes; some are kept."""

    def __init__(self, view: Model, model: Model, source: Source) -> None:
        self._view, self._model, self._source = view, model, source
        self._kept: dict[int, Array] = {}
        self._bytes = 0

    def __call__(self, index: int) -> Array:
        """The image at a place of the source.

        Raises:
            ImageError: it could be read before, and cannot now.
        """
        if index in self._kept:
            return self._kept[index]
        samples = self._source.read(index, index + 1, self._model)
        if samples.images is None:
            raise ImageError(f"the data changed: {samples.failures[0].id} could be read before, and cannot now")
        image = self._view.placed(images_for(self._view, samples.images))
        size = as_numpy(image).nbytes
        if self._bytes + size <= KEPT_BYTES:
            self._kept[index], self._bytes = image, self._bytes + size
        return image
