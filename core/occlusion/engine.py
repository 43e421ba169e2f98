"""Occluding an image in many places: the plain way, and the one that computes again only what a place can change.

A backend that can cut its network into `Stage`s gives a `Staged` network; the rectangles, the order of the places and
the decision how far the stages pay are worked out here, the same for every backend.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, namespace
from ..errors import ImageError, ParameterError
from ..execution.batching import BOXES, box_limit
from ..execution.thread_map import in_order
from ..model.base import Model
from ..model.layer import INPUT, OUTPUT
from ..model.repeatability import repeatability
from .receptive_field import Alone, Maps, Rect, Sliding, Span, covered, needed
from .stages import Boxes, NotStagedError, Read, Staged, SupportsStages

__all__ = [
    "Found",
    "Occluded",
    "occluded",
    "occluded_in_stages",
    "occluded_plainly",
    "worth",
]

Found: TypeAlias = Iterator[tuple[Sequence[int], Mapping[str, Array]]]
COPY = 100.0
"""What copying one number costs, in multiplications of a convolution; measured with onnxruntime on two cores."""
WORTH = 0.9
"""The share of the plain way's cost from which on the stages are not worth their trouble."""


class Occluded(Iterator[tuple[Sequence[int], Mapping[str, Array]]]):
    """Activations for boxes, batch after batch; `way` says how they are computed."""

    def __init__(self, found: Found, way: str) -> None:
        self._found, self.way = found, way

    def __next__(self) -> tuple[Sequence[int], Mapping[str, Array]]:
        return next(self._found)


def occluded(
    model: Model, x: Array, cover: Array, boxes: Any, capture: Iterable[str] = (OUTPUT,), *, batch: int | None = None
) -> Occluded:
    """Activations for one image with one box after another covered, as few of them computed again as pays.

    Args:
        model: the network. Only a model that `SupportsStages` can compute less than whole images.
        x: one image, (1, C, H, W), in the model's bounds.
        cover: what is seen in a box, (1, C, H, W).
        boxes: (P, 4): top, bottom, left, right of each in pixels, the ends excluded; of a volume front, back first.
        capture: names or aliases of layers.
        batch: whole images at once, or half of the boxes at once in all threads, each having one; None: what pays.

    Returns:
        An iterator over (positions in `boxes`, activations by the names in `capture`), in any order, each box once:
        what `model.forward` gives for the covered images (`Staged` says how exactly). Its `way` says how many stages
        are computed again, or why whole images are.

    Raises:
        ImageError: the model does not take the image, there is more than one, or `cover` has another shape.
        LayerError: no such layer.
        ParameterError: a box is empty or does not lie in the image.
    """
    names = {asked: model.layer(asked).name for asked in capture}
    boxes = np.asarray(boxes, np.int64)
    model.input.check(x)
    _check(x, cover, boxes)
    inner = tuple(dict.fromkeys(names.values()))
    at_once = box_limit(model, batch)
    found, way = _in_stages(model, inner, x, cover, boxes, at_once)
    found = found or occluded_plainly(lambda v: model.forward(v, inner), x, cover, boxes, at_once // BOXES)
    return Occluded(((which, {asked: a[name] for asked, name in names.items()}) for which, a in found), way)


def _in_stages(
    model: Model, inner: tuple[str, ...], x: Array, cover: Array, boxes: Boxes, at_once: int
) -> tuple[Found | None, str]:
    """By stages, or None, and how it is done or why not."""
    if cause := "the target reads the image itself" if INPUT in inner else repeatability(model).cause:
        return None, f"whole images: {cause}"
    if not isinstance(model, SupportsStages):
        return None, "whole images: this backend has no other way"
    try:
        net = model.staged_network((int(x.shape[2]), int(x.shape[3])), inner, len(boxes))
    except NotStagedError as error:
        return None, f"whole images: {error}"
    done = worth(net, boxes)
    if not done:
        return None, f"whole images: none of the {len(net.stages)} stages would save time"
    found = occluded_in_stages(net, done, x, cover, boxes, at_once)
    return found, f"{done} of {len(net.stages)} stages computed again only where a window can change them"


def _check(x: Array, cover: Array, boxes: Boxes) -> None:
    if x.shape[0] != 1 or tuple(cover.shape) != tuple(x.shape):
        raise ImageError(f"the image is {tuple(x.shape)} and its cover {tuple(cover.shape)}; both must be (1, C, H, W)")
    if boxes.ndim != 2 or boxes.shape[1] != 2 * (x.ndim - 2):
        raise ParameterError(f"boxes have shape {boxes.shape}; give (P, 4): top, bottom, left, right of each")
    fits = ((boxes[:, ::2] >= 0) & (boxes[:, ::2] < boxes[:, 1::2]) & (boxes[:, 1::2] <= x.shape[2:])).all(axis=1)
    if not fits.all():
        wrong = tuple(boxes[int(np.argmin(fits))].tolist())
        raise ParameterError(f"box {wrong} (top, bottom, left, right) is no part of an image of {tuple(x.shape[2:])}")


def occluded_plainly(
    forward: Callable[[Array], Mapping[str, Array]], x: Array, cover: Array, boxes: Boxes, batch: int
) -> Found:
    """Every place in a whole image of its own; (positions, activations) batch after batch."""
    for start in range(0, len(boxes), batch):
        some = boxes[start : start + batch].tolist()
        variants = namespace(x).concat([x] * len(some), axis=0)
        for row, ends in enumerate(some):
            inside = (slice(None), *map(slice, ends[::2], ends[1::2]))
            variants[row, *inside] = cover[0, *inside]
        yield range(start, start + len(some)), forward(variants)


def occluded_in_stages(net: Staged, done: int, x: Array, cover: Array, boxes: Boxes, at_once: int) -> Found:
    """The same by the first `done` stages, places with rectangles of like size together: high ones last, to and fro."""
    rows, columns = _alone(net, boxes).sizes[:, 1:].sum(axis=1).T
    turn = np.unique(rows, return_inverse=True)[1] % 2 * 2 - 1
    order = np.lexsort((columns * turn, rows))
    return _walked(net, done, net.prepared(x), net.prepared(cover), boxes, order, at_once)


def worth(net: Staged, boxes: Boxes) -> int:
    """How many stages to do: as many as make the whole the cheapest; none if that saves too little.

    The image itself goes through the stages once before, in one thread.
    """
    rows, columns = np.moveaxis(_alone(net, boxes).sizes[:, 1:], -1, 0)
    sizes = {INPUT: net.image_size, **{w: stage.size for stage in net.stages for w in stage.writes}}
    whole = {name: net.channels[name] * prod(size) for name, size in sizes.items() if name in net.channels}
    left, spent, costs = net.cost, 0.0, [np.inf]
    for done, stage in enumerate(net.stages, start=1):
        high, wide = rows[:, done - 1], columns[:, done - 1]
        crop = sum(
            net.channels[read.tensor] * _read(high, read.sliding[0]) * _read(wide, read.sliding[1])
            for read in stage.reads
        )
        left -= stage.cost
        spent += float(np.mean(high * wide / prod(stage.size) * stage.cost * net.slower + COPY * crop))
        costs.append(spent + left + COPY * sum(whole[name] for name in net.live(done)))
    best = int(np.argmin(costs))
    unchanged = net.at_once * net.cost / len(rows)
    return best if costs[best] + unchanged < WORTH * net.cost else 0


def _alone(net: Staged, boxes: Boxes) -> Alone:
    """What each box can change of the image and behind each stage, if it were the only one."""
    spans = [np.unique(boxes[:, i : i + 2], axis=0, return_inverse=True) for i in (0, 2)]
    count = max(len(different) for different, _ in spans)
    rows, columns = (np.resize(different, (count, 2)) for different, _ in spans)
    found = []
    for box in np.concatenate([rows, columns], axis=1):
        by_tensor, behind = net.rects(box[None])
        rects = (by_tensor[INPUT], *behind)
        found.append([[(int(s.starts[0]), s.size) for s in rect] for rect in rects])
    each = np.array(found)
    each = np.stack([each[which.ravel(), :, axis] for axis, (_, which) in enumerate(spans)], axis=2)
    lengths = np.array([net.image_size, *(stage.size for stage in net.stages)])
    return Alone(each[..., 0], each[..., 1], lengths)


def _read(sizes: Boxes, sliding: Sliding) -> Boxes:
    read: Boxes = (sizes - 1) * sliding.stride + sliding.reach + 1
    return read


def _walked(net: Staged, done: int, x: Array, cover: Array, boxes: Boxes, order: Boxes, at_once: int) -> Found:
    everything, alone = np.array([[0, x.shape[2], 0, x.shape[3]]]), _alone(net, boxes)
    whole = [Rect(*(Span(np.zeros(1, np.int64), n) for n in size)) for size in alone.lengths.tolist()]
    kept = {name: maps.patches for name, maps in _done(net, done, x, x, everything, whole, None).items()}

    def found(which: Boxes) -> tuple[Sequence[int], Mapping[str, Array]]:
        maps = _done(net, done, x, cover, boxes[which], alone.together(which), kept)
        return which.tolist(), net.finish(done, {name: maps[name].whole() for name in net.live(done)})

    size = max(at_once // net.at_once, 1)
    return in_order(found, [order[start : start + size] for start in range(0, len(order), size)], net.at_once)


def _done(
    net: Staged,
    done: int,
    x: Array,
    cover: Array,
    boxes: Boxes,
    rects: Sequence[Rect],
    kept: Mapping[str, Array] | None,
) -> dict[str, Maps]:
    """All tensors of the first stages, computed in these rectangles of the image and behind each stage."""
    maps = {INPUT: covered(x, cover, boxes, rects[0])}
    for position, stage in enumerate(net.stages[:done]):
        rect = rects[position + 1]
        made = net.run(position, [_crop(maps[read.tensor], read, rect) for read in stage.reads])
        for name, patches in zip(stage.writes, made, strict=True):
            maps[name] = Maps(patches if kept is None else kept[name], patches, rect, net.axes[name])
    return maps


def _crop(maps: Maps, read: Read, rect: Rect) -> Array:
    rows, columns = (needed(span, sliding) for span, sliding in zip(rect, read.sliding, strict=True))
    return maps.crop(Rect(rows, columns), read.fill)
