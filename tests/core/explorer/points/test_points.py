"""Points, thumbnails, images and atlas of a site: against the survey's own arrays, and equations written slowly."""

import base64
import json
import re
from dataclasses import replace
from io import BytesIO

import crosslens
import numpy as np
import pytest
from crosslens.checkpoints.steady_embedding import steady_embedding
from crosslens.errors import ParameterError
from crosslens.explorer.book import Book, Shown
from crosslens.explorer.data_folder import script
from crosslens.explorer.points import atlas, images, one_layout, plane, points, strongest, thumbnails
from crosslens.survey.survey import Survey
from crosslens.testing import TinyModel
from PIL import Image

RNG = np.random.default_rng(0)
COUNT = 300
KINDS = np.arange(COUNT) % 4
IMAGES = (RNG.random((4, 3, 8, 8))[KINDS] * 0.8 + 0.2 * RNG.random((COUNT, 3, 8, 8))).astype(np.float32)
IMAGES[7] = np.nan
LABELS = ["10", "9", "</script><script>alert(1)</script>", ""]
MODEL = TinyModel()


def embedding(**parameters):
    return crosslens.method("embedding", **parameters)


def book_of(survey):
    return Book(MODEL, survey, None, Shown(), "tiny")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    data = crosslens.data((IMAGES, [LABELS[kind] for kind in KINDS]))
    methods = [
        embedding(layer="act1", layout="pca"),
        embedding(layer="act2", layout="pca"),
        embedding(layer="act2", layout="pca", dimensions=3),
        crosslens.method("activation_atlas", layer="conv2", layout="pca", cells=3, minimum=4, steps=2, per_image=4),
    ]
    return book_of(crosslens.sweep(MODEL, data, methods, store=tmp_path_factory.mktemp("site") / "survey"))


def decoded(page):
    axes = [np.frombuffer(base64.b64decode(page[axis]), "<f4") for axis in "xy"]
    return np.stack(axes, axis=1)


def units_of(page):
    return np.frombuffer(base64.b64decode(page["strongest"]), "<u2").reshape(-1, page["count"])


def shape_of(layout):
    """Distances between points in units of the largest: what turning, moving and scaling all of them keeps."""
    known = layout[np.isfinite(layout).all(axis=1)].astype(np.float64)
    distances = np.linalg.norm(known[:, None] - known[None], axis=2)
    return distances / distances.max()


def test_points_of_two_layers_keep_the_shape_that_each_was_laid_out_in_and_lie_together_between_minus_1_and_1(book):
    made = [decoded(leaf.make()) for leaf in points.leaves(book)]
    given = [
        book.survey["embedding layer=act1 layout=pca"].points,
        book.survey["embedding layer=act2 layout=pca"].points,
    ]
    for own, before in zip(made, given, strict=True):
        np.testing.assert_allclose(shape_of(own), shape_of(before), atol=2e-5)
        np.testing.assert_array_equal(np.isnan(own).any(axis=1), np.arange(COUNT) == 7)
    every = np.concatenate(made)
    extents = np.nanmax(every, axis=0) - np.nanmin(every, axis=0)
    assert np.nanmax(np.abs(every)) == pytest.approx(1)
    assert extents.max() == pytest.approx(2)


def test_lines_and_leaves_name_the_layers_in_order_and_leave_out_what_is_not_in_a_plane(book):
    assert [each["title"] for each in points.lines(book)] == ["act1", "act2"]
    assert [each["layer"] for each in points.lines(book)] == [book.ids["act1"], book.ids["act2"]]
    assert [leaf.key for leaf in points.leaves(book)] == ["points/0", "points/1"]
    assert [leaf.stamp for leaf in points.leaves(book)] == [leaf.stamp for leaf in points.leaves(book)]
    assert "3 dimensions" in plane.left_out(book)[0]


def test_one_layout_is_used_as_it_is_but_for_its_scale():
    survey = crosslens.sweep(MODEL, IMAGES[:7], [embedding(layout="pca")])
    (leaf,) = points.leaves(book_of(survey))
    own, before = decoded(leaf.make()), np.asarray(survey["embedding"].points, np.float64)
    low, high = before.min(axis=0), before.max(axis=0)
    np.testing.assert_allclose(own, (before - (low + high) / 2) * 2 / (high - low).max(), atol=1e-6)


def test_strongest_units_are_those_most_deviations_above_their_mean(book):
    page = points.leaves(book)[1].make()
    known = np.arange(COUNT) != 7
    rows = np.asarray(MODEL.forward(IMAGES[known], ["act2"])["act2"], np.float64).mean(axis=(2, 3))
    scores = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    expected = np.sort(scores, axis=1)[:, ::-1][:, :3]
    found = np.take_along_axis(scores, units_of(page)[known].astype(int), axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert (units_of(page)[7] == strongest.NONE).all()


def test_a_unit_that_never_changes_stands_out_nowhere_and_a_layer_of_two_units_has_none():
    rows = np.random.default_rng(1).normal(size=(50, 5)).astype(np.float32)
    rows[:, 2] = 1e-3
    scores = np.delete((rows - rows.mean(axis=0)) / np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1), 2, axis=1)
    best = np.array([0, 1, 3, 4])[scores.argmax(axis=1)]
    above = scores.max(axis=1) > 0
    np.testing.assert_array_equal(strongest.strongest_units(rows)[above, 0], best[above])
    assert strongest.strongest_units(rows[:, :2]) is None


def test_t_sne_of_two_identical_layers_has_identical_points_and_is_laid_out_together():
    rows = RNG.normal(size=(60, 6)).astype(np.float32)
    layouts = [crosslens.layouts.tsne(rows, perplexity=perplexity) for perplexity in (5, 15)]
    given = [plane.Plane(f"{n}", None, each, each.points, rows) for n, each in enumerate(layouts)]
    first, second = one_layout.normalised([each.points for each in one_layout.together(given, [""] * 60)])
    assert np.linalg.norm(first - second, axis=1).max() < 0.02
    assert np.linalg.norm(np.subtract(*one_layout.normalised([each.points for each in layouts])), axis=1).max() > 0.1


def test_checkpoints_keep_their_steps_between_each_other_and_pair_by_id(book, tmp_path):
    followed = steady_embedding(
        {"<b>before": MODEL, "after": TinyModel(seed=1)}, IMAGES[8:60], layer="act2", layout="pca"
    )
    with pytest.raises(ParameterError, match="none of the survey's 300 images"):
        plane.from_checkpoints(book, replace(followed, ids=("x",) * 52))
    ids = tuple(str(each) for each in book.survey.images["id"][8:60])
    leaves = points.leaves(book, replace(followed, ids=ids))
    assert [each["title"] for each in points.lines(book, replace(followed, ids=ids))][2:] == ["<b>before", "after"]
    made = np.stack([decoded(leaf.make())[8:60] for leaf in leaves[2:]])
    np.testing.assert_allclose(shape_of(np.concatenate(made)), shape_of(np.concatenate(followed.points)), atol=2e-5)
    assert np.isnan(decoded(leaves[2].make())[:8]).all()
    other = book.survey["embedding layer=act1 layout=pca"].save(tmp_path / "other.npz")
    with pytest.raises(ParameterError, match="no points of checkpoints: give the"):
        points.lines(book, other)


def test_thumbnails_are_the_sheets_of_the_survey_and_each_image_lies_where_its_columns_say(book):
    entry, leaves, table = thumbnails.thumbnails_line(book), thumbnails.leaves(book), book.survey.images
    assert [leaf.key for leaf in leaves] == ["thumbnails/0", "thumbnails/1"]
    contents = [base64.b64decode(leaf.make()["image"].removeprefix("data:image/jpeg;base64,")) for leaf in leaves]
    for n, content in enumerate(contents):
        assert content == (book.survey.folder / "thumbnails" / f"{n:05}.jpg").read_bytes()
        assert Image.open(BytesIO(content)).format == "JPEG"
    for index in (0, 17, 255, 256, 299):
        place = index % entry["per_sheet"]
        corner = place % entry["across"] * entry["side"], place // entry["across"] * entry["side"]
        assert corner == (table["thumbnail_x"][index], table["thumbnail_y"][index])
        assert table["thumbnail"][index] == f"thumbnails/{index // entry['per_sheet']:05}.jpg"


def test_a_survey_in_memory_has_no_thumbnails_and_one_whose_sheet_is_gone_says_so(book, tmp_path):
    survey = crosslens.sweep(MODEL, IMAGES[:7], [embedding(layout="pca")])
    assert thumbnails.thumbnails_line(book_of(survey)) is None
    assert not thumbnails.leaves(book_of(survey))
    stored = crosslens.sweep(MODEL, IMAGES[:7], [embedding(layout="pca")], store=tmp_path / "survey")
    (stored.folder / "thumbnails" / "00000.jpg").unlink()
    with pytest.raises(ParameterError, match="sweep again"):
        thumbnails.leaves(book_of(stored))


def test_a_site_without_images_has_no_points():
    empty = book_of(Survey({}, {}))
    assert images.images_line(empty) is None
    assert thumbnails.thumbnails_line(empty) is None
    assert not [*images.leaves(empty), *thumbnails.leaves(empty), *points.leaves(empty), *atlas.leaves(empty)]


def test_images_have_ids_labels_by_number_and_reasons_and_hostile_text_stays_text(book):
    entry, (leaf,) = images.images_line(book), images.leaves(book)
    chunk = leaf.make()
    assert entry == {"count": COUNT, "chunk": 5000, "labels": ["9", "10", LABELS[2]]}
    expected = [LABELS[kind] if n != 7 else "" for n, kind in enumerate(KINDS)]
    assert [entry["labels"][label] if label >= 0 else "" for label in chunk["label"]] == expected
    known = np.arange(COUNT) != 7
    classes = np.asarray(MODEL.forward(IMAGES[known])["<output>"]).argmax(axis=1)
    np.testing.assert_array_equal(np.array(chunk["predicted"])[known], classes)
    assert list(chunk["failure"]) == ["7"]
    assert chunk["predicted"][7] == -1
    line = script("site", {**entry, **chunk})
    assert "<" not in line
    assert ">" not in line
    back = json.loads(re.fullmatch(r'crosslens\.put\("site", (.*)\);', line, re.DOTALL)[1])
    assert back["labels"] == entry["labels"]
    assert back["score"][7] is None


def test_an_atlas_names_for_each_cell_its_classes_and_the_images_whose_positions_lie_in_it(book):
    (line,), (leaf,), result = atlas.lines(book), atlas.leaves(book), book.survey["activation_atlas"]
    page = leaf.make()
    assert line == {"layer": book.ids["conv2"], "cells": len(result)}
    assert page["rows"] == page["columns"] == 3
    for n, cell in enumerate(page["cells"]):
        inside = [int(image) for image, own in zip(result.sample["image"], result.cell_of, strict=True) if own == n]
        assert cell["count"] == len(inside)
        assert set(cell["images"]) <= set(inside)
        assert len(cell["images"]) == min(atlas.IMAGES, len(set(inside)))
        times = [inside.count(image) for image in cell["images"]]
        assert times == sorted(times, reverse=True)
        assert times[0] == max(map(inside.count, inside))
        np.testing.assert_allclose([value for _, value in cell["classes"]], result["attribution"][n])
    assert page["sheet"]["count"] == len(page["cells"])
    assert page["sheet"]["image"].startswith("data:image/webp;base64,")
