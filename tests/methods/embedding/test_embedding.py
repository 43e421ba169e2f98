"""The embedding of a data set: every image has a point, PCA is that of NumPy, and it is saved whole and drawn."""

import crosslens
import numpy as np
import pytest
from crosslens.data import ArraySource
from crosslens.testing import TinyModel

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
    last = result.thumbnails[29]
    windows = np.lib.stride_tricks.sliding_window_view(canvas, last.shape)[:, :, 0]
    first = (windows[:, :, 10, 10] == last[10, 10]).all(axis=-1)
    assert any((windows[y, x] == last).all() for y, x in np.argwhere(first))


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
