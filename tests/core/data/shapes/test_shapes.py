"""Pictures of shapes: the same each time, with masks that are exactly what was drawn."""

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.data.shapes import CLASSES, NAMES, draw_shapes, shape_arrays, write_shapes
from crosslens.errors import ImageError, ParameterError

ARRAYS = shape_arrays(60)


def test_pictures_of_a_seed_are_the_same_however_many_are_drawn():
    again = shape_arrays(5, start=20)
    np.testing.assert_array_equal(again.images, ARRAYS.images[20:25])
    np.testing.assert_array_equal(again.masks["texture"], ARRAYS.masks["texture"][20:25])
    assert not np.array_equal(shape_arrays(1, seed=1).images, ARRAYS.images[:1])


def test_the_three_masks_of_a_picture_cover_the_same_pixels():
    covered = {category: mask > 0 for category, mask in ARRAYS.masks.items()}
    np.testing.assert_array_equal(covered["shape"], covered["colour"])
    np.testing.assert_array_equal(covered["shape"], covered["texture"])
    assert 0.05 < covered["shape"].mean() < 0.3


def test_colours_are_where_their_masks_are_and_nowhere_else():
    """By hue: which of red, green and blue are bright against the darkest of the three."""
    pixels = ARRAYS.images.astype(float)
    spread = pixels.max(axis=-1) - pixels.min(axis=-1)
    bright = pixels > (pixels.max(axis=-1) + pixels.min(axis=-1))[..., None] / 2
    mask = ARRAYS.masks["colour"]
    assert (spread[mask == 0] < 65).mean() > 0.999
    for number, (name, hue) in enumerate(
        {"red": "R", "green": "G", "blue": "B", "yellow": "RG", "magenta": "RB"}.items(), 1
    ):
        assert NAMES["colour"][number - 1] == name
        expected = np.array([each in hue for each in "RGB"])
        assert (bright[mask == number] == expected).all(axis=-1).mean() > 0.97, name


def test_a_shape_is_where_its_definition_says():
    """A ring has a hole, a cross reaches further along its arms than between them, plain is of one brightness."""
    found = {name: [] for name in NAMES["shape"]}
    for number in range(60):
        drawn = draw_shapes(number)
        name = drawn.label.split()[2]
        kind = NAMES["shape"].index(name) + 1
        ys, xs = np.nonzero(drawn.masks["shape"] == kind)
        if len({int(n) for n in np.unique(drawn.masks["shape"]) if n}) == 1:
            box = (np.ptp(ys) + 1) * (np.ptp(xs) + 1)
            found[name].append(len(ys) / box)
    share = {name: np.median(each) for name, each in found.items() if each}
    assert share["disc"] == pytest.approx(np.pi / 4, abs=0.05)
    assert share["ring"] == pytest.approx(np.pi / 4 * 0.75, abs=0.05)
    assert share["cross"] < share["square"]
    assert share["square"] > 0.6


def test_plain_shapes_are_of_one_brightness_and_the_others_of_two():
    for number in range(60):
        drawn = draw_shapes(number)
        colour, texture, shape = drawn.label.split()
        kinds = {"shape": shape, "colour": colour, "texture": texture}
        main = np.all([drawn.masks[name] == NAMES[name].index(kind) + 1 for name, kind in kinds.items()], axis=0)
        brightness = drawn.pixels[main].max(axis=-1).astype(float)
        deviation = brightness.std() / brightness.mean()
        assert (deviation < 0.1) == (texture == "plain"), drawn.label


def test_all_classes_come():
    assert len(CLASSES) == len(set(CLASSES)) == 100
    drawn = shape_arrays(300, size=16).classes
    assert len(set(drawn.tolist())) > 85
    assert CLASSES[int(ARRAYS.classes[0])] == draw_shapes(0).label


def test_the_folder_is_the_arrays(tmp_path):
    source = crosslens.concept_data(write_shapes(tmp_path / "shapes", count=12))
    arrays = crosslens.concept_data((ARRAYS.images[:12], {name: ARRAYS.masks[name][:12] for name in NAMES}, NAMES))
    model = testing.TinyModel(size=64)
    ours, theirs = source.read(0, 12, model), arrays.read(0, 12, model)
    np.testing.assert_array_equal(ours.images, theirs.images)
    by_name = {arrays.concepts.label(n): n for n in range(1, 15)}
    numbers = np.array([0, *(by_name[source.concepts.label(n)] for n in range(1, 15))])
    for one, other in zip(ours.records, theirs.records, strict=True):
        np.testing.assert_array_equal(np.sort(numbers[one["concepts"]], axis=0), np.sort(other["concepts"], axis=0))
        assert one["label"] in CLASSES
    assert source.digest == crosslens.data(write_shapes(tmp_path / "again", count=12)).digest
    assert (tmp_path / "shapes/classes.txt").read_text().splitlines() == list(CLASSES)


def test_what_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "x").write_text("")
    for folder in (tmp_path, tmp_path / "x"):
        with pytest.raises(ImageError, match=r"is not an empty folder; give a new one"):
            write_shapes(folder, count=1)
    with pytest.raises(ParameterError, match=r"size is 8; shapes and their textures need at least 16 pixels"):
        write_shapes(tmp_path / "y", count=1, size=8)
    with pytest.raises(ParameterError, match=r"count is 0"):
        write_shapes(tmp_path / "y", count=0)
    with pytest.raises(ParameterError, match=r"both are 0 or more"):
        draw_shapes(0, seed=-1)
