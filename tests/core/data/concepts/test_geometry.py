"""Labels lie on their pixels after every way of resizing and cropping."""

import itertools

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.data.sources.concepts.label_maps import fit_planes, in_planes
from crosslens.image.fitting import fitting
from PIL import Image

WAYS = [(None, None), ("short", 1.0), ("short", 0.6), ("squash", None), ("squash", 0.7), ("pad", None)]
SIZES = [(40, 40), (33, 47), (61, 29), (12, 90), (5, 7), (20, 20)]
SIZE = 20


def read(images, masks, way, size=SIZE):
    resize, crop = way
    source = crosslens.concept_data((images, masks, ["bright"]), resize=resize, crop=crop)
    samples = source.read(0, len(source), testing.TinyModel(size=size))
    assert samples.failures == ()
    return samples.images, [record["concepts"] for record in samples.records]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_mask_of_what_is_bright_is_what_is_bright_in_the_resized_picture(size, way):
    """At a straight edge the bicubic filter gives more than half exactly where a pixel's centre is beyond the edge.

    Half a pixel of displacement, in either direction, turns a whole line of the mask. Edges so near the border that the
    filter is cut off there are left out.
    """
    place, made = np.indices(size), fitting(size, (SIZE, SIZE), way[0] or "short", way[1])
    reach = [2 * max(1, old / new) for old, new in zip(size, made.resized, strict=True)]
    edges = [(axis, n) for axis in (0, 1) for n in range(size[axis]) if reach[axis] <= n <= size[axis] - reach[axis]]
    assert edges
    bright = [place[axis] >= n for axis, n in edges] + [place[axis] < n for axis, n in edges]
    pictures = [Image.fromarray(np.uint8(255 * each)).convert("RGB") for each in bright]
    images, maps = read(pictures, np.array(bright, np.uint8), way)
    for image, (mask,) in zip(images, maps, strict=True):
        sure = abs(image[0] - 0.5) > 0.02  # where a centre lies on the edge, both are right
        np.testing.assert_array_equal(mask[sure], image[0][sure] > 0.5)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_labels_are_pillows_nearest_neighbours(size, way):
    labels = np.random.default_rng(0).integers(1, 9, size).astype(np.int32)
    made = fitting(size, (SIZE, SIZE), way[0] or "short", way[1])
    (found,) = fit_planes([labels], size, made)
    height, width = made.resized
    resized = Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST)
    left, top = (width - SIZE) // 2, (height - SIZE) // 2
    expected = np.asarray(resized.crop((left, top, left + SIZE, top + SIZE)))
    ties = [(2 * np.arange(n) + 1) * old % (2 * n) == 0 for n, old in zip(made.resized, size, strict=True)]
    sure = np.pad(~(ties[0][:, None] | ties[1]), SIZE)[top + SIZE :, left + SIZE :][:SIZE, :SIZE]
    np.testing.assert_array_equal(np.where(sure, found, 0), np.where(sure, expected, 0))


def test_a_picture_of_the_models_size_keeps_every_label():
    labels = np.random.default_rng(1).integers(0, 2, (1, SIZE, SIZE))
    pictures = [Image.fromarray(np.uint8(255 * labels[0])).convert("RGB")]
    images, (maps,) = read(pictures, labels, (None, None))
    np.testing.assert_array_equal(maps[0], images[0, 0] > 0.5)
    assert maps.dtype == np.int32


def test_masks_smaller_by_a_whole_factor_stay_small_where_the_picture_keeps_its_pixels():
    labels = np.random.default_rng(2).integers(0, 2, (10, 10))
    picture = Image.fromarray(np.uint8(255 * labels)).convert("RGB").resize((20, 20), Image.Resampling.NEAREST)
    _, (kept,) = read([picture], labels[None], (None, None))
    np.testing.assert_array_equal(kept[0], labels)
    _, (grown,) = read([picture], labels[None], (None, None), size=40)
    assert grown.shape == (1, 40, 40)
    _, (grown,) = read([picture], labels[None], ("short", 1.0))
    assert grown.shape == (1, 10, 10)


def test_a_rotated_photograph_has_its_labels_as_it_is_shown(tmp_path):
    """Of a picture with a rotation flag, a mask is of the picture upright, or carries the flag itself."""
    upright = np.zeros((12, 20), np.uint8)
    upright[2:5, 3:15] = 1
    stored = Image.fromarray(np.rot90(255 * upright)).convert("RGB")  # 20 x 12, to be turned clockwise
    flag = Image.Exif()
    flag[0x0112] = 6
    (tmp_path / "images").mkdir()
    (tmp_path / "masks/bright").mkdir(parents=True)
    (tmp_path / "concepts.json").write_text('{"bright": ["bright"]}')
    stored.save(tmp_path / "images/1.png", exif=flag)
    for mask, exif in ((upright, None), (np.rot90(upright), flag)):
        Image.fromarray(np.ascontiguousarray(mask)).save(
            tmp_path / "masks/bright/1.png", **({"exif": exif} if exif else {})
        )
        samples = crosslens.concept_data(tmp_path, resize="squash").read(0, 1, testing.TinyModel(size=SIZE))
        (maps,) = (record["concepts"] for record in samples.records)
        sure = abs(samples.images[0, 0] - 0.5) > 0.3
        np.testing.assert_array_equal(maps[0][sure], samples.images[0, 0][sure] > 0.5)
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(tmp_path / "masks/bright/1.png")
    samples = crosslens.concept_data(tmp_path).read(0, 1, testing.TinyModel(size=SIZE))
    assert "it fits the picture turned: remove its EXIF flag" in samples.failures[0].reason


def test_masks_that_overlap_share_no_plane_and_no_pixel_has_a_concept_twice():
    rng = np.random.default_rng(3)
    for _ in range(20):
        masks = [(int(rng.integers(1, 5)), rng.random((6, 7)) < 0.3) for _ in range(6)]
        planes = in_planes(masks, (6, 7))
        for number, y, x in itertools.product(range(1, 5), range(6), range(7)):
            expected = any(mask[y, x] for held, mask in masks if held == number)
            assert sum(plane[y, x] == number for plane in planes) == expected
