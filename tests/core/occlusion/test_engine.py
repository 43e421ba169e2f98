"""Occlusion by stages on windows written out in NumPy: the values of whole images, in the smallest rectangles."""

import numpy as np
import pytest
from crosslens.model import INPUT, OUTPUT
from crosslens.occlusion import engine
from crosslens.occlusion.receptive_field import SlidingWindow
from crosslens.occlusion.stages import Stage, StagedNetwork, StageInput

SIZE = (61, 50)
WINDOWS = [(3, 1, 1), (3, 2, 1), (5, 1, 2), (3, 1, 1), (2, 2, 0), (3, 1, 1)]
"""Kernel, stride, padding."""


def windowed(x, kernel, stride):
    """A weighted sum over each window, then something that is not linear."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
    return np.tanh((windows * np.arange(1, kernel**2 + 1).reshape(kernel, kernel)).sum((-1, -2)) / kernel**3)


class Chain(StagedNetwork):
    """One stage after the other; notes how many positions it computes of each."""

    tail_cost, tail_inputs = 0.0, frozenset({f"t{len(WINDOWS) - 1}"})

    def __init__(self):
        names, size = [INPUT, *(f"t{i}" for i in range(len(WINDOWS)))], SIZE
        self.image_size, self.stages, self.areas = SIZE, [], []
        for (kernel, stride, pad), before, name in zip(WINDOWS, names, names[1:], strict=False):
            size = tuple((n + 2 * pad - kernel) // stride + 1 for n in size)
            self.stages.append(
                Stage((StageInput(before, (SlidingWindow(kernel, stride, pad),) * 2),), (name,), size, 1.0)
            )
        self.row_axes, self.channels = dict.fromkeys(names, 2), dict.fromkeys(names, 3)

    def run_stage(self, stage, crops):
        output = windowed(crops[0], *WINDOWS[stage][:2])
        self.areas.append((stage, output.shape[2:]))
        return [output]

    def run_tail(self, stages, maps):
        (y,) = maps.values()
        for kernel, stride, pad in WINDOWS[stages:]:
            y = windowed(np.pad(y, ((0, 0), (0, 0), (pad, pad), (pad, pad))), kernel, stride)
        return {OUTPUT: y}


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    return rng.random((1, 3, *SIZE)), rng.random((1, 3, *SIZE))


@pytest.mark.parametrize("count", range(1, len(WINDOWS) + 1))
def test_boxes_of_different_sizes_together_give_the_numbers_of_whole_images(picture, count):
    net = Chain()
    inside = [(t, t + 9, x, x + 9) for t in range(0, 53, 6) for x in range(0, 42, 6)]
    boxes = np.array([*inside, (0, 3, 40, 50), (60, 61, 49, 50)])
    whole = engine.by_whole_images(lambda v: net.run_tail(0, {INPUT: v}), *picture, boxes, 4)
    expected = np.concatenate([activations[OUTPUT] for _, activations in whole])
    for positions, activations in engine.by_stages(net, count, *picture, boxes, 4):
        np.testing.assert_allclose(activations[OUTPUT], expected[positions], rtol=1e-12, atol=1e-12)


def maps(x):
    """The whole map behind each window."""
    outputs = []
    for kernel, stride, pad in WINDOWS:
        x = windowed(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))), kernel, stride)
        outputs.append(x)
    return outputs


def test_of_each_map_the_smallest_size_is_computed_that_holds_what_each_box_changes(picture):
    x, cover = picture
    boxes, net = np.array([(0, 9, 20, 29), (17, 26, 1, 10), (30, 39, 30, 39), (52, 61, 41, 50)]), Chain()
    list(engine.by_stages(net, len(WINDOWS), x, cover, boxes, 4))
    together = [size for _, size in net.areas[len(WINDOWS) :]]
    changed = []
    for top, bottom, left, right in boxes:
        other = x.copy()
        other[:, :, top:bottom, left:right] = cover[:, :, top:bottom, left:right]
        positions = [np.nonzero((a != b)[0].any(axis=0)) for a, b in zip(maps(x), maps(other), strict=True)]
        changed.append([(np.ptp(rows) + 1, np.ptp(columns) + 1) for rows, columns in positions])
    np.testing.assert_array_equal(together, np.max(changed, axis=0))
