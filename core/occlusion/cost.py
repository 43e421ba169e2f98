"""How many stages to compute on crops: the number at which all boxes together cost the least."""

from math import prod

import numpy as np

from ..model.layer import INPUT
from .receptive_field import Ints, SeparateRectangles, SlidingWindow
from .stages import Boxes, StagedNetwork

__all__ = ["MAX_COST_SHARE", "best_stage_count", "separate_rectangles"]

COPY_COST = 100.0
"""What copying one number costs, in multiplications of a convolution; measured with onnxruntime on two cores."""
MAX_COST_SHARE = 0.9
"""Stages are used if they cost less than this share of what whole images do."""


def best_stage_count(network: StagedNetwork, boxes: Boxes) -> int:
    """How many stages to compute on crops; 0 where whole images cost hardly more.

    The unoccluded image goes through the network once before, in one thread.
    """
    heights, widths = np.moveaxis(separate_rectangles(network, boxes).sizes[:, 1:], -1, 0)
    sizes = {INPUT: network.image_size, **{name: stage.size for stage in network.stages for name in stage.outputs}}
    elements = {name: network.channels[name] * prod(size) for name, size in sizes.items() if name in network.channels}
    whole_maps, crops, costs = network.cost, 0.0, [np.inf]
    for count, stage in enumerate(network.stages, start=1):
        height, width = heights[:, count - 1], widths[:, count - 1]
        copied = sum(
            network.channels[i.tensor] * _inputs_read(height, i.windows[0]) * _inputs_read(width, i.windows[1])
            for i in stage.inputs
        )
        whole_maps -= stage.cost
        computed = height * width / prod(stage.size) * stage.cost * network.crop_slowdown
        crops += float(np.mean(computed + COPY_COST * copied))
        assembled = COPY_COST * sum(elements[name] for name in network.live_tensors(count))
        costs.append(crops + whole_maps + assembled)
    best = int(np.argmin(costs))
    unoccluded = network.threads * network.cost / len(heights)
    return best if costs[best] + unoccluded < MAX_COST_SHARE * network.cost else 0


def separate_rectangles(network: StagedNetwork, boxes: Boxes) -> SeparateRectangles:
    """What each box can change of the image and of each stage's outputs, if it is the only one.

    Rows and columns do not depend on each other: each different interval is worked out once.
    """
    sides = [np.unique(boxes[:, i : i + 2], axis=0, return_inverse=True) for i in (0, 2)]
    count = max(len(intervals) for intervals, _ in sides)
    rows, columns = (np.resize(intervals, (count, 2)) for intervals, _ in sides)
    different = np.array(
        [
            [[(int(side.starts[0]), side.size) for side in r] for r in network.affected_rectangles(box[None])]
            for box in np.concatenate([rows, columns], axis=1)
        ]
    )
    each = np.stack([different[which.ravel(), :, axis] for axis, (_, which) in enumerate(sides)], axis=2)
    lengths = np.array([network.image_size, *(stage.size for stage in network.stages)])
    return SeparateRectangles(each[..., 0], each[..., 1], lengths)


def _inputs_read(outputs: Ints, window: SlidingWindow) -> Ints:
    """How many inputs along an axis so many outputs read."""
    inputs: Ints = (outputs - 1) * window.stride + window.kernel_size
    return inputs
