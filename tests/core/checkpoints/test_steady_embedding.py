"""`crosslens.steady_embedding` and `crosslens checkpoints`: from networks and data to points, pictures and files."""

import json
import subprocess
import sys

import crosslens
import numpy as np
import pytest
from click.testing import CliRunner
from crosslens.checkpoints.steady_embedding import steady_embedding
from crosslens.cli import cli
from crosslens.errors import ComparisonError, ModelError, ParameterError
from crosslens.layouts import neighbourhood_hit, steady, trustworthiness
from crosslens.testing import TinyModel
from PIL import Image

RNG = np.random.default_rng(0)
KINDS = np.arange(40) % 4
IMAGES = (RNG.random((4, 3, 8, 8))[KINDS] * 0.8 + 0.2 * RNG.random((40, 3, 8, 8))).astype(np.float32)
LABELS = [f"kind {kind}" for kind in KINDS]
BEFORE, AFTER = TinyModel(), TinyModel(seed=1)


@pytest.fixture(scope="module")
def followed():
    return steady_embedding({"before": BEFORE, "after": AFTER}, (IMAGES, LABELS), perplexity=5)


def rows(model, layer):
    """Activations of maps, averaged over their positions."""
    return np.asarray(model.forward(IMAGES, [layer])[layer]).mean(axis=(2, 3))


def test_the_points_are_steady_layouts_of_the_rows_of_each_checkpoint(followed):
    given = [rows(model, "act2") for model in (BEFORE, AFTER)]
    expected = steady(given, perplexity=5)
    assert followed.provenance["layers"] == ["act2", "act2"]
    for n, name in enumerate(("before", "after")):
        near = np.linalg.norm(followed.points[n] - expected[n].points, axis=1)
        assert np.median(near) < 0.2 * np.ptp(expected[n].points)
        known = followed.quality[name]
        assert known["trustworthiness"] == pytest.approx(float(trustworthiness(given[n], followed.points[n])), abs=1e-3)
        assert known["neighbourhood_hit"] == pytest.approx(neighbourhood_hit(followed.points[n], KINDS))
    assert followed.labels == tuple(LABELS)


def test_the_same_checkpoint_twice_moves_no_point_by_5_percent_and_says_that_all_rows_are_unchanged():
    result = steady_embedding([BEFORE, BEFORE], (IMAGES, LABELS), perplexity=5)
    step = result.figures()["tiny -> tiny 2"]
    assert step["unchanged"] == 40
    assert step["unchanged_move_largest"] < 0.05
    np.testing.assert_allclose(result.kept, 1)


def test_moves_are_shares_of_the_extent_of_the_layout_before(followed):
    first, last = followed.points
    extent = max(np.ptp(first[:, 0]), np.ptp(first[:, 1]))
    np.testing.assert_allclose(followed.moves[0], np.linalg.norm(last - first, axis=1) / extent, rtol=1e-5)


def test_a_saved_result_comes_back_whole_and_its_layouts_take_new_points(followed, tmp_path):
    again = crosslens.load(followed.save(tmp_path / "x.npz"))
    np.testing.assert_array_equal(again.points, followed.points)
    assert again.figures() == followed.figures()
    new = rows(BEFORE, "act2")[:3]
    np.testing.assert_array_equal(again.layouts[0].place(new), followed.layouts[0].place(new))


def test_a_saved_result_is_loaded_in_a_new_process_that_imported_nothing_else(followed, tmp_path):
    path = followed.save(tmp_path / "x.npz")
    code = f"import crosslens; print(type(crosslens.load({str(path)!r})).__name__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["SteadyPoints"]


def test_pictures_animations_and_tables_are_written(followed, tmp_path):
    files = followed.save_into(tmp_path)
    assert [path.name for path in files] == ["checkpoints.png", "checkpoints.gif", "points.parquet"]
    frames = followed.frames()
    assert len({frame.shape for frame in frames}) == 1
    assert not np.array_equal(frames[0], frames[-1])
    with Image.open(files[1]) as animation:
        assert animation.n_frames > 10
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(files[2])
    np.testing.assert_array_equal(table[["x", "y"]].to_numpy().reshape(2, 40, 2), followed.points)
    assert list(table["checkpoint"].unique()) == ["before", "after"]


def test_an_image_that_cannot_be_read_is_left_out_and_three_dimensions_are_drawn(tmp_path):
    for n, image in enumerate(IMAGES[:12]):
        Image.fromarray((image.transpose(1, 2, 0) * 255).astype(np.uint8)).save(tmp_path / f"{n:02}.png")
    (tmp_path / "05.png").write_bytes(b"no picture")
    result = steady_embedding([BEFORE, AFTER], tmp_path, dimensions=3)
    assert np.isnan(result.points[:, 5]).all()
    assert np.isfinite(np.delete(result.points, 5, axis=1)).all()
    assert any("1 of 12 images could not be read" in note for note in result.notes)
    assert "the data have no classes: colours are those that tiny 2 predicts" in result.notes
    assert (result.picture() < 255).any()


def test_steady_pca_needs_few_images():
    result = steady_embedding([BEFORE, AFTER], IMAGES[:3], layout="pca")
    assert result.points.shape == (2, 3, 2)
    assert result.figures()["tiny -> tiny 2"]["unchanged"] >= 0


def test_a_network_with_nan_among_its_weights_is_refused_by_name():
    broken = TinyModel(seed=2)
    broken.weights("conv2")["bias"][0] = np.nan
    with pytest.raises(ModelError, match="after: the features of layer 'act2' are NaN or infinite for some"):
        steady_embedding({"before": BEFORE, "after": broken}, IMAGES, layout="pca")


def test_a_layout_much_wider_than_another_which_is_drawn_as_a_dot_is_noted(monkeypatch):
    few = steady_embedding([BEFORE, AFTER], IMAGES, layout="pca")
    assert not any("times as wide" in note for note in few.notes)
    monkeypatch.setattr(sys.modules["crosslens.checkpoints.steady_embedding"], "WIDER", 1e-9)
    wide = np.ptp(few.points, axis=1).max(axis=1)
    far, near = np.array(few.names)[[wide.argmax(), wide.argmin()]]
    notes = steady_embedding([BEFORE, AFTER], IMAGES, layout="pca").notes
    assert any(f"the points of {far} lie" in note and f"as wide as those of {near}" in note for note in notes)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: steady_embedding([BEFORE], IMAGES), ComparisonError, "two checkpoints or more; there is 1"),
        (lambda: steady_embedding([BEFORE, AFTER], IMAGES, layout="umap"), ParameterError, "no steady layout 'umap'"),
        (lambda: steady_embedding([BEFORE, AFTER], IMAGES, layout="pca", dimensions=5), ParameterError, "give 2 or 3"),
        (lambda: steady_embedding([BEFORE, AFTER], IMAGES, dimensions=1), ParameterError, "is 1; give 2 or 3"),
        (lambda: steady_embedding([BEFORE, AFTER], IMAGES, pul=1), ParameterError, "Did you mean 'pull'"),
        (lambda: steady_embedding([BEFORE, AFTER], IMAGES, layout="pca", pull=1), ParameterError, "pca has no option"),
    ],
)
def test_wrong_calls_say_what_would_be_right(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.fixture
def typed(tmp_path):
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=KINDS)

    def run(*words):
        model = "crosslens.testing:TinyModel"
        return CliRunner().invoke(cli, ["checkpoints", model, model, "--data", str(tmp_path / "x.npz"), *words])

    return run


def test_the_shell_writes_a_folder_and_says_what_layouts_are_worth(typed, tmp_path):
    done = typed("--perplexity", "5", "-o", f"{tmp_path}/out/")
    assert done.exit_code == 0, done.output
    assert "trustworthiness" in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "checkpoints.png", "checkpoints.gif", "points.parquet", "result.npz",
    }  # fmt: skip


def test_two_workers_give_the_points_of_one(typed, tmp_path):
    points = []
    for count in ("1", "2"):
        done = typed("--layout", "pca", "--workers", count, "-o", f"{tmp_path}/{count}.npz")
        assert done.exit_code == 0, done.output
        points.append(crosslens.load(tmp_path / f"{count}.npz").points)
    np.testing.assert_array_equal(*points)


def test_the_shell_refuses_what_pca_has_not_and_gives_json(typed):
    assert "--pull: for --layout tsne only" in typed("--layout", "pca", "--pull", "2").output
    record = json.loads(typed("--layout", "pca", "--json").stdout)
    assert record["parameters"]["layout"] == "pca"
    alone = CliRunner().invoke(cli, ["checkpoints", "crosslens.testing:TinyModel", "--data", "x"])
    assert "takes two checkpoints or more; there is 1" in alone.output
