"""Steady layouts of checkpoints: what did not change stays, what changed moves; Procrustes; PCA of all together."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.layouts import aligned, pca, steady, trustworthiness, unchanged
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes

RNG = np.random.default_rng(0)
KINDS = np.arange(160) % 4
BEFORE = (RNG.normal(size=(4, 10))[KINDS] * 6 + RNG.normal(size=(160, 10))).astype(np.float32)
PLANTED = KINDS < 2
AFTER = np.where(PLANTED[:, None], BEFORE, BEFORE[RNG.permutation(160)] + 9 * RNG.normal(size=10)).astype(np.float32)


def extent(points):
    return np.ptp(points[np.isfinite(points).all(axis=1)], axis=0).max()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_planted_rows_that_did_not_change_move_less_than_5_percent_of_the_layout_and_others_more(dimensions):
    first, last = steady([BEFORE, AFTER], dimensions=dimensions, perplexity=10)
    moves = np.linalg.norm(last.points - first.points, axis=1) / extent(first.points)
    assert moves[PLANTED].max() < 0.05
    assert np.median(moves[~PLANTED]) > 0.1
    assert float(trustworthiness(AFTER, last.points)) > 0.9


def test_without_the_pull_they_move_further():
    first, last = steady([BEFORE, AFTER], perplexity=10, pull=0)
    assert (np.linalg.norm(last.points - first.points, axis=1) / extent(first.points))[PLANTED].max() > 0.05


def test_a_checkpoint_that_is_the_same_network_has_the_same_layout_whatever_the_basis_of_its_rows():
    turned = BEFORE @ np.linalg.qr(RNG.normal(size=(10, 10)))[0].astype(np.float32) * 3
    first, last = steady([BEFORE, turned], perplexity=10)
    assert np.linalg.norm(last.points - first.points, axis=1).max() < 0.05 * extent(first.points)


def test_equal_rows_lie_in_one_place_and_a_checkpoint_after_them_is_laid_out_as_the_first_is():
    alike = np.ones_like(BEFORE)
    first, second, third, last = steady([alike, alike, BEFORE, alike], perplexity=10)
    for layout in (first, second, last):
        assert (np.ptp(layout.points, axis=0) == 0).all()
        assert "all rows are the same: their points lie in one place" in layout.notes
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(third.points, steady([BEFORE, BEFORE], perplexity=10)[0].points)
    np.testing.assert_allclose(last.points[0], third.points.mean(axis=0), atol=1e-4)
    assert np.isfinite(second.place(alike[:2])).all()


def test_layers_of_another_width_and_new_points_are_taken():
    first, last = steady([BEFORE, np.concatenate([AFTER, AFTER], axis=1)], perplexity=10)
    assert first.place(BEFORE[:3]).shape == (3, 2)
    near = np.linalg.norm(last.points - last.place(np.concatenate([AFTER, AFTER], axis=1)[5:6]), axis=1)
    assert np.median(near) > near[5]


def test_a_row_that_is_nan_in_one_checkpoint_is_left_out_of_all():
    holed = AFTER.copy()
    holed[7] = np.nan
    for layout in (*steady([BEFORE, holed], perplexity=10), *steady([BEFORE, holed], "pca")):
        assert np.flatnonzero(np.isnan(layout.points).any(axis=1)).tolist() == [7]


def test_pca_projects_all_checkpoints_onto_the_components_of_all_rows_together():
    first, last = steady([BEFORE, AFTER], "pca")
    together = pca(np.concatenate([BEFORE, AFTER])).points
    np.testing.assert_allclose(np.concatenate([first.points, last.points]), together, atol=1e-4)
    np.testing.assert_array_equal(first.points[PLANTED], last.points[PLANTED])


def test_pca_of_rows_of_other_widths_is_turned_and_scaled_onto_the_one_before():
    first, last = steady([BEFORE, np.pad(BEFORE * 2, ((0, 0), (3, 0)))], "pca")
    np.testing.assert_allclose(last.points, first.points, atol=1e-3)


def test_rows_are_unchanged_by_their_neighbours_or_their_distance():
    """The neighbours that stayed, counted slowly; far moves of all rows together change none."""

    def nearest(rows, i):
        order = [j for j in np.argsort(np.linalg.norm(rows - rows[i], axis=1)) if j != i]
        return set(order[:5]), np.linalg.norm(rows - rows[i], axis=1)[order[4]]

    got = unchanged(BEFORE, AFTER, near=5)
    for i in (0, 1, 2, 3, 50):
        (old, radius), (new, _) = nearest(BEFORE, i), nearest(AFTER, i)
        share = np.exp(-((np.linalg.norm(AFTER[i] - BEFORE[i]) / radius) ** 2))
        assert got[i] == pytest.approx(max(len(old & new) / 5, share), abs=1e-5)
    np.testing.assert_array_equal(unchanged(BEFORE, BEFORE * 2 + 1), 1)


def test_alignment_is_procrustes():
    points, onto = RNG.normal(size=(30, 3)), RNG.normal(size=(30, 3))
    own, there = points - points.mean(axis=0), onto - onto.mean(axis=0)
    turn, values = orthogonal_procrustes(own, there)
    np.testing.assert_allclose(aligned(points, onto), own @ turn + onto.mean(axis=0))
    scaled = aligned(points, onto, scale=True)
    np.testing.assert_allclose(scaled, own @ turn * values / (own**2).sum() + onto.mean(axis=0))
    assert procrustes(onto, points)[2] == pytest.approx(((scaled - onto) ** 2).sum() / (there**2).sum())


def test_points_without_weight_do_not_pull_the_alignment():
    onto = RNG.normal(size=(30, 2))
    angle = 1.2
    points = onto @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) + 4
    points[20:] = RNG.normal(size=(10, 2)) * 50
    np.testing.assert_allclose(aligned(points, onto, np.arange(30) < 20)[:20], onto[:20], atol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: steady([BEFORE]), "rows of two checkpoints or more, as many in each; received 160"),
        (lambda: steady([BEFORE, AFTER[:3]]), "as many in each; received 160, 3"),
        (lambda: steady([BEFORE, AFTER], "umap"), "no steady layout 'umap'; there are tsne, pca"),
        (lambda: steady([BEFORE, AFTER], pull=-1), "pull is -1; give a number, at least 0"),
        (lambda: steady([BEFORE, AFTER], pull="1"), "pull is '1'; give a number, at least 0"),
        (lambda: steady([BEFORE, AFTER], pull=np.inf), "pull is inf; give a number, at least 0"),
        (lambda: steady([BEFORE, AFTER], seed=-1), "seed is -1; give a whole number, at least 0"),
        (lambda: steady([BEFORE[:3], AFTER[:3]]), "needs at least 5 rows; 3 can be laid out"),
    ],
)
def test_wrong_calls_say_what_would_be_right(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
