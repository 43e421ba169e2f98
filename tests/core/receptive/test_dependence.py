"""Dependence followed by operators equals what changing one pixel after the other shows."""

import numpy as np
import pytest
from crosslens.receptive.dependence import NOWHERE, Dependence, concatenated, product, united
from crosslens.receptive.indices import padded, sliding, transposed_sliding

SHAPE = (1, 2, 7, 6)


def image():
    return Dependence.of_image(SHAPE)


def intervals(found, axis):
    """(start, stop) of every value, broadcast to the tensor; (0, 0) for none."""
    start, stop = (np.broadcast_to(s, found.shape) for s in (found.bounds[axis][0], -found.bounds[axis][1]))
    return np.where(start < stop, start, 0), np.where(start < stop, stop, 0)


def changed_by_pixels(function):
    """(rows, columns) of every value, found by making one pixel after the other NaN, which nothing below hides."""
    y = function(np.zeros(SHAPE))
    spans = [(np.full(y.shape, 99), np.zeros(y.shape, int)) for _ in range(2)]
    for place in np.ndindex(*SHAPE[2:]):
        x = np.zeros(SHAPE)
        x[:, :, *place] = np.nan
        reached = np.isnan(function(x))
        for (start, stop), at in zip(spans, place, strict=True):
            start[reached] = np.minimum(start, at)[reached]
            stop[reached] = np.maximum(stop, at + 1)[reached]
    return [(np.where(stop > 0, start, 0), stop) for start, stop in spans]


def windows(x, axis, indices):
    """The sum over the taps of each output, zeros beyond the axis, one number after the other."""
    x = np.moveaxis(x, axis, 0)
    rows = [sum((x[i] for i in taps if 0 <= i < len(x)), np.zeros(x.shape[1:])) for taps in indices]
    return np.moveaxis(np.array(rows), 0, axis)


def transposed(x, axis, outputs, kernel, stride, before):
    x = np.moveaxis(x, axis, 0)
    y = np.zeros((outputs, *x.shape[1:]))
    for i, k in np.ndindex(len(x), kernel):
        if 0 <= i * stride - before + k < outputs:
            y[i * stride - before + k] += x[i]
    return np.moveaxis(y, 0, axis)


CASES = {
    "convolution, stride 2 and padding": (
        lambda x: windows(windows(x, 2, sliding(4, 3, 2, 1)), 3, sliding(3, 3, 2, 1)),
        lambda d: d.taps(2, sliding(4, 3, 2, 1)).taps(3, sliding(3, 3, 2, 1)),
    ),
    "dilation": (lambda x: windows(x, 2, sliding(7, 3, 1, 3, 3)), lambda d: d.taps(2, sliding(7, 3, 1, 3, 3))),
    "transposed convolution": (
        lambda x: transposed(x, 2, 15, 3, 2, 0), lambda d: d.taps(2, transposed_sliding(15, 3, 2), 0.5)
    ),
    "transposed with a gap between windows": (
        lambda x: transposed(x, 3, 16, 2, 3, 1), lambda d: d.taps(3, transposed_sliding(16, 2, 3, 1), 1 / 3)
    ),
    "reflected edge": (
        lambda x: np.pad(x, ((0, 0), (0, 0), (2, 3), (0, 0)), mode="reflect"),
        lambda d: d.taps(2, padded(7, 2, 3, "reflect"))
    ),
    "flattened, then a window over tokens": (
        lambda x: windows(x.reshape(1, 2, 42), 2, sliding(40, 3)),
        lambda d: d.reshaped((1, 2, 42)).taps(2, sliding(40, 3))
    ),
    "windows of a transformer": (
        lambda x: x.reshape(1, 2, 7, 2, 3) * 0 + x.reshape(1, 2, 7, 2, 3).sum(axis=4, keepdims=True),
        lambda d: united([d.reshaped((1, 2, 7, 2, 3)), d.reshaped((1, 2, 7, 2, 3)).reduced([4])], (1, 2, 7, 2, 3)),
    ),
    "transposition and matrix product": (
        lambda x: x.transpose(0, 1, 3, 2) @ np.ones((7, 4)),
        lambda d: product(d.transposed([0, 1, 3, 2]), None, (1, 2, 6, 4)),
    ),
    "branches joined along channels": (
        lambda x: np.concatenate([x, windows(x, 2, sliding(7, 5, 1, 2)), np.zeros((1, 1, 7, 6))], axis=1),
        lambda d: concatenated([d, d.taps(2, sliding(7, 5, 1, 2)), None], 1, [2, 2, 1]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_value_depends_on_the_pixels_that_change_it(case):
    function, follow = CASES[case]
    found = follow(image())
    for axis, (start, stop) in enumerate(changed_by_pixels(function)):
        got = intervals(found, axis)
        read = start < stop  # of a value that reads nothing along one axis the other axis does not matter
        np.testing.assert_array_equal(got[0][read], start[read], err_msg=f"axis {axis}")
        np.testing.assert_array_equal(got[1][read], stop[read], err_msg=f"axis {axis}")


def test_unclipped_lengths_follow_the_recurrence_of_araujo_et_al():
    """r <- s r + k - s, from the last layer back; the same at the edge and where a map has one position left."""
    layers = [(7, 2, 3), (3, 2, 1), (3, 1, 1), (3, 2, 1), (3, 1, 1)]
    size = 1
    for kernel, stride, _ in reversed(layers):
        size = stride * size + kernel - stride
    found = Dependence.of_image((1, 3, 16, 16))
    for kernel, stride, before in layers:
        outputs = (found.shape[2] + 2 * before - kernel) // stride + 1
        found = found.taps(2, sliding(outputs, kernel, stride, before), stride)
    _, _, start, stop = found.bounds[0].reshape(4, -1)
    assert (-stop - start == size).all()
    assert found.strides[0] == 8


def test_a_mean_over_all_positions_sees_the_whole_image_and_one_over_channels_does_not():
    wide = concatenated([image(), image().taps(2, sliding(7, 5, 1, 2))], 1, [2, 2])
    everywhere, channels = wide.reduced([2, 3]), wide.reduced([1])
    assert (everywhere.bounds[0][2:] < -(1 << 39)).all()
    assert (channels.bounds[0][2:] > -(1 << 39)).all()


def test_an_unknown_operator_is_named_and_taken_to_read_everything():
    found = image().taps(2, np.array([[1], [3]])).flat((1, 5), unknown="Mystery")
    assert found.unknown == {"Mystery"}
    start, stop = intervals(found, 0)
    assert start.tolist() == [[1] * 5]
    assert stop.tolist() == [[4] * 5]


def test_outputs_that_read_fewer_positions_say_so():
    found = image().taps(2, np.array([[0, NOWHERE], [2, 5]]))
    assert intervals(found, 0)[1][0, 0, :, 0].tolist() == [1, 6]
