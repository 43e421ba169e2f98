"""Layouts: PCA and t-SNE against scikit-learn's own calls, new points, rows that make trouble, saving."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.layouts import Layout, lay_out, layout_from_saved, pca, steady, tsne, umap

RNG = np.random.default_rng(0)
MODULE = sys.modules["crosslens.layouts.tsne"]
CENTRES = RNG.normal(size=(4, 12)) * 8


def clusters(count, seed=1):
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % len(CENTRES)
    return (CENTRES[kinds] + rng.normal(size=(count, 12))).astype(np.float32), kinds


def test_pca_is_scikit_learns_up_to_the_sign_of_a_component():
    from sklearn.decomposition import PCA

    rows, _ = clusters(60)
    expected = PCA(3, svd_solver="full").fit_transform(rows.astype(np.float64))
    got = pca(rows, 3).points
    np.testing.assert_allclose(got * np.sign((got * expected).sum(axis=0)), expected, atol=1e-4)


def test_pca_is_the_projection_onto_the_eigenvectors_of_the_covariance():
    rows = clusters(50)[0].astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(rows.T, bias=True))
    layout = pca(rows, 2)
    np.testing.assert_allclose(layout.parameters["variance"], values[::-1][:2] / values.sum(), rtol=1e-6)
    np.testing.assert_allclose(
        np.abs(layout.points), np.abs((rows - rows.mean(0)) @ vectors[:, ::-1][:, :2]), atol=1e-4
    )


def test_the_largest_weight_of_each_component_is_positive_whatever_the_order_of_the_rows():
    rows, _ = clusters(40)
    order = np.random.default_rng(3).permutation(40)
    first, second = pca(rows, 2), pca(rows[order], 2)
    weights = first.state["components"]
    assert (weights[np.arange(2), np.abs(weights).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(second.points, first.points[order], atol=1e-4)


def test_units_that_are_always_zero_change_no_point_of_pca():
    rows, _ = clusters(30)
    np.testing.assert_allclose(pca(np.pad(rows, ((0, 0), (0, 5)))).points, pca(rows).points, atol=1e-4)


def test_tsne_is_scikit_learns_call_with_the_same_arguments():
    from sklearn.manifold import TSNE

    rows, _ = clusters(60)
    expected = TSNE(2, perplexity=10, init="pca", random_state=5).fit_transform(rows)
    np.testing.assert_array_equal(tsne(rows, 2, perplexity=10, seed=5).points, expected)


@pytest.fixture
def few(monkeypatch):
    """openTSNE from 100 rows on."""
    monkeypatch.setattr(MODULE, "MANY", 99)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_open_tsne_gives_the_same_bits_with_one_thread_and_with_all(few, monkeypatch, dimensions):
    rows, _ = clusters(120)
    layouts = []
    for threaded in (1000, 10):
        monkeypatch.setattr(MODULE, "THREADED", threaded)
        layouts.append(tsne(rows, dimensions, perplexity=10))
    assert layouts[0].parameters["library"] == "openTSNE"
    assert layouts[0].repeatable
    np.testing.assert_array_equal(layouts[0].points, layouts[1].points)


def test_open_tsne_is_its_own_call_with_exact_neighbours_from_the_same_start(few, monkeypatch):
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN

    rows, _ = clusters(120)
    begin = 1e-4 * np.random.default_rng(2).normal(size=(120, 2))
    monkeypatch.setattr(MODULE, "starting_points", lambda *given: begin)
    affinities = PerplexityBasedNN(rows, 10, method="exact")
    expected = TSNE(2, random_state=0).fit(affinities=affinities, initialization=begin)
    np.testing.assert_allclose(tsne(rows, 2, perplexity=10).points, np.asarray(expected), atol=1e-3)


def test_points_start_at_the_principal_components_or_at_those_given_whatever_their_scale():
    rows, _ = clusters(120)
    begin = MODULE.starting_points(rows.astype(np.float64), 2, 0, None)
    assert begin[:, 0].std() == pytest.approx(1e-4, rel=0.01)
    assert np.corrcoef(begin[:, 0], pca(rows).points[:, 0])[0, 1] > 0.999
    given = MODULE.starting_points(rows, 2, 0, pca(rows).points * 1e3 + 5)
    np.testing.assert_allclose(given, begin, atol=1e-8)


@pytest.mark.parametrize("name", ["pca", "tsne"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_new_points_lie_with_those_of_their_kind_and_move_no_old_ones(name, dimensions):
    rows, kinds = clusters(80)
    new, theirs = clusters(20, seed=9)
    options = {"perplexity": 8} if name == "tsne" else {}
    layout = lay_out(rows, name, dimensions, **options)
    before = layout.points.copy()
    placed = layout.place(new)
    nearest = np.linalg.norm(placed[:, None] - before[None], axis=2).argmin(axis=1)
    assert (kinds[nearest] == theirs).mean() >= 0.8  # t-SNE's descent ends elsewhere on another processor
    np.testing.assert_array_equal(layout.points, before)


@pytest.mark.parametrize("name", ["pca", "tsne"])
def test_a_new_point_does_not_depend_on_those_beside_it_and_a_saved_layout_places_it_alike(name):
    rows, _ = clusters(80)
    new, _ = clusters(6, seed=9)
    layout = lay_out(rows, name, seed=0)
    together = layout.place(np.concatenate([new, np.full((1, 12), np.nan, np.float32)]))
    assert np.isnan(together[-1]).all()
    np.testing.assert_allclose(layout.place(new[2:3])[0], together[2], atol=1e-3)
    again = layout_from_saved(layout.saved())
    assert isinstance(again, Layout)
    np.testing.assert_array_equal(again.place(new), together[:-1])


def test_new_points_of_tsne_are_where_open_tsnes_transform_puts_them():
    from openTSNE import TSNE

    rows, _ = clusters(120)
    new, _ = clusters(10, seed=9)
    fitted = TSNE(2, perplexity=10, neighbors="exact", random_state=0).fit(rows)
    ours = tsne(rows, 2, perplexity=10)
    known = {"rows": rows, "known": np.array(fitted)}
    moved = Layout("tsne", np.array(fitted), ours.parameters, True, (), known, ours.placing)
    got, middle = moved.place(new), (fitted.max(axis=0) + fitted.min(axis=0)) / 2
    np.testing.assert_allclose(got, np.asarray(fitted.transform(new)) + np.asarray(middle), atol=1e-2)


@pytest.mark.parametrize("name", ["pca", "tsne"])
@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((7, 5)),
        np.zeros((1, 5)),
        RNG.normal(size=(2, 5)),
        RNG.normal(size=(4, 5)),
        RNG.normal(size=(9, 1)),
        np.repeat(RNG.normal(size=(5, 4)), 10, axis=0),
    ],
    ids=["identical", "one", "two", "four", "one column", "duplicates"],
)
def test_few_or_equal_rows_have_finite_points(name, rows):
    for dimensions in (2, 3):
        layout = lay_out(rows.astype(np.float32), name, dimensions)
        assert layout.points.shape == (len(rows), dimensions)
        assert np.isfinite(layout.points).all()
        assert np.isfinite(layout.place(rows)).all()


@pytest.mark.parametrize("name", ["pca", "tsne"])
def test_rows_with_nan_have_points_of_nan_and_change_no_other(name):
    rows, _ = clusters(40)
    holed = np.insert(rows, [3, 20], np.nan, axis=0)
    got, known = lay_out(holed, name).points, np.isfinite(holed).all(axis=1)
    assert known.sum() == 40
    assert np.isnan(got[~known]).all()
    np.testing.assert_array_equal(got[known], lay_out(rows, name).points)


def test_a_perplexity_beyond_the_rows_is_lowered_and_a_note_says_so():
    layout = tsne(clusters(10)[0])
    assert layout.parameters["perplexity"] == 3
    assert layout.notes == (
        "perplexity is 3, a third of the neighbours, and not 30: it must be less than the 10 rows there are",
    )


def test_many_columns_are_reduced_to_fifty_components_above_the_limit_and_a_note_says_so(few):
    rows = np.random.default_rng(0).normal(size=(130, 60)).astype(np.float32)
    layout = tsne(rows, perplexity=5)
    assert layout.notes[0].startswith("distances are those on the first 50 principal components of 60 columns, which")
    assert layout.place(rows[:3]).shape == (3, 2)


def test_the_cosine_metric_does_not_see_the_length_of_rows():
    rows, _ = clusters(40)
    longer = rows * np.float32(2) ** np.random.default_rng(2).integers(-3, 3, (40, 1)).astype(np.float32)
    np.testing.assert_allclose(tsne(rows, metric="cosine").points, tsne(longer, metric="cosine").points, atol=1e-2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [-100, 100])
def test_rows_whose_squares_float32_cannot_hold_are_laid_out_as_others_are(power, dtype):
    rows, kinds = clusters(60)
    extreme, new = np.ldexp(rows.astype(dtype), power), np.ldexp(clusters(4, seed=9)[0].astype(dtype), power)
    steadily, _ = steady([extreme, extreme], perplexity=8)
    for layout in (tsne(extreme, perplexity=8), tsne(extreme, perplexity=8, metric="cosine"), steadily):
        placed = np.concatenate([layout.points, layout_from_saved(layout.saved()).place(new)])
        apart = np.linalg.norm(placed[:, None] - layout.points, axis=2) + np.where(np.eye(64, 60), np.inf, 0)
        np.testing.assert_array_equal(kinds[apart.argmin(axis=1)], [*kinds, 0, 1, 2, 3])
    np.testing.assert_allclose(np.ldexp(pca(extreme).points, -power), pca(rows).points, atol=1e-3)


def test_umap_that_is_not_installed_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ParameterError, match="pip install umap-learn, or take tsne or pca"):
        umap(clusters(20)[0])


class UMAP:
    """Rows as points, each moved by the seed at every step: what umap-learn is called with."""

    def __init__(self, init="spectral", n_epochs=1, **parameters):
        self.init, self.n_epochs, self.parameters = init, n_epochs, parameters

    def fit(self, rows):
        self.embedding_ = rows[:, : self.parameters["n_components"]] + self.n_epochs
        return self

    def transform(self, rows):
        assert self.n_epochs != 0
        return self.embedding_[:1] + rows[:, :2]


def test_umap_is_called_with_the_parameters_says_that_it_does_not_repeat_and_takes_new_points_from_a_file(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    rows, _ = clusters(10)
    layout = umap(rows)
    assert not layout.repeatable
    assert layout.notes[1] == "neighbours is 9 and not 15: there are 10 rows"
    np.testing.assert_array_equal(layout.points, rows[:, :2] + 1)
    np.testing.assert_array_equal(layout.place(rows), layout.points[:1] + rows[:, :2])
    np.testing.assert_array_equal(layout_from_saved(layout.saved()).place(rows), layout.place(rows))
    with pytest.raises(ParameterError, match="neighbours is 1; UMAP needs at least 2"):
        umap(rows, neighbours=1)


def test_umap_is_given_rows_that_float32_can_square_and_a_note_where_all_are_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    tiny = np.ldexp(clusters(10)[0].astype(np.float64), -200)
    layout = umap(tiny)
    given = layout.points - 1
    np.testing.assert_allclose(
        given,
        np.ldexp(tiny - tiny.mean(0), 200)[:, :2] * given[0, 0] / np.ldexp(tiny - tiny.mean(0), 200)[0, 0],
        atol=1e-4,
    )
    assert 0.1 < np.abs(layout.state["rows"]).max() <= 1
    np.testing.assert_allclose(layout.place(tiny), layout.points[:1] + given, atol=1e-5)
    assert not any("all rows are the same" in note for note in layout.notes)
    assert "all rows are the same: where their points lie means nothing" in umap(np.ones((10, 4))).notes


def test_umap_itself_places_new_points_alike_before_and_after_it_was_saved():
    pytest.importorskip("umap", reason="umap-learn is not installed")
    rows, kinds = clusters(60)
    new, theirs = clusters(8, seed=9)
    layout = lay_out(rows, "umap", metric="cosine")
    placed = layout.place(new)
    nearest = np.linalg.norm(placed[:, None] - layout.points[None], axis=2).argmin(axis=1)
    np.testing.assert_array_equal(kinds[nearest], theirs)
    np.testing.assert_array_equal(layout_from_saved(layout.saved()).place(new), placed)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rows: lay_out(rows, "tnse"), "no layout 'tnse'; there are pca, tsne, umap. Did you mean 'tsne'?"),
        (lambda rows: lay_out(rows, "pca", perplexity=3), "the layout pca has no option 'perplexity'; it has seed"),
        (lambda rows: lay_out(rows.reshape(10, 3, 4)), "takes rows of numbers, .* received float32 .10, 3, 4."),
        (lambda rows: lay_out(rows, "tsne", 4), "dimensions is 4; give a whole number from 1 to 3"),
        (lambda rows: tsne(rows, perplexity=0), "perplexity is 0; give a number of neighbours, at least 1"),
        (lambda rows: tsne(rows, perplexity="5"), "perplexity is '5'; give a number of neighbours, at least 1"),
        (lambda rows: lay_out(rows, seed=-1), "seed is -1; give a whole number, at least 0 and below 2..32"),
        (lambda rows: lay_out(rows, "pca", seed=None), "seed is None; give a whole number"),
        (lambda rows: tsne(rows, metric="hamming"), "metric is 'hamming'; t-SNE takes euclidean or cosine"),
        (lambda rows: tsne(rows, start=rows), "start has shape .10, 12.; give a point for each row, .10, 2."),
        (lambda rows: pca(rows).place(rows[:, :3]), "made of rows of 12 numbers; received rows of 3"),
    ],
)
def test_wrong_calls_say_what_would_be_right(call, message):
    with pytest.raises(ParameterError, match=message):
        call(clusters(10)[0])
