"""Receptive-field arithmetic against brute force: slide a window over a row and list which inputs each output reads."""

import numpy as np
from crosslens.occlusion.receptive_field import (
    Intervals,
    SeparateRectangles,
    SlidingWindow,
    affected_outputs,
    enclosing_intervals,
    receptive_field,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def outputs_that_read(inputs: set[int], length: int, kernel: int, stride: int, dilation: int, before: int, after: int):
    """Each output as the set of inputs that its window reads, one by one."""
    count = (length + before + after - dilation * (kernel - 1) - 1) // stride + 1
    reads = [{o * stride - before + k * dilation for k in range(kernel)} for o in range(count)]
    return count, {o for o, read in enumerate(reads) if read & inputs}, reads


windows = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=300, deadline=None)
@given(st.integers(4, 30), windows, st.lists(st.tuples(st.integers(0, 29), st.integers(1, 9)), min_size=1, max_size=4))
def test_no_output_changes_outside_the_affected_interval_and_its_receptive_field_holds_all_that_is_read(
    length, window, runs
):
    kernel, stride, dilation, before, after = window
    runs = [(min(start, length - 1), min(start + size, length)) for start, size in runs]
    inputs = enclosing_intervals(*(np.array(ends) for ends in zip(*runs, strict=True)), length)
    sliding = SlidingWindow(dilation * (kernel - 1) + 1, stride, before)
    if length + before + after < sliding.kernel_size:
        return
    for p, (start, stop) in enumerate(runs):
        count, hit, reads = outputs_that_read(set(range(start, stop)), length, kernel, stride, dilation, before, after)
        outputs = affected_outputs(inputs, sliding, count)
        here = range(int(outputs.starts[p]), int(outputs.stops[p]))
        assert hit <= set(here) <= set(range(count))
        crop = receptive_field(outputs, sliding)
        assert all(reads[o] <= set(range(int(crop.starts[p]), int(crop.stops[p]))) for o in here)


@settings(max_examples=100, deadline=None)
@given(st.integers(3, 20), st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(0, 2))
def test_one_box_affects_exactly_the_outputs_that_read_it(length, kernel, size, stride, before):
    start = length // 3
    stop = min(start + size, length)
    if length + before < kernel:
        return
    count, hit, _ = outputs_that_read(set(range(start, stop)), length, kernel, stride, 1, before, 0)
    outputs = affected_outputs(Intervals(np.array([start]), stop - start), SlidingWindow(kernel, stride, before), count)
    assert outputs.size == max(len(hit), 1)


def test_rectangles_of_a_common_size_contain_the_separate_ones_and_lie_in_their_map():
    starts, sizes = np.array([[[0, 4]], [[3, 7]], [[8, 1]]]), np.array([[[2, 2]], [[4, 1]], [[1, 5]]])
    (rectangle,) = SeparateRectangles(starts, sizes, np.array([[9, 8]])).with_common_size([0, 2, 1])
    assert (rectangle.rows.size, rectangle.columns.size) == (4, 5)
    for axis, intervals, length in ((0, rectangle.rows, 9), (1, rectangle.columns, 8)):
        for start, stop, p in zip(intervals.starts, intervals.stops, (0, 2, 1), strict=True):
            first, size = starts[p, 0, axis], sizes[p, 0, axis]
            assert 0 <= start <= first
            assert first + size <= stop <= length
