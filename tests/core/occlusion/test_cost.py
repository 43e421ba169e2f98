"""How many stages are computed on crops, against the cost of each number of them added up box by box."""

from itertools import pairwise

import numpy as np
import pytest
from crosslens.model import INPUT
from crosslens.occlusion.cost import COPY_COST, best_stage_count, separate_rectangles
from crosslens.occlusion.receptive_field import SlidingWindow
from crosslens.occlusion.stages import Stage, StagedNetwork, StageInput

SIZE, PADDED = (40, 40), SlidingWindow(3, 1, 1)


class Chain(StagedNetwork):
    """3x3 convolutions of stride 1, one after the other, each of the same cost; nothing can be run."""

    image_size, tail_inputs, threads = SIZE, frozenset({"t3"}), 2

    def __init__(self, cost, tail_cost):
        names = [INPUT, "t0", "t1", "t2", "t3"]
        steps = pairwise(names)
        self.stages = [Stage((StageInput(a, (PADDED, PADDED)),), (b,), SIZE, cost) for a, b in steps]
        self.tail_cost, self.channels, self.row_axes = tail_cost, dict.fromkeys(names, 4), dict.fromkeys(names, 2)

    def run_stage(self, stage, crops):
        raise NotImplementedError

    def run_tail(self, stages, maps):
        raise NotImplementedError


def affected(start, stop, stages):
    """The interval that changes behind so many convolutions: one position more on each side for each."""
    return max(start - stages, 0), min(stop + stages, 40)


def slow_cost(network, boxes, count):
    """Multiplications and copies for all boxes, one at a time, per box."""
    total = 0.0
    for top, bottom, left, right in boxes:
        for stage in range(1, count + 1):
            (a, b), (c, d) = affected(top, bottom, stage), affected(left, right, stage)
            total += (b - a) * (d - c) / 1600 * network.stages[0].cost
            total += COPY_COST * 4 * (b - a + 2) * (d - c + 2)
        total += (4 - count) * network.stages[0].cost + network.tail_cost + COPY_COST * 4 * 1600
    return total / len(boxes)


@pytest.mark.parametrize(("cost", "tail", "window"), [(1e8, 1e3, 4), (1e8, 1e3, 30), (1e6, 1e3, 4), (1e8, 1e10, 4)])
def test_the_number_of_stages_is_the_cheapest_of_all_or_none(cost, tail, window):
    network = Chain(cost, tail)
    boxes = np.array(
        [(t, t + window, x, x + window) for t in range(0, 41 - window, 2) for x in range(0, 41 - window, 5)]
    )
    costs = [slow_cost(network, boxes, count) for count in range(1, 5)]
    whole = 4 * cost + tail
    expected = int(np.argmin(costs)) + 1 if min(costs) + 2 * whole / len(boxes) < 0.9 * whole else 0
    assert best_stage_count(network, boxes) == expected


def test_separate_rectangles_are_those_of_each_box_on_its_own():
    boxes = np.array([(0, 4, 10, 14), (0, 4, 36, 40), (20, 21, 10, 14), (38, 40, 0, 1)])
    separate = separate_rectangles(Chain(1.0, 0.0), boxes)
    for p, (top, bottom, left, right) in enumerate(boxes):
        for stage in range(5):
            (a, b), (c, d) = affected(top, bottom, stage), affected(left, right, stage)
            np.testing.assert_array_equal(separate.starts[p, stage], (a, c))
            np.testing.assert_array_equal(separate.sizes[p, stage], (b - a, d - c))
