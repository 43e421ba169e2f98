"""Activations for an image with one box after another covered: by whole images, or only what each box can change.

A backend whose model `SupportsStages` gives its network as stages. The rectangles, the order of the boxes and the
decision how many stages to run on crops are made here, the same for every backend.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, namespace
from ..errors import ImageError, ParameterError
from ..execution.batching import BOXES_PER_IMAGE, box_limit
from ..execution.thread_map import map_in_order
from ..model.base import Model
from ..model.layer import INPUT, OUTPUT
from ..model.repeatability import repeatability
from .cost import best_stage_count, separate_rectangles
from .patched_maps import PatchedMaps, occluded_image
from .receptive_field import Intervals, Rectangles, receptive_field
from .stages import Boxes, NoStagesError, StagedNetwork, StageInput, SupportsStages

__all__ = ["OccludedActivations", "by_stages", "by_whole_images", "occluded"]

Batches: TypeAlias = Iterator[tuple[Sequence[int], Mapping[str, Array]]]
"""Positions of boxes, and activations with a row for each."""


class OccludedActivations(Iterator[tuple[Sequence[int], Mapping[str, Array]]]):
    """Activations for boxes, batch after batch; `strategy` says how they are computed."""

    def __init__(self, batches: Batches, strategy: str) -> None:
        self._batches, self.strategy = batches, strategy

    def __next__(self) -> tuple[Sequence[int], Mapping[str, Array]]:
        return next(self._batches)


def occluded(
    model: Model, x: Array, cover: Array, boxes: Any, capture: Iterable[str] = (OUTPUT,), *, batch: int | None = None
) -> OccludedActivations:
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
        what `model.forward` gives for the covered images (`StagedNetwork` says how exactly). Its `strategy` says how
        many stages are computed again, or why whole images are.

    Raises:
        ImageError: the model does not take the image, there is more than one, or `cover` has another shape.
        LayerError: no such layer.
        ParameterError: a box is empty or does not lie in the image.
    """
    layers = {name: model.layer(name).name for name in capture}
    boxes = np.asarray(boxes, np.int64)
    model.input.check(x)
    _check(x, cover, boxes)
    names = tuple(dict.fromkeys(layers.values()))
    limit = box_limit(model, batch)
    batches, strategy = _by_stages_if_cheaper(model, names, x, cover, boxes, limit)
    if batches is None:
        batches = by_whole_images(lambda v: model.forward(v, names), x, cover, boxes, limit // BOXES_PER_IMAGE)
    renamed = ((positions, {name: a[layer] for name, layer in layers.items()}) for positions, a in batches)
    return OccludedActivations(renamed, strategy)


def _by_stages_if_cheaper(
    model: Model, names: tuple[str, ...], x: Array, cover: Array, boxes: Boxes, limit: int
) -> tuple[Batches | None, str]:
    """The activations by stages, or None for whole images; and which of the two, with the reason."""
    if cause := "the target reads the image itself" if INPUT in names else repeatability(model).cause:
        return None, f"whole images: {cause}"
    if not isinstance(model, SupportsStages):
        return None, "whole images: this backend does not run a network in stages"
    try:
        network = model.staged_network((int(x.shape[2]), int(x.shape[3])), names, len(boxes))
    except NoStagesError as error:
        return None, f"whole images: {error}"
    count = best_stage_count(network, boxes)
    if not count:
        return None, f"whole images: none of the {len(network.stages)} stages would save time"
    strategy = f"{count} of {len(network.stages)} stages computed again only where a window can change them"
    return by_stages(network, count, x, cover, boxes, limit), strategy


def _check(x: Array, cover: Array, boxes: Boxes) -> None:
    if x.shape[0] != 1 or tuple(cover.shape) != tuple(x.shape):
        raise ImageError(f"the image is {tuple(x.shape)} and its cover {tuple(cover.shape)}; both must be (1, C, H, W)")
    if boxes.ndim != 2 or boxes.shape[1] != 2 * (x.ndim - 2):
        raise ParameterError(f"boxes have shape {boxes.shape}; give (P, 4): top, bottom, left, right of each")
    inside = ((boxes[:, ::2] >= 0) & (boxes[:, ::2] < boxes[:, 1::2]) & (boxes[:, 1::2] <= x.shape[2:])).all(axis=1)
    if not inside.all():
        wrong = tuple(boxes[int(np.argmin(inside))].tolist())
        raise ParameterError(
            f"box {wrong} (top, bottom, left, right) does not lie in an image of {tuple(x.shape[2:])}, or is empty"
        )


def by_whole_images(
    forward: Callable[[Array], Mapping[str, Array]], x: Array, cover: Array, boxes: Boxes, batch: int
) -> Batches:
    """Activations of a whole image for each box, `batch` images at once.

    Args:
        forward: activations by layer of images (N, C, H, W).
        x: one image, (1, C, H, W).
        cover: what is seen in a box, (1, C, H, W).
        boxes: (P, 4).
        batch: images at once.
    """
    for start in range(0, len(boxes), batch):
        ends = boxes[start : start + batch].tolist()
        images = namespace(x).concat([x] * len(ends), axis=0)
        for row, box in enumerate(ends):
            inside = (slice(None), *map(slice, box[::2], box[1::2]))
            images[row, *inside] = cover[0, *inside]
        yield range(start, start + len(ends)), forward(images)


def by_stages(network: StagedNetwork, count: int, x: Array, cover: Array, boxes: Boxes, limit: int) -> Batches:
    """The same activations, the first `count` stages computed only in the rectangles that each box can change.

    Boxes whose rectangles have similar sizes share a batch: sorted by height, width alternating.

    Args:
        network: the network as stages, for images of this size.
        count: stages that are run on crops; the others are run on whole maps.
        x: one image, (1, C, H, W).
        cover: what is seen in a box, (1, C, H, W).
        boxes: (P, 4).
        limit: boxes at once in all threads.
    """
    heights, widths = separate_rectangles(network, boxes).sizes[:, 1:].sum(axis=1).T
    direction = np.unique(heights, return_inverse=True)[1] % 2 * 2 - 1
    order = np.lexsort((widths * direction, heights))
    return _in_batches(network, count, network.preprocess(x), network.preprocess(cover), boxes, order, limit)


def _in_batches(
    network: StagedNetwork, count: int, x: Array, cover: Array, boxes: Boxes, order: Boxes, limit: int
) -> Batches:
    """Run the unoccluded image once, then the boxes in this order, a batch for each thread."""
    everything, separate = np.array([[0, x.shape[2], 0, x.shape[3]]]), separate_rectangles(network, boxes)
    whole = [Rectangles(*(Intervals(np.zeros(1, np.int64), n) for n in size)) for size in separate.lengths.tolist()]
    first = _run_stages(network, count, occluded_image(x, x, everything, whole[0]), whole, None)
    unchanged = {name: maps.patches for name, maps in first.items()}

    def activations(positions: Boxes) -> tuple[Sequence[int], Mapping[str, Array]]:
        rectangles = separate.with_common_size(positions)
        image = occluded_image(x, cover, boxes[positions], rectangles[0])
        maps = _run_stages(network, count, image, rectangles, unchanged)
        live = {name: maps[name].whole() for name in network.live_tensors(count)}
        return positions.tolist(), network.run_tail(count, live)

    size = max(limit // network.threads, 1)
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return map_in_order(activations, batches, network.threads)


def _run_stages(
    network: StagedNetwork,
    count: int,
    image: PatchedMaps,
    rectangles: Sequence[Rectangles],
    unchanged: Mapping[str, Array] | None,
) -> dict[str, PatchedMaps]:
    """All tensors of the first stages, computed in these rectangles (the image's come first).

    `unchanged` holds the maps of the unoccluded image; None where this is it.
    """
    maps = {INPUT: image}
    for position, stage in enumerate(network.stages[:count]):
        outputs = network.run_stage(
            position, [_crop(maps[i.tensor], i, rectangles[position + 1]) for i in stage.inputs]
        )
        for name, patches in zip(stage.outputs, outputs, strict=True):
            known = patches if unchanged is None else unchanged[name]
            maps[name] = PatchedMaps(known, patches, rectangles[position + 1], network.row_axes[name])
    return maps


def _crop(maps: PatchedMaps, stage_input: StageInput, outputs: Rectangles) -> Array:
    """What a stage reads to compute these rectangles of its outputs."""
    rows, columns = map(receptive_field, outputs, stage_input.windows)
    return maps.crop(Rectangles(rows, columns), stage_input.fill)
