"""Repeatability: whether two runs of a network agree, and whether an image's result depends on its batch.

Dropout left on, noise drawn inside, a normalisation by the statistics of the batch: one output does not show them. So
each model is tested once on images of noise: the same image as first of two, as last of two, and alone. Only where its
outputs differ are its layers compared. The result is stored with the model, and copies of the model share it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from threading import RLock
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..errors import CrosslensError, ModelError
from .backend import BackendModel
from .layer import INPUT, OUTPUT

__all__ = ["Repeatability", "refuse_where_alone_fails", "repeatability"]

Values = np.ndarray[Any, Any]
Batch = tuple[Values, int]
"""Images, and the index of the one that is compared."""
Rows = Mapping[str, Values]
"""Values of one image by layer."""

SAME = 1e-3
"""Two runs of equally many images that differ by more than this share of the values differ by more than rounding."""
RESIZED = 2e-2
"""The same for a run of one image against one of two, for which a GPU may choose other, less exact kernels."""
COARSE = 30.0
"""The factor on these limits where values have the digits of half precision."""
FLOOR = 1e-2
"""A channel's differences are divided by its largest value, or by this share of the layer's largest if that is more."""
PORTION = 1 << 28
"""Bytes of activations that are stored at once while layers are compared."""

LARGEST = 1 << 32
"""Bytes that two images may take; larger ones go through the network alone, where no other image can be seen."""

_ATTRIBUTE = "_repeatability"
_LOCK = RLock()
_running: set[int] = set()


@dataclass(frozen=True)
class Repeatability:
    """The outcome of the test; None where two runs agree and images do not see each other."""

    random_at: str | None = None
    """The first layer whose values differ between two runs."""
    random_by: float = 0.0
    """By how much there: the length of the difference over that of the values."""
    mixed_at: str | None = None
    """The first layer in which an image's values depend on the other images of its batch."""
    mixed_by: float = 0.0
    by_place: bool = False
    """Whether it is an image's place in the batch, not the other images, that changes its values there."""
    fails_alone: str | None = None
    """Why the network does not run on one image alone, where it does on two."""
    tried: bool = True
    """False where the network does not run on noise, so that nothing is known."""

    @property
    def repeatable(self) -> bool | None:
        """Whether two runs agree; None where nobody knows."""
        return self.random_at is None if self.tried else None

    @property
    def one_by_one(self) -> bool:
        """Whether each image needs a batch of its own. Behind a random layer nobody can tell whether images mix."""
        return self.random_at is not None or self.mixed_at is not None

    @property
    def cause(self) -> str:
        """Why images go one by one, in a few words; empty where they need not."""
        if self.mixed_at is not None:
            return f"the network mixes the images of a batch at layer {self.mixed_at!r}"
        return "" if self.random_at is None else f"the network is random at layer {self.random_at!r}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of a result must know."""
        notes = []
        if self.random_at is not None:
            notes.append(
                f"this network is random: two runs of one image differ by {_percent(self.random_by)} at layer "
                f"{self.random_at!r}, so that no result can be repeated; if that is not meant, turn off its dropout or "
                "noise before wrapping it"
            )
        if self.mixed_at is not None:
            known, cause = (
                ("draws noise for the places of a batch", "its place in the batch")
                if self.by_place
                else ("mixes the images of a batch", "the images beside it")
            )
            notes.append(
                f"this network {known}: an image's values change by {_percent(self.mixed_by)} with {cause}, first at "
                f"layer {self.mixed_at!r}; each image is computed in a batch of its own"
            )
        return tuple(notes)


def repeatability(model: BackendModel) -> Repeatability:
    """The repeatability of a model; the first call tests it, with three passes or a few more."""
    if (known := vars(model).get(_ATTRIBUTE)) is None:
        with _LOCK:
            if id(model) in _running:  # a backend asks during the test
                return Repeatability(tried=False)
            if (known := vars(model).get(_ATTRIBUTE)) is None:
                _running.add(id(model))
                try:
                    known = vars(model)[_ATTRIBUTE] = _test(model)
                finally:
                    _running.discard(id(model))
    assert isinstance(known, Repeatability)
    return known


def refuse_where_alone_fails(model: BackendModel) -> None:
    """Refuse a network that mixes the images of a batch and does not run on one image alone.

    Raises:
        ModelError: with the layer that mixes.
    """
    known = repeatability(model)
    if known.mixed_at is not None and known.fails_alone:
        raise ModelError(
            f"an image's result depends on the images beside it, first at layer {known.mixed_at!r}, and alone it does "
            f"not run: {known.fails_alone}. Wrap the network with the statistics of its training (eval mode, "
            "track_running_stats=True)"
        )


def _test(model: BackendModel) -> Repeatability:
    first, other, dark = _noise(model)
    pairs = [(_batch(first, other), 0), (_batch(dark, first), 1)]
    if 2 * 2 * 4 * model.elements > LARGEST and model.batch_size in {None, 1}:
        pairs = [(first, 0), (first, 0)]
    alone, why = (first, 0), None
    try:
        outputs = [_row(model, batch, [OUTPUT]).get(OUTPUT) for batch in pairs]
    except CrosslensError:
        return Repeatability(tried=False)
    try:
        outputs.append(_row(model, alone, [OUTPUT]).get(OUTPUT))
    except CrosslensError as error:
        why = str(error).partition(". ")[0]
    given = [each for each in outputs if each is not None]
    if len(given) < len(outputs):
        return Repeatability(tried=False)
    limits = (SAME, RESIZED)
    if all(_difference(given[0], other, limit) is None for other, limit in zip(given[1:], limits, strict=False)):
        return Repeatability(fails_alone=why)
    return _locate(model, (first, other, dark), why)


def _locate(model: BackendModel, three: Sequence[Values], why: str | None) -> Repeatability:
    """Where two runs of the same batch differ first, and where the same image in other batches does."""
    first, other, dark = three
    pair = (_batch(first, other), 0)
    batches = [pair, pair, (_batch(other, first), 1), (_batch(first, dark), 0), *([] if why else [(first, 0)])]
    result = Repeatability(fails_alone=why)
    for names in (*_portions(model), [OUTPUT]):
        once, again, turned, *beside = (_rows(model, batch, names) for batch in batches)
        for name in (n for n in names if n in once):
            if by := _largest_difference(name, once, [again], SAME):
                return replace(result, random_at=name, random_by=by)
            if result.mixed_at is None and (mixed := _mixed_layer(name, once, turned, beside)):
                result = replace(result, mixed_at=mixed[0], mixed_by=mixed[1], by_place=mixed[2])
    return result


def _mixed_layer(name: str, once: Rows, turned: Rows, beside: Sequence[Rows]) -> tuple[str, float, bool] | None:
    """The layer, by how much its values depend on the batch, and whether it is the place there that counts."""
    dark, alone = beside[0], beside[1:]
    for others, limit, by_place in (([dark], SAME, False), ([turned], SAME, True), (alone, RESIZED, False)):
        if by := _largest_difference(name, once, others, limit):
            return name, by, by_place
    return None


def _largest_difference(name: str, once: Rows, others: Iterable[Rows], limit: float) -> float:
    """The largest difference of a layer's values between a run and others; 0 within the limit."""
    differences = [_difference(once[name], other[name], limit) for other in others if name in other]
    return max((each for each in differences if each is not None), default=0.0)


def _noise(model: BackendModel) -> tuple[Values, Values, Values]:
    """Two images of noise and a dark one, (1, C, H, W) each, at the example's size; the same for every model."""
    rng, shape = np.random.default_rng(0), (1, *model.input.example_shape)
    if model.input.bounds is None:
        return tuple(scale * rng.standard_normal(shape, dtype=np.float32) for scale in (1, 1, 2))  # type: ignore[return-value]
    low, high = model.input.bounds
    first, other, dark = (rng.random(shape, dtype=np.float32) for _ in range(3))
    return tuple((low + (high - low) * each).astype(np.float32) for each in (first, other, 0.4 * dark**2))  # type: ignore[return-value]


def _batch(*images: Values) -> Values:
    return np.concatenate(images)


def _row(model: BackendModel, batch: Batch, names: Sequence[str]) -> dict[str, Values]:
    """The values of layers for the image that is compared, without layers that have no row for each image."""
    images, row = batch
    activations = model._forward(images, tuple(names), {}).items()
    return {name: as_numpy(values)[row] for name, values in activations if values.shape[:1] == (len(images),)}


def _rows(model: BackendModel, batch: Batch, names: Sequence[str]) -> dict[str, Values]:
    """The same, without the layers that cannot be computed."""
    try:
        return _row(model, batch, names)
    except CrosslensError:
        if len(names) == 1:
            return {}
        half = len(names) // 2
        return _rows(model, batch, names[:half]) | _rows(model, batch, names[half:])


def _portions(model: BackendModel) -> Iterator[list[str]]:
    """The layers in order, in portions whose activations of five batches of two may be held together."""
    portion: list[str] = []
    held = 0
    for name, layer in model.layers.items():
        size = 4 * 5 * 2 * prod(n or 1 for n in layer.shape[1:])
        if portion and held + size > PORTION:
            yield portion
            portion, held = [], 0
        if name != INPUT:
            portion, held = [*portion, name], held + size
    yield portion


def _difference(a: Values, b: Values, limit: float) -> float | None:
    """By how much two arrays of values (C, ...) differ, as a share of their length; None where rounding explains it."""
    if a.shape != b.shape:
        return 1.0
    if not a.size or np.array_equal(a, b, equal_nan=True):
        return None
    limit *= COARSE if _is_coarse(a) and _is_coarse(b) else 1.0
    a, b = (np.nan_to_num(v.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0) for v in (a, b))
    axes = tuple(range(1, a.ndim)) if a.ndim > 1 else None
    scale = np.maximum(np.abs(a), np.abs(b)).max(axis=axes, keepdims=True)
    scale = np.maximum(scale, FLOOR * scale.max())
    if not (np.abs(a - b) > limit * scale).any():
        return None
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b)))


def _is_coarse(values: Values) -> bool:
    """Whether float32 values have no more digits than half precision, 11 bits, holds."""
    return values.dtype == np.float32 and not (np.ascontiguousarray(values).view(np.uint32) & 0x1FFF).any()


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"
