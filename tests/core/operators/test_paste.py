"""Pasting a patch: against its transpose, one pixel at a time, torch's grid_sample, and areas known in closed form."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import ImageError, ParameterError
from crosslens.operators import Paste, Placement, Resize, Rotate
from crosslens.operators.paste import patch_mask

SIZE = (20, 27)
PLACEMENTS = [
    Placement(10.2, 13.7, 30.0, 1.0),
    Placement(9.0, 14.0),
    Placement(11.3, 12.9, -121.0, 1.6),
    Placement(8.6, 15.1, 77.0, 0.37),
    Placement(1.0, 25.5, 15.0, 1.2),
    Placement(-40.0, 3.0),
]
SHAPES = ["circle", "square"]


def arrays(patch=(9, 9), channels=3):
    rng = np.random.default_rng(0)
    pictures = rng.random((len(PLACEMENTS), channels, *SIZE))
    return pictures, rng.random((channels, *patch)), rng.standard_normal(pictures.shape)


def slowly(picture, patch, placement, shape):
    """One pixel at a time: turn back, scale back, a triangle as wide as a pixel of the picture, blend by the mask."""
    made = picture.copy()
    angle = np.deg2rad(placement.degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # of (row, column)
    for row in range(picture.shape[1]):
        for column in range(picture.shape[2]):
            away = turn @ [row + 0.5 - placement.row, column + 0.5 - placement.column]
            half = placement.scale * np.array(patch.shape[1:]) / 2
            if shape == "circle":
                mask = min(1.0, max(0.0, half[0] - np.sqrt(away @ away) + 0.5))
            else:
                mask = np.prod([min(1.0, max(0.0, h - abs(a) + 0.5)) for h, a in zip(half, away, strict=True)])
            if mask == 0:
                continue
            total, weights = np.zeros(len(patch)), 0.0
            at = np.clip(away / placement.scale + np.array(patch.shape[1:]) / 2 - 0.5, 0, np.array(patch.shape[1:]) - 1)
            for i in range(patch.shape[1]):
                for j in range(patch.shape[2]):
                    near = 1 - np.abs(at - [i, j]) / max(1, 1 / placement.scale)
                    if near.min() > 0:
                        total += near.prod() * patch[:, i, j]
                        weights += near.prod()
            made[:, row, column] = (1 - mask) * picture[:, row, column] + mask * total / weights
    return made


@pytest.mark.parametrize("shape", SHAPES)
def test_each_pixel_is_that_of_the_definition(shape):
    pictures, patch, _ = arrays()
    got = Paste(pictures, PLACEMENTS, (9, 9), shape).apply(patch)
    for picture, placement, pasted in zip(pictures, PLACEMENTS, got, strict=True):
        np.testing.assert_allclose(pasted, slowly(picture, patch, placement, shape), rtol=1e-12)


def test_a_patch_that_is_not_square_too():
    pictures, patch, _ = arrays((7, 12))
    got = Paste(pictures, PLACEMENTS, (7, 12), "square").apply(patch)
    for picture, placement, pasted in zip(pictures, PLACEMENTS, got, strict=True):
        np.testing.assert_allclose(pasted, slowly(picture, patch, placement, "square"), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_adjoint_is_the_transpose(shape):
    pictures, patch, y = arrays()
    paste = Paste(pictures, PLACEMENTS, (9, 9), shape)
    moved = paste.apply(patch) - paste.apply(0 * patch)
    np.testing.assert_allclose((moved * y).sum(), (patch * paste.adjoint(y)).sum(), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_reaches_the_pictures_is_the_transpose_too(shape):
    pictures, patch, y = arrays()
    paste = Paste(pictures, PLACEMENTS, (9, 9), shape)
    moved = paste.apply(patch) - Paste(0 * pictures, PLACEMENTS, (9, 9), shape).apply(patch)
    np.testing.assert_allclose((moved * y).sum(), (pictures * paste.picture_adjoint(y)).sum(), rtol=1e-12)


@pytest.mark.parametrize("placement", PLACEMENTS[:3])
def test_inside_the_mask_it_is_torchs_grid_sample(placement):
    torch = pytest.importorskip("torch")
    pictures, patch, _ = arrays()
    angle, half = np.deg2rad(placement.degrees), placement.scale * 4.5
    rows, columns = np.meshgrid(
        np.arange(20) + 0.5 - placement.row, np.arange(27) + 0.5 - placement.column, indexing="ij"
    )
    down, right = np.cos(angle) * rows + np.sin(angle) * columns, np.cos(angle) * columns - np.sin(angle) * rows
    grid = torch.tensor(np.stack([right, down], axis=-1)[None] / half)
    sampled = torch.nn.functional.grid_sample(
        torch.tensor(patch[None]), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    got = Paste(pictures[:1], [placement], (9, 9), "circle").apply(patch)
    inside = np.hypot(down, right) < half - 0.5
    np.testing.assert_allclose(got[0][:, inside], sampled[0].numpy()[:, inside], rtol=1e-9)


def test_it_turns_as_rotate_does():
    pictures, patch, _ = arrays()
    turned = Rotate(40.0).apply(patch)
    got = Paste(pictures[:1], [Placement(10.5, 13.5, 40.0)], (9, 9)).apply(patch)[0, :, 6:15, 9:18]
    near = np.hypot(*(np.indices((9, 9)) - 4)) < 3.5
    np.testing.assert_allclose(got[:, near], turned[:, near], rtol=1e-9)


def test_without_turn_and_at_whole_pixels_it_is_a_copy_and_the_rest_is_the_picture():
    pictures, patch, _ = arrays((8, 6))
    (got,) = Paste(pictures[:1], [Placement(9.0, 14.0)], (8, 6), "square").apply(patch)
    expected = pictures[0].copy()
    expected[:, 5:13, 11:17] = patch
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_patch_made_smaller_by_a_whole_number_is_resized_with_antialiasing_inside():
    pictures, patch, _ = arrays((12, 12))
    (got,) = Paste(pictures[:1], [Placement(10.0, 13.0, 0.0, 1 / 3)], (12, 12), "square").apply(patch)
    np.testing.assert_allclose(got[:, 8:12, 11:15], Resize((12, 12), (4, 4)).apply(patch), rtol=1e-12)


@pytest.mark.parametrize("degrees", [0.0, 17.0, 45.0, 130.0])
@pytest.mark.parametrize(("shape", "area"), [("circle", np.pi * 6.6**2), ("square", 13.2**2)])
def test_the_mask_covers_the_area_of_its_shape(shape, area, degrees):
    black, white = np.zeros((1, 1, 40, 40)), np.ones((1, 11, 11))
    got = Paste(black, [Placement(19.3, 20.8, degrees, 1.2)], (11, 11), shape).apply(white)
    assert got.sum() == pytest.approx(area, rel=0.005)


def test_the_patchs_own_mask_is_a_disc_in_a_square():
    mask = patch_mask((11, 11), "circle")
    assert mask.shape == (11, 11)
    assert mask[5, 5] == 1
    assert mask[0, 0] == 0
    np.testing.assert_array_equal(patch_mask((4, 6), "square"), np.ones((4, 6)))


def test_a_flat_patch_stays_flat_and_values_stay_in_range():
    pictures, patch, _ = arrays()
    got = Paste(0 * pictures + 0.25, PLACEMENTS, (9, 9)).apply(0 * patch + 0.25)
    np.testing.assert_allclose(got, 0.25, rtol=1e-12)
    got = Paste(pictures, PLACEMENTS, (9, 9)).apply(patch)
    assert 0 <= got.min() <= got.max() <= 1


def test_the_pictures_are_not_changed_and_one_that_the_patch_misses_stays():
    pictures, patch, y = arrays()
    before, paste = pictures.copy(), Paste(pictures, PLACEMENTS, (9, 9))
    got = paste.apply(patch)
    paste.picture_adjoint(y)
    np.testing.assert_array_equal(pictures, before)
    np.testing.assert_array_equal(got[-1], before[-1])


@pytest.mark.parametrize("namespace", ["strict", "torch"])
def test_any_array_namespace_gives_what_numpy_gives(namespace):
    if namespace == "torch":
        torch = pytest.importorskip("torch")
        convert = torch.asarray
    else:
        convert = strict.asarray
    pictures, patch, y = (np.float32(each) for each in arrays())
    ours, theirs = Paste(pictures, PLACEMENTS, (9, 9)), Paste(convert(pictures), PLACEMENTS, (9, 9))
    for name, given in (("apply", patch), ("adjoint", y), ("picture_adjoint", y)):
        got, expected = getattr(theirs, name)(convert(given)), getattr(ours, name)(given)
        assert type(got) is type(convert(given))
        assert got.dtype == convert(given).dtype
        np.testing.assert_allclose(as_numpy(got), expected, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_pasted_is_refused():
    pictures, patch, _ = arrays()
    with pytest.raises(ParameterError, match="no 'star'; shapes: circle, square"):
        Paste(pictures, PLACEMENTS, (9, 9), "star")
    with pytest.raises(ParameterError, match=r"a patch of \(9, 8\) pixels is no 'circle'"):
        Paste(pictures, PLACEMENTS, (9, 8))
    with pytest.raises(ParameterError, match="1 placements for 6 pictures"):
        Paste(pictures, PLACEMENTS[:1], (9, 9))
    with pytest.raises(ParameterError, match="scale must be above 0"):
        Paste(pictures[:1], [Placement(3, 3, scale=0.0)], (9, 9))
    with pytest.raises(ImageError, match="was made for"):
        Paste(pictures, PLACEMENTS, (9, 9)).apply(patch[:, 1:])
    with pytest.raises(ImageError, match=r"a patch of shape \(1, 9, 9\) for pictures of 3 channels"):
        Paste(pictures, PLACEMENTS, (9, 9)).apply(patch[:1])
