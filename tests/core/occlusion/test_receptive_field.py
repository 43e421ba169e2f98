"""Rectangles against brute force: change places of a row, slide a window over it, and see which outputs change."""

import numpy as np
import pytest
from crosslens.occlusion.receptive_field import Alone, Maps, Rect, Sliding, Span, changed, enclosing, needed
from hypothesis import given, settings
from hypothesis import strategies as st


def outputs_that_read(places: set[int], length: int, kernel: int, stride: int, dilation: int, before: int, after: int):
    """Each output as the set of places that its window reads, one by one."""
    count = (length + before + after - dilation * (kernel - 1) - 1) // stride + 1
    reads = [{o * stride - before + k * dilation for k in range(kernel)} for o in range(count)]
    return count, {o for o, read in enumerate(reads) if read & places}, reads


windows = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=300, deadline=None)
@given(st.integers(4, 30), windows, st.lists(st.tuples(st.integers(0, 29), st.integers(1, 9)), min_size=1, max_size=4))
def test_no_output_changes_outside_the_rectangle_and_all_that_it_needs_is_read(length, window, runs):
    kernel, stride, dilation, before, after = window
    runs = [(min(start, length - 1), min(start + size, length)) for start, size in runs]
    span = enclosing(*(np.array(ends) for ends in zip(*runs, strict=True)), length)
    sliding = Sliding(dilation * (kernel - 1), stride, before)
    if length + before + after <= sliding.reach:
        return
    for p, (start, stop) in enumerate(runs):
        count, hit, reads = outputs_that_read(set(range(start, stop)), length, kernel, stride, dilation, before, after)
        found = changed(span, sliding, count)
        here = range(int(found.starts[p]), int(found.stops[p]))
        assert hit <= set(here) <= set(range(count))
        crop = needed(found, sliding)
        assert all(reads[o] <= set(range(int(crop.starts[p]), int(crop.stops[p]))) for o in here)


@settings(max_examples=100, deadline=None)
@given(st.integers(3, 20), st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(0, 2))
def test_one_box_alone_gets_no_more_than_what_changes(length, kernel, size, stride, before):
    start = length // 3
    stop = min(start + size, length)
    if length + before < kernel:
        return
    count, hit, _ = outputs_that_read(set(range(start, stop)), length, kernel, stride, 1, before, 0)
    found = changed(Span(np.array([start]), stop - start), Sliding(kernel - 1, stride, before), count)
    assert found.size == max(len(hit), 1)


def test_crops_show_the_kept_map_with_the_patch_in_it_and_the_fill_outside():
    rng = np.random.default_rng(0)
    kept, patches = rng.random((1, 2, 5, 6)), rng.random((2, 2, 2, 3))
    tops, lefts = np.array([0, 3]), np.array([1, 3])
    maps = Maps(kept, patches, Rect(Span(tops, 2), Span(lefts, 3)))
    crop = maps.crop(Rect(Span(tops - 1, 4), Span(lefts - 2, 7)), fill=-1.0)
    for p in range(2):
        whole = np.full((2, 9, 12), -1.0)
        whole[:, 2:7, 3:9] = kept[0]
        whole[:, 2 + tops[p] : 4 + tops[p], 3 + lefts[p] : 6 + lefts[p]] = patches[p]
        np.testing.assert_array_equal(crop[p], whole[:, 1 + tops[p] : 5 + tops[p], 1 + lefts[p] : 8 + lefts[p]])
    np.testing.assert_array_equal(maps.whole()[1, :, 3:5, 3:6], patches[1])


@pytest.mark.parametrize(("top", "rows"), [(0, 5), (-2, 9), (1, 2), (3, 2)])
def test_a_patch_may_hide_all_that_was_kept_or_reach_beyond_the_crop(top, rows):
    rng = np.random.default_rng(1)
    kept, patches = rng.random((1, 2, 5, 6)), rng.random((1, 2, 4, 6))
    one, left = np.array([1]), np.array([0])
    crop = Maps(kept, patches, Rect(Span(one, 4), Span(left, 6))).crop(Rect(Span(one * top, rows), Span(left, 6)), -1.0)
    whole = np.full((2, 9, 6), -1.0)
    whole[:, 2:7] = kept[0]
    whole[:, 3:7] = patches[0]
    np.testing.assert_array_equal(crop[0], whole[:, 2 + top : 2 + top + rows])


def test_together_each_rectangle_holds_the_one_alone_and_lies_in_its_map():
    starts, sizes = np.array([[[0, 4]], [[3, 7]], [[8, 1]]]), np.array([[[2, 2]], [[4, 1]], [[1, 5]]])
    (rect,) = Alone(starts, sizes, np.array([[9, 8]])).together([0, 2, 1])
    assert (rect.rows.size, rect.columns.size) == (4, 5)
    for axis, span, length in ((0, rect.rows, 9), (1, rect.columns, 8)):
        for start, stop, p in zip(span.starts, span.stops, (0, 2, 1), strict=True):
            first, size = starts[p, 0, axis], sizes[p, 0, axis]
            assert 0 <= start <= first
            assert first + size <= stop <= length
