"""Occluding an image in many places: the plain way, and the one that computes again only what a place can change.

A backend that can cut its network into `Stage`s gives a `Staged` network; the rectangles, the order of the places and
the decision how far the stages pay are worked out here, the same for every backend.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..arrays import Array, namespace
from ..errors import ImageError, ParameterError
from ..execution.batching import BOXES, box_limit
from ..execution.thread_map import in_order
from ..model.layer import INPUT
from ..model.repeatability import repeatability
from .receptive_field import Alone, Maps, Rect, Sliding, Span, covered, needed, rect_behind, rects_of

if TYPE_CHECKING:
    from ..model.base import Model

__all__ = [
    "Found",
    "NotStagedError",
    "Occluded",
    "Read",
    "Stage",
    "Staged",
    "occluded",
    "occluded_in_stages",
    "occluded_plainly",
    "worth",
]

Boxes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Found: TypeAlias = Iterator[tuple[Sequence[int], Mapping[str, Array]]]
COPY = 100.0
"""What copying one number costs, in multiplications of a convolution; measured with onnxruntime on two cores."""
WORTH = 0.9
"""The share of the plain way's cost from which on the stages are not worth their trouble."""


class NotStagedError(Exception):
    """A backend cannot cut a network into stages; the message says why."""


@dataclass(frozen=True)
class Read:
    """What a stage reads of one tensor, for rows and columns; `fill` stands outside the map."""

    tensor: str
    sliding: tuple[Sliding, Sliding]
    fill: float = 0.0


@dataclass(frozen=True)
class Stage:
    """A part of a network whose outputs all change in the same rectangle of maps of one size."""

    reads: tuple[Read, ...]
    writes: tuple[str, ...]
    size: tuple[int, int]
    cost: float
    """Multiplications for whole maps of one image."""


class Staged(ABC):
    """A network as stages, and what is left when a number of them is done; ready for one size of images.

    A stage computes what the whole network computes there. What adds nothing up (maxima, rectifiers) is the same to the
    last bit. A sum is the same up to rounding: a framework chooses its kernel, and with it the order of adding, by the
    size of a map, its layout and the processor's instructions. Logits then lie no further from float64 than a few times
    what those of whole images do (tests/backends/test_occlusion.py): 1e-6 to 2e-6 of a ResNet-50's largest.
    """

    stages: Sequence[Stage]
    """In an order in which each can run. The first reads `INPUT`."""
    image_size: tuple[int, int]
    """(H, W)"""
    rest: float
    """The cost of what follows, per image."""
    leaves: frozenset[str]
    """Tensors of the stages that what follows reads, or that are asked for."""
    slower: float = 1.0
    """How much longer a multiplication takes on crops than on whole maps."""
    channels: Mapping[str, int]
    """Of each tensor that a stage reads or writes."""
    axes: Mapping[str, int]
    """The axis of the rows in such a tensor, 1 or 2."""
    at_once: int = 1
    """Threads that call `run` and `finish` at the same time, as many as keep the processor busy."""

    def prepared(self, x: Array) -> Array:
        """Images as the stages read them, each pixel on its own."""
        return x

    @abstractmethod
    def run(self, stage: int, crops: Sequence[Array]) -> Sequence[Array]:
        """One stage on a crop for each of its reads; an array for each of its writes."""

    @abstractmethod
    def finish(self, done: int, wholes: Mapping[str, Array]) -> Mapping[str, Array]:
        """The layers asked for, of the tensors that `live(done)` names."""

    def live(self, done: int) -> tuple[str, ...]:
        """Tensors that are read when this many stages are done, and that these made."""
        made = {INPUT, *(w for stage in self.stages[:done] for w in stage.writes)}
        read = {read.tensor for stage in self.stages[done:] for read in stage.reads} | self.leaves
        return tuple(sorted(made & read))

    @cached_property
    def cost(self) -> float:
        """Of one image computed the plain way."""
        return sum(stage.cost for stage in self.stages) + self.rest

    def rects(self, boxes: Boxes) -> tuple[dict[str, Rect], list[Rect]]:
        """What boxes (P, 4) can change, by tensor and by stage."""
        by_tensor, by_stage = {INPUT: rects_of(boxes, self.image_size)}, []
        for stage in self.stages:
            rect = rect_behind([(by_tensor[read.tensor], read.sliding) for read in stage.reads], stage.size)
            by_tensor.update(dict.fromkeys(stage.writes, rect))
            by_stage.append(rect)
        return by_tensor, by_stage


class Occluded(Iterator[tuple[Sequence[int], Mapping[str, Array]]]):
    """Activations for boxes, batch after batch; `way` says how they are computed."""

    def __init__(self, found: Found, way: str) -> None:
        self._found, self.way = found, way

    def __next__(self) -> tuple[Sequence[int], Mapping[str, Array]]:
        return next(self._found)


def occluded(
    model: "Model", names: Mapping[str, str], x: Array, cover: Array, boxes: Boxes, batch: int | None
) -> Occluded:
    """Activations for one image with one box after another covered, as few of them computed again as pays.

    Args:
        model: the network.
        names: layers by what was asked for.
        x: one image, (1, C, H, W).
        cover: what is seen in a box, (1, C, H, W).
        boxes: (P, 4): top, bottom, left, right of each in pixels, the ends excluded; of a volume front, back first.
        batch: whole images at once, or half of the boxes at once in all threads, each having one; None: what pays.

    Returns:
        An iterator over (positions in `boxes`, activations by what was asked for), in any order, each box once; what
        `model.forward` gives for the covered images (`Staged` says how exactly). Its `way` says how many stages are
        computed again, or why whole images are.

    Raises:
        ImageError: there is more than one image, or `cover` has another shape.
        ParameterError: a box is empty or does not lie in the image.
    """
    _check(x, cover, boxes)
    inner = tuple(dict.fromkeys(names.values()))
    at_once = box_limit(model, batch)
    found, way = _in_stages(model, inner, x, cover, boxes, at_once)
    found = found or occluded_plainly(lambda v: model.forward(v, inner), x, cover, boxes, at_once // BOXES)
    return Occluded(((which, {asked: a[name] for asked, name in names.items()}) for which, a in found), way)


def _in_stages(
    model: "Model", inner: tuple[str, ...], x: Array, cover: Array, boxes: Boxes, at_once: int
) -> tuple[Found | None, str]:
    """By stages, or None, and how it is done or why not."""
    if cause := "the target reads the image itself" if INPUT in inner else repeatability(model).cause:
        return None, f"whole images: {cause}"
    try:
        net = model._staged((int(x.shape[2]), int(x.shape[3])), inner, len(boxes))
    except NotStagedError as error:
        return None, f"whole images: {error}"
    if net is None:
        return None, "whole images: this backend has no other way"
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
