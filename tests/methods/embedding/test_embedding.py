"""The embedding of a data set: every image has a point, PCA is that of NumPy, and it is saved whole and drawn."""

from dataclasses import replace

import crosslens
import numpy as np
import pytest
from click.testing import CliRunner
from crosslens.cli import cli
from crosslens.data import ArraySource
from crosslens.errors import ImageError, LayerError, ParameterError
from crosslens.sheets.point_picture import paler
from crosslens.testing import TinyModel
from PIL import Image

IMAGES = np.random.default_rng(0).random((30, 3, 8, 8), np.float32)
LABELS = ["low", "high"] * 15


@pytest.fixture(scope="module")
def result():
    source = ArraySource(IMAGES, labels=LABELS)
    return crosslens.method("embedding", layer="<input>", layout="pca")(TinyModel(), source)


def test_pca_of_the_pixels_is_the_singular_value_decomposition(result):
    rows = np.float64(IMAGES.reshape(30, -1))
    u, s, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(result.points), np.abs(u[:, :2] * s[:2]), rtol=1e-3, atol=1e-4)


def test_every_image_has_a_point_and_its_label(result):
    assert len(result) == 30
    assert np.isfinite(result.points).all()
    assert result["label"].tolist() == LABELS


def test_the_neighbourhood_hit_is_that_of_sorting(result):
    distances = np.linalg.norm(result.points[:, None] - result.points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest, labels = distances.argsort(axis=1)[:, :6], np.array(LABELS)
    assert result.quality["neighbourhood_hit"] == pytest.approx((labels[nearest] == labels[:, None]).mean())


@pytest.mark.parametrize("draw", ["pictures", "grid"])
def test_the_drawing_in_pictures_shows_some_thumbnails_whole(result, draw):
    canvas = result.picture(draw)
    windows = np.lib.stride_tricks.sliding_window_view(canvas, result.thumbnails[0].shape)[:, :, 0]
    whole = 0
    for tile in result.thumbnails:
        first = (windows[:, :, 10, 10] == tile[10, 10]).all(axis=-1)
        whole += any((windows[y, x] == tile).all() for y, x in np.argwhere(first))
    assert whole == 30 if draw == "grid" else whole >= 10


def test_small_images_are_enlarged_to_the_thumbnail_that_was_asked_for(result):
    at = np.delete(np.arange(28), [3, 10, 17, 24])  # those lie between two pixels
    pixels = IMAGES[:, :, (at * 2 + 1) // 7][..., (at * 2 + 1) // 7].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(result.thumbnails[:, at][:, :, at], pixels * 255, atol=1)


def test_a_saved_embedding_is_loaded_whole(result, tmp_path):
    result.save(tmp_path / "e.npz")
    loaded = crosslens.load(tmp_path / "e.npz")
    assert np.array_equal(loaded.points, result.points)
    assert loaded.quality == result.quality
    assert np.allclose(loaded.layout.place(IMAGES.reshape(30, -1)), result.points, atol=1e-3)


def test_images_without_a_label_are_no_class_of_their_own_in_the_neighbourhood_hit():
    labels = [label if n < 20 else "" for n, label in enumerate(LABELS)]
    found = crosslens.method("embedding", layer="<input>", layout="pca")(
        TinyModel(), ArraySource(IMAGES, labels=labels)
    )
    points = found.points[:20]
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest, known = distances.argsort(axis=1)[:, :6], np.array(labels[:20])
    assert found.quality["neighbourhood_hit"] == pytest.approx((known[nearest] == known[:, None]).mean())


NEW = np.random.default_rng(1).random((5, 3, 8, 8), np.float32)


@pytest.mark.parametrize("layer", ["<input>", "act2"])
def test_new_images_join_a_layout_by_pca_exactly(layer, tmp_path):
    old = crosslens.method("embedding", layer=layer, layout="pca")(TinyModel(), ArraySource(IMAGES, labels=LABELS))
    model = TinyModel()

    def rows(images):
        values = np.float64(np.asarray(model.forward(images, [layer])[layer]))
        return values.reshape(len(images), -1) if layer == "<input>" else values.mean(axis=(2, 3))

    known, new = rows(IMAGES), rows(NEW)
    axes = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][:2]
    placed = old.place(model, NEW)
    projected = (new - known.mean(axis=0)) @ axes.T
    np.testing.assert_allclose(np.abs(placed.points), np.abs(projected), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(placed.onto.points, old.points)
    assert placed.notes[0] == "5 new points in the layout of 30 old ones, which stay in place"
    again = crosslens.load(placed.save(tmp_path / "new.npz"))
    np.testing.assert_array_equal(again.points, placed.points)
    np.testing.assert_array_equal(again.place(model, NEW).points, placed.points)
    np.testing.assert_array_equal(again.onto.place(model, NEW).points, placed.points)


def test_the_hit_of_new_points_is_among_the_old_points_alone(result):
    labels = ["low", "", "high", "high", "low"]
    placed = result.place(TinyModel(), ArraySource(NEW, labels=labels))
    distances = np.linalg.norm(placed.points[:, None] - result.points[None], axis=2)
    known = [0, 2, 3, 4]
    same = np.array(LABELS)[distances[known].argsort(axis=1)[:, :6]] == np.array(labels)[known][:, None]
    assert placed.quality == {"neighbourhood_hit": pytest.approx(same.mean())}


def test_the_grid_shows_new_pictures_as_they_are_and_old_ones_pale(result):
    placed = result.place(TinyModel(), NEW)
    canvas = placed.picture("grid")
    canvas = canvas[len(canvas) - 6 * 28 :]
    cells = {canvas[y : y + 28, x : x + 28].tobytes() for y in range(0, 168, 28) for x in range(0, 168, 28)}
    pale = {paler(tile).tobytes() for tile in result.thumbnails}
    white = np.full((28, 28, 3), 255, np.uint8).tobytes()
    assert cells == {*pale, *(tile.tobytes() for tile in placed.thumbnails), white}


@pytest.mark.parametrize("draw", ["dots", "pictures", "grid"])
def test_a_drawing_of_joined_points_is_not_that_of_one_set(result, draw):
    assert not np.array_equal(
        result.place(TinyModel(), NEW).picture(draw)[:300, :300], result.picture(draw)[:300, :300]
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"perplexity": 3.0}, "perplexity: of a new layout only; images join the old one as it is"),
        ({"layout": "tsne"}, "layout is 'tsne', and the old points' is 'pca': leave it out"),
        ({"dimensions": 3}, "dimensions is 3, and the old points' is 2"),
        ({"layer": "act2"}, "layer is 'act2', and the old points are of '<input>': leave it out"),
        ({"pooling": "max"}, "pooling is 'max', and the old points were made with 'flatten'"),
        (
            {"draw": "grid", "thumbnail": 20},
            "the old points have thumbnails of 28 pixels: set thumbnail=, or draw dots",
        ),
    ],
)
def test_what_does_not_go_with_the_old_points_is_refused(result, values, message):
    with pytest.raises(ParameterError, match=message):
        crosslens.method("embedding", onto=result, **values)(TinyModel(), NEW)


def test_a_sweep_draws_the_points_as_they_were_asked_for(tmp_path):
    method = crosslens.method("embedding", layer="<input>", layout="pca", draw="grid")
    crosslens.sweep(TinyModel(), IMAGES, [method], store=tmp_path / "survey")
    (drawn,) = (tmp_path / "survey").glob("embedding*/picture.png")
    np.testing.assert_array_equal(np.asarray(Image.open(drawn)), method(TinyModel(), IMAGES).picture("grid"))


def test_another_preprocessing_of_the_same_network_is_noted(result):
    assert not any("preprocessing" in note for note in result.place(TinyModel(), NEW).notes)
    other = replace(result, provenance={**result.provenance, "preprocess": {"scale": 2.0}})
    assert any("made with another preprocessing" in note for note in other.place(TinyModel(), NEW).notes)


def test_the_title_counts_the_points_that_are_drawn():
    images = IMAGES.copy()
    images[3] = np.nan
    made = crosslens.method("embedding", layer="<input>", layout="pca")(TinyModel(), images)
    assert "29 points by pca" in repr(made)


def test_another_network_is_noted_and_one_without_the_layer_or_of_another_width_is_refused(result):
    other = result.place(TinyModel(seed=1), NEW)
    assert any("the old points are of another network" in note for note in other.notes)
    deep = crosslens.method("embedding", layer="act2", layout="pca")(TinyModel(), IMAGES)
    with pytest.raises(ParameterError, match="'act1' gives rows of 4 numbers, and the old points were made of 6"):
        crosslens.method("embedding", onto=deep, layer="act1")(TinyModel(seed=1), NEW)
    lost = replace(deep, provenance={**deep.provenance, "layers": ["gone"]})
    with pytest.raises(LayerError, match="the old points are of a layer that this network does not have"):
        lost.place(TinyModel(), NEW)
    with pytest.raises(ParameterError, match="onto is a result of mean_activation; give an embedding"):
        crosslens.method("embedding", onto=crosslens.method("mean_activation")(TinyModel(), NEW))(TinyModel(), NEW)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layout": "pca", "perplexity": 3.0}, "perplexity is no setting of the layout pca: leave it out"),
        ({"layout": "pca", "metric": "cosine"}, "metric is no setting of the layout pca"),
        ({"neighbours": 3}, "neighbours is no setting of the layout tsne: it has perplexity and metric"),
        ({"layout": "umap", "perplexity": 3.0}, "perplexity is no setting of the layout umap|pip install umap-learn"),
        ({"draw": "grid", "dimensions": 3}, "draw is 'grid', which is done in a plane"),
        ({"draw": "pictures", "thumbnail": 0}, "draw is 'pictures', and thumbnail is 0"),
    ],
)
def test_settings_that_a_layout_does_not_have_are_refused_before_the_work(values, message):
    with pytest.raises(ParameterError, match=message):
        crosslens.method("embedding", **values).check_parameters()


def test_perplexity_and_metric_are_those_of_the_layout():
    made = crosslens.method("embedding", perplexity=4, metric="cosine")(TinyModel(), IMAGES)
    assert {name: made.layout.parameters[name] for name in ("perplexity", "metric")} == {
        "perplexity": 4.0,
        "metric": "cosine",
    }
    other = crosslens.method("embedding", perplexity=4)(TinyModel(), IMAGES)
    assert not np.array_equal(made.points, other.points)


def test_a_part_has_no_quality_of_the_whole(result):
    assert result.quality
    assert result[2:9].quality == {}
    assert result[2:9].picture("grid").ndim == 3


def test_without_thumbnails_pictures_are_refused_and_points_in_space_drawn():
    made = crosslens.method("embedding", layout="pca", dimensions=3, thumbnail=0)(TinyModel(), IMAGES)
    with pytest.raises(ImageError, match="no thumbnails of all points: draw dots, or embed with thumbnail=28"):
        made.picture("grid")
    assert (made.picture() < 255).any()
    assert list(made.columns)[-1] == "z"


def test_many_pictures_are_left_out_where_others_lie_over_them_and_the_grid_shows_all(result):
    from crosslens.embedding.drawing import Drawn

    points = np.random.default_rng(0).normal(size=(400, 2)) * 1e-3
    points[0] = 5
    tiles = np.random.default_rng(1).integers(0, 255, (400, 28, 28, 3), np.uint8)
    drawn = Drawn(points, [""] * 400, tiles, None, "title")
    shown = len({tuple(each) for each in drawn.picture("pictures").reshape(-1, 3)[::7].tolist()})
    assert shown < 28 * 28 * 20
    grid = drawn.picture("grid")
    below = grid[len(grid) - 20 * 28 :]
    cells = below.reshape(20, 28, 20, 28, 3).transpose(0, 2, 1, 3, 4).reshape(400, -1)
    np.testing.assert_array_equal(np.sort(cells.sum(axis=1)), np.sort(tiles.reshape(400, -1).sum(axis=1)))


def test_the_shell_puts_new_points_onto_an_old_file(tmp_path):
    np.savez(tmp_path / "old.npz", images=IMAGES, labels=LABELS)
    np.savez(tmp_path / "new.npz", images=NEW)
    run = ["run", "embedding", "crosslens.testing:TinyModel"]
    made = str(tmp_path / "made.npz")
    first = CliRunner().invoke(cli, [*run, str(tmp_path / "old.npz"), "--layout", "pca", "-o", made])
    assert first.exit_code == 0, first.output
    words = [str(tmp_path / "new.npz"), "--onto", made, "-o", str(tmp_path / "new.png")]
    done = CliRunner().invoke(cli, [*run, *words])
    assert done.exit_code == 0, done.output
    assert "5 new points in the layout of 30 old ones" in done.stderr
    missing = CliRunner().invoke(cli, [*run, *words[:1], "--onto", str(tmp_path / "no.npz")])
    assert "the file does not exist" in missing.output
