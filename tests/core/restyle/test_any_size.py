"""Pictures of any size: rounded sides, fixed sizes, tiles that agree with the whole."""

import numpy as np
import pytest
from crosslens.errors import ModelError
from crosslens.restyle.any_size import AnySize
from crosslens.restyle.padding import reflect_to
from crosslens.restyle.picture_network import PictureNetwork
from crosslens.synthesis.tiling import overlapping_tiles
from scipy.ndimage import uniform_filter

RNG = np.random.default_rng(0)


def picture(height, width, channels=3):
    return RNG.random((1, channels, height, width), dtype=np.float32)


def blurred(x):
    """A mean over 5 x 5 pixels, zeros beyond the border as networks have them: exactly local."""
    return uniform_filter(x, (0, 0, 5, 5), mode="constant")


class Local(PictureNetwork):
    """A network without normalisation."""

    bytes_per_pixel = 100.0

    def __init__(self, apply=blurred, sizes=(None, None)):
        self.sizes, self.made, self.seen = sizes, apply, []

    def apply(self, x):
        self.seen.append(x.shape[2:])
        if None not in self.sizes:
            assert x.shape[2:] == self.sizes
        return self.made(x)

    def for_tiles(self, x, tiles, at_once):
        return self.apply, ("a note",)


@pytest.mark.parametrize("size", [(160, 224), (150, 171), (65, 300), (300, 40)])
def test_tiles_of_a_local_network_make_what_it_makes_of_the_whole(size):
    x = picture(*size)
    made = AnySize(Local(), tile=64)(x)
    assert made.tiles["tiles"] > 1
    np.testing.assert_allclose(made.picture, blurred(x), atol=1e-6)


def test_tiles_of_a_network_of_one_size_make_what_it_would_make_of_the_whole():
    x = picture(50, 75)
    made = AnySize(Local(sizes=(48, 40)))(x)
    np.testing.assert_allclose(made.picture[:, :, :-2, :-2], blurred(x)[:, :, :-2, :-2], atol=1e-6)
    assert made.notes == ("a note",)


def test_a_picture_that_is_smaller_than_the_network_takes_is_continued_by_reflection():
    x = picture(9, 11)
    made = AnySize(Local(sizes=(16, 16)))(x).picture
    wanted = blurred(np.pad(x, ((0, 0), (0, 0), (0, 7), (0, 5)), mode="reflect"))[:, :, :9, :11]
    np.testing.assert_allclose(made, wanted, atol=1e-6)


def rounding(x):
    """As a network with two strides of two and two enlargements does: sides rounded up to a multiple of four."""
    height, width = (-(-n // 4) * 4 for n in x.shape[2:])
    return reflect_to(x, (height, width))


@pytest.mark.parametrize("size", [(64, 64), (66, 61), (33, 131), (1, 1), (2, 7)])
def test_sides_that_the_network_rounds_are_cut_back(size):
    x = picture(*size)
    np.testing.assert_array_equal(AnySize(Local(rounding))(x).picture, x)
    np.testing.assert_allclose(AnySize(Local(rounding), tile=32)(x).picture, x, atol=1e-6)


def test_the_whole_is_seen_at_once_where_it_fits():
    network = Local()
    AnySize(network)(picture(160, 192))
    assert network.seen == [(160, 192)]


def test_memory_bounds_what_is_seen_at_once():
    network = Local()
    network.bytes_per_pixel = 2**32 / (600 * 600)
    AnySize(network)(picture(640, 640))
    assert max(map(max, network.seen)) == 512


@pytest.mark.parametrize("size", [(64, 64), (66, 61), (40, 130)])
def test_a_network_that_runs_on_multiples_only_gets_them(size):
    def apply(x):
        if any(n % 8 for n in x.shape[2:]):
            raise ModelError("it stops at Reshape")
        return x

    x = picture(*size)
    np.testing.assert_array_equal(AnySize(Local(apply))(x).picture, x)


@pytest.mark.parametrize("change", [lambda x: x[:, :, 2:-2, 2:-2], lambda x: x.repeat(2, 2).repeat(2, 3)])
@pytest.mark.parametrize("size", [(64, 64), (50, 70)])
def test_a_network_that_changes_the_size_is_refused(change, size):
    with pytest.raises(
        ModelError, match=r"the network makes a picture of \d+ x \d+ pixels of one of .* keeps the size"
    ):
        AnySize(Local(change))(picture(*size))


@pytest.mark.parametrize(("size", "tile"), [((100, 230), (64, 64)), ((64, 65), (64, 64)), ((500, 40), (96, 40))])
def test_windows_of_tiles_add_up_to_one_and_end_before_the_tile_does(size, tile):
    total = np.zeros(size)
    for each in overlapping_tiles(size, tile, 0.25):
        window = each.window(0.125 * min(tile))
        assert window.min() >= 0
        total += each.crop.adjoint(window)
        (top, left), (height, width) = each.crop.corner, each.crop.to
        assert top == 0 or not window[:2].any()
        assert left == 0 or not window[:, :2].any()
        assert top + height == size[0] or not window[-2:].any()
        assert left + width == size[1] or not window[:, -2:].any()
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("own", [1, 2, 3, 10])
def test_reflection_is_numpys(own):
    x = picture(own, 4)
    wanted = np.pad(x, ((0, 0), (0, 0), (0, 23 - own), (0, 5)), mode="reflect") if own > 1 else np.repeat(x, 23, 2)
    wanted = np.pad(x.repeat(23, 2), ((0, 0), (0, 0), (0, 0), (0, 5)), mode="reflect") if own == 1 else wanted
    np.testing.assert_array_equal(reflect_to(x, (23, 9)), wanted)
