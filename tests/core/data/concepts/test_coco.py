"""COCO's files: polygons against matplotlib's, run lengths by their definition, and what is missing told."""

import json
import pickle

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.data.sources.concepts.coco_masks import filled_polygons, from_run_lengths, run_lengths
from crosslens.errors import ImageError
from PIL import Image

MODEL = testing.TinyModel(size=16)


def is_inside(polygon, x, y):
    """Whether a point is inside: a ray to the right crosses the border an odd number of times (Shimrat, 1962)."""
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y0 <= y) != (y1 <= y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


@pytest.mark.parametrize("corners", [3, 4, 7, 12])
def test_a_polygon_is_the_pixels_whose_centres_are_inside(corners):
    rng = np.random.default_rng(corners)
    for _ in range(10):
        polygon = rng.uniform(-3, 23, (corners, 2))
        expected = [[is_inside(polygon.tolist(), x + 0.5, y + 0.5) for x in range(21)] for y in range(17)]
        np.testing.assert_array_equal(filled_polygons([polygon], (17, 21)), expected)


def test_polygons_that_do_not_cross_themselves_are_skimages():
    draw = pytest.importorskip("skimage.draw")
    rng = np.random.default_rng(0)
    for _ in range(10):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        polygon = 15 + rng.uniform(5, 14, (9, 1)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        expected = draw.polygon2mask((30, 30), polygon[:, ::-1] - 0.5)  # its pixels' centres are whole numbers
        np.testing.assert_array_equal(filled_polygons([polygon], (30, 30)), expected)


def test_a_rectangle_along_pixels_is_these_pixels_and_neighbours_share_none():
    left = filled_polygons([np.array([[2, 1], [5, 1], [5, 4], [2, 4]])], (6, 9))
    right = filled_polygons([np.array([[5, 1], [8, 1], [8, 4], [5, 4]])], (6, 9))
    expected = np.zeros((6, 9), bool)
    expected[1:4, 2:5] = True
    np.testing.assert_array_equal(left, expected)
    assert not (left & right).any()
    assert (left | right)[1:4, 2:8].all()


def written(numbers):
    """COCO's text of run lengths, written from the format: differences from the number two before, 5 bits a time."""
    text = ""
    for place, number in enumerate(numbers):
        left = number - numbers[place - 2] if place > 2 else number
        while True:
            bits, left = left & 31, left >> 5
            more = left != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


def test_run_lengths_go_down_the_columns_and_begin_outside():
    rng = np.random.default_rng(0)
    for size in ((5, 7), (40, 61), (1, 1), (300, 500)):
        mask = rng.random(size) < rng.choice([0.02, 0.5, 0.99])
        lengths, current = [0], False
        for value in mask.T.ravel().tolist():
            if value != current:
                lengths.append(0)
                current = value
            lengths[-1] += 1
        np.testing.assert_array_equal(from_run_lengths(np.array(lengths), size), mask)
        assert run_lengths(written(lengths)).tolist() == lengths


def test_run_lengths_of_a_known_text():
    """3 x 3 with the middle set: 4 outside, 1 inside, 4 outside; each number fits into five bits."""
    assert run_lengths("414").tolist() == [4, 1, 4]
    with pytest.raises(ValueError, match=r"end within a number"):
        run_lengths("41T")


@pytest.fixture
def coco(tmp_path):
    """Two pictures of 16 x 12; a dog over a cat, a crowd as run lengths."""
    (tmp_path / "images").mkdir()
    for name in ("b.jpg", "a.jpg"):
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 255, (16, 16, 3), np.uint8)).save(
            tmp_path / "images" / name
        )
    square = [2, 2, 8, 2, 8, 8, 2, 8]
    content = {
        "images": [
            {"id": 7, "file_name": "b.jpg", "height": 16, "width": 16},
            {"id": 3, "file_name": "a.jpg", "height": 16, "width": 16},
        ],
        "categories": [{"id": 90, "name": "dog", "supercategory": "animal"}, {"id": 17, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 17, "iscrowd": 0,
             "segmentation": [square, [10, 10, 12, 10, 12, 12]]},
            {"id": 2, "image_id": 7, "category_id": 90, "iscrowd": 0, "segmentation": [[4, 4, 9, 4, 9, 9, 4, 9]]},
            {"id": 3, "image_id": 7, "category_id": 17, "iscrowd": 0, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]},
            {"id": 4, "image_id": 3, "category_id": 90, "iscrowd": 1,
             "segmentation": {"size": [16, 16], "counts": [32, 16, 208]}},
        ],
    }  # fmt: skip
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    return path, content


def test_pictures_and_objects_are_found_by_name_and_number(coco):
    path, _ = coco
    source = crosslens.data(path)
    assert source.ids == ("a.jpg", "b.jpg")
    assert source.concepts.names == ("cat", "dog")
    assert set(source.concepts.categories) == {"object"}
    for each in (source, pickle.loads(pickle.dumps(source))):
        samples = each.read(0, 2, MODEL)
        assert samples.failures == ()
        crowd, both = (record["concepts"] for record in samples.records)
        expected = np.zeros((16, 16), int)
        expected[:, 2] = 2  # the third column
        np.testing.assert_array_equal(crowd, [expected])
        cat = np.zeros((16, 16), bool)
        cat[2:8, 2:8] = cat[:4, :4] = True
        cat |= filled_polygons([np.array([[10, 10], [12, 10], [12, 12]])], (16, 16))
        dog = np.zeros((16, 16), bool)
        dog[4:9, 4:9] = True
        np.testing.assert_array_equal((both == 1).sum(axis=0), cat)
        np.testing.assert_array_equal((both == 2).sum(axis=0), dog)
        assert each.digest == source.digest


def test_the_digest_is_that_of_the_labels_too(coco):
    path, content = coco
    before = crosslens.data(path).digest
    content["annotations"][1]["segmentation"][0][0] += 1
    path.write_text(json.dumps(content))
    assert crosslens.data(path).digest != before


def test_an_annotation_that_cannot_be_read_is_that_pictures_failure(coco):
    path, content = coco
    content["annotations"][3]["segmentation"]["counts"] = [1, 2]
    content["annotations"][0] |= {"segmentation": []}
    path.write_text(json.dumps(content))
    samples = crosslens.data(path).read(0, 2, MODEL)
    assert [each.reason for each in samples.failures] == [
        "its annotation 4 has run lengths of 3 pixels, its picture 256",
        "its annotation 1 has no segmentation, only a box: pixels are labelled by polygons or run lengths",
    ]
    content["annotations"][3]["segmentation"] = [[1, 2, 3]]
    path.write_text(json.dumps(content))
    assert "neither polygons" in crosslens.data(path).read(0, 1, MODEL).failures[0].reason


def test_an_annotation_of_an_unknown_category_is_that_pictures_failure(coco):
    path, content = coco
    content["annotations"][3]["category_id"] = 77
    path.write_text(json.dumps(content))
    samples = crosslens.data(path).read(0, 2, MODEL)
    assert [each.reason for each in samples.failures] == [
        "its annotation 4 is of category 77, which the file's categories do not have"
    ]


def test_a_picture_of_another_size_than_its_entry_is_a_failure(coco):
    path, content = coco
    content["images"][0]["width"] = 15
    path.write_text(json.dumps(content))
    (failure,) = crosslens.data(path).read(1, 2, MODEL).failures
    assert "has 15 x 16 pixels and its picture 16 x 16" in failure.reason


def test_pictures_are_looked_for_and_their_folder_can_be_said(coco, tmp_path):
    path, _ = coco
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(
        ImageError, match=r"no picture of '.*instances.json' is found, 'a.jpg' for example, in .*images"
    ):
        crosslens.data(path)
    source = crosslens.concept_data(path, pictures=tmp_path / "elsewhere")
    assert source.read(0, 2, MODEL).failures == ()


def test_other_json_is_told_what_is_missing(tmp_path):
    path = tmp_path / "x.json"
    for text, reason in (
        ("{", "not JSON"),
        ("[]", "no list 'images'"),
        ('{"images": []}', "no list 'categories', 'ann"),
    ):
        path.write_text(text)
        with pytest.raises(ImageError, match=reason):
            crosslens.concept_data(path)
    path.write_text('{"images": [{"id": 1}], "categories": [], "annotations": []}')
    with pytest.raises(ImageError, match=r"incomplete|no concept"):
        crosslens.concept_data(path)
