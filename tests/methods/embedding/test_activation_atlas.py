"""Activation atlases: cells that are known, whitening and attributions written slowly, other atlases of one sample."""

import re

import crosslens
import numpy as np
import pytest
from click.testing import CliRunner
from crosslens.cli import cli
from crosslens.data import ArraySource
from crosslens.data.sampling.sampled_positions import SampledPositions
from crosslens.errors import ParameterError
from crosslens.execution.workers import Workers
from crosslens.methods.embedding._whitening import whitened
from crosslens.objective import direction
from crosslens.testing import TinyModel

RED, BLUE = np.array([0.9, 0.1, 0.1]), np.array([0.1, 0.2, 0.9])
COUNTS = 14, 10


def planted():
    """Images of two colours, with a little noise: two kinds of activations, known."""
    rng = np.random.default_rng(0)
    colours = np.repeat([RED, BLUE], COUNTS, axis=0)[:, :, None, None]
    return np.asarray(colours + 0.02 * rng.standard_normal((sum(COUNTS), 3, 8, 8)), np.float32).clip(0, 1)


def atlas(model=None, source=None, **changes):
    given = {"layer": "act2", "layout": "pca", "cells": 2, "steps": 8, **changes}
    return crosslens.method("activation_atlas", **given)(model or TinyModel(), planted() if source is None else source)


@pytest.fixture(scope="module")
def two():
    return atlas(minimum=4)


def kinds(result):
    """Of each cell, which colours its positions are of."""
    image = result.sample["image"]
    return [set((image[result.cell_of == n] >= COUNTS[0]).tolist()) for n in range(len(result))]


def test_each_cell_holds_one_of_the_two_kinds_that_were_planted(two):
    assert all(len(each) == 1 for each in kinds(two))
    assert {True, False} == set().union(*kinds(two))
    columns = dict(zip(two["column"].tolist(), map(min, kinds(two)), strict=True))
    assert columns[0] != columns[1]  # the first component tells them apart


def test_a_cell_counts_and_averages_its_own_positions(two):
    for n in range(len(two)):
        own = two.sample["activation"][two.cell_of == n]
        assert two["count"][n] == len(own) >= 4
        np.testing.assert_allclose(two.means[n], own.mean(axis=0, dtype=np.float64), rtol=1e-6)


def test_attributions_are_gradient_times_activation_of_the_cells_positions_on_average(two):
    model, pictures = TinyModel(), planted()
    for n in range(len(two)):
        rows = []
        for place in np.flatnonzero(two.cell_of == n):
            image, position = two.sample["image"][place], two.sample["position"][place]
            x = pictures[image : image + 1]
            y, at = divmod(int(position), 8)
            activation = model.forward(x, ["act2"])["act2"][0, :, y, at]
            gradients = [
                model.vjp(x, {"<output>": np.eye(5, dtype=np.float32)[k : k + 1]}, wrt=["act2"]).gradients["act2"]
                for k in range(5)
            ]
            rows.append([float(each[0, :, y, at] @ activation) for each in gradients])
        expected = np.mean(rows, axis=0)
        np.testing.assert_allclose(two.attributions[n], expected, rtol=1e-4)
        order = sorted(range(5), key=lambda k: -expected[k])[:3]
        assert two["class"][n].tolist() == [f"class {k}" for k in order]
        np.testing.assert_allclose(two["attribution"][n], expected[order], rtol=1e-4)


def test_a_cells_picture_excites_its_own_direction_more_than_the_start_did(two):
    model = TinyModel()
    start = np.broadcast_to(planted().mean(axis=(0, 2, 3))[:, None, None], (1, 3, 8, 8)).astype(np.float32)
    for picture, vector in zip(two.pictures, two.directions, strict=True):
        aim = direction("act2", vector, 4.0, central=True)
        before, after = (float(aim.value(model.forward(x, ["act2"]))[0]) for x in (start, picture[None]))
        assert after > before


def slow_whitened(rows, means, ridge):
    """(C + ridge t I)^-1 m by NumPy's inverse, one number of C at a time."""
    units = rows.shape[1]
    second = np.array([[sum(r[i] * r[j] for r in rows) / len(rows) for j in range(units)] for i in range(units)])
    level = ridge * np.trace(second) / units
    vectors = [np.linalg.inv(second + level * np.eye(units)) @ m for m in means]
    return np.array([v / np.linalg.norm(v) for v in vectors])


ROWS = np.random.default_rng(3).random((40, 5)) * [1, 2, 3, 4, 5]


@pytest.mark.parametrize("ridge", [0.0, 0.1, 10.0])
def test_whitening_is_the_inverse_of_the_second_moment(ridge):
    np.testing.assert_allclose(whitened(ROWS, ROWS[:3], ridge), slow_whitened(ROWS, ROWS[:3], ridge), rtol=1e-5)


def test_without_a_ridge_whitened_rows_tell_apart_what_an_exact_inverse_does():
    """<C^-1 m, C^-1 m'> in the space whitened by C^1/2 is m^T C^-1 m': for a basis of rows, the identity."""
    basis = np.random.default_rng(4).random((5, 5))
    products = whitened(basis, basis, 0.0) @ basis.T
    np.testing.assert_allclose(products / products.diagonal()[:, None], np.eye(5), atol=1e-5)


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_a_dead_unit_changes_nothing_for_the_others_and_stays_out(ridge):
    dead = np.insert(ROWS, 2, 0.0, axis=1)
    found = whitened(dead, dead[:3], ridge)
    assert not found[:, 2].any()
    np.testing.assert_allclose(np.delete(found, 2, axis=1), whitened(ROWS, ROWS[:3], ridge), rtol=1e-4)


def test_fewer_positions_than_units_are_whitened_within_what_they_span():
    few = np.random.default_rng(5).random((3, 8))
    found = whitened(few, few, 0.0)
    outside = found - found @ np.linalg.pinv(few) @ few
    assert np.abs(outside).max() < 1e-5


def test_the_larger_the_ridge_the_nearer_a_direction_is_to_its_mean():
    mean = ROWS[:1] / np.linalg.norm(ROWS[:1])
    cosines = [float(np.sum(whitened(ROWS, mean, ridge) * mean)) for ridge in (0.0, 1.0, 100.0, np.inf)]
    assert cosines == sorted(cosines)
    assert cosines[-1] == pytest.approx(1)


@pytest.fixture
def no_sweep(monkeypatch):
    """Nothing is gathered."""
    monkeypatch.setattr(SampledPositions, "add", None)


def test_other_cells_come_from_the_same_sample_and_layout_without_a_sweep(two, tmp_path, no_sweep):
    two.save(tmp_path / "two.npz")
    again = atlas(minimum=2, cells=4, sample=str(tmp_path / "two.npz"))
    np.testing.assert_array_equal(again.layout.points, two.layout.points)
    np.testing.assert_array_equal(again.sample["activation"], two.sample["activation"])
    assert len(again) > len(two)
    assert again.provenance["source"] == two.provenance["source"]
    assert not any("another network" in note for note in again.notes)


def test_the_same_cells_of_a_sample_are_the_same_atlas(two, no_sweep):
    again = atlas(minimum=4, sample=two)
    for name in ("pictures", "means", "directions", "attributions", "cell_of"):
        np.testing.assert_array_equal(getattr(again, name), getattr(two, name))


def test_a_store_gives_other_cells_without_a_sweep_and_two_workers_the_same_bits(tmp_path, monkeypatch):
    source = ArraySource(planted())
    cut = crosslens.method("activation_atlas", layer="act2", layout="pca", cells=2, minimum=4, steps=2)
    one = crosslens.sweep(TinyModel(), source, cut, store=tmp_path / "store")["activation_atlas"]
    both = cut(TinyModel(), source, workers=Workers.of(2, 1, None))
    for name, values in one.sample.items():
        np.testing.assert_array_equal(values, both.sample[name])
    np.testing.assert_array_equal(one.pictures, both.pictures)
    monkeypatch.setattr(SampledPositions, "add", None)
    more = crosslens.method("activation_atlas", layer="act2", layout="pca", cells=4, minimum=2, steps=2)
    crosslens.sweep(TinyModel(), source, more, store=tmp_path / "store")
    again = atlas(source=source, cells=4, minimum=2, steps=2, sample=tmp_path / "store")
    assert again.cells == 4


def test_a_target_lays_out_only_the_positions_that_speak_for_it(two):
    best = int(two.attributions.argmax(axis=1)[0])
    chosen = atlas(minimum=1, classes=1, target=f"class {best}", sample=two)
    speaks = two.sample["effect"].argmax(axis=1) == best
    np.testing.assert_array_equal(np.isfinite(chosen.layout.points).all(axis=1), speaks)
    assert (chosen.cell_of[~speaks] == -1).all()
    assert chosen.target == f"class {best}"
    assert f"speaking for class {best}" not in repr(two)


def test_an_atlas_is_saved_whole_and_its_table_names_cells_and_classes(two, tmp_path):
    loaded = crosslens.load(two.save(tmp_path / "a.npz"))
    for name in ("pictures", "means", "directions", "attributions", "cell_of"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(two, name))
    np.testing.assert_array_equal(loaded.picture(), two.picture())
    header = two.save(tmp_path / "a.csv").read_text().splitlines()[0]
    assert header == "row,column,count,class_0,class_1,class_2,attribution_0,attribution_1,attribution_2"


def test_the_drawing_has_a_cell_at_its_place_and_leaves_empty_ones_blank():
    result = atlas(minimum=11)  # the larger kind alone, in one column
    assert len(set(result["column"].tolist())) == 1
    drawn = result.picture()
    halves = drawn[80:, :108], drawn[80:, 114:]
    used = [bool((half < 250).any()) for half in halves]
    assert used == [result["column"][0] == 0, result["column"][0] == 1]


def test_some_cells_of_an_atlas_keep_their_positions(two):
    last = two[-1:]
    assert len(last) == 1
    np.testing.assert_array_equal(last.cell_of == 0, two.cell_of == len(two) - 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"minimum": 20},
            r"none of the 2 x 2 cells holds 20 of the 24 positions, the fullest \d+: cells=1 or minimum=",
        ),
        ({"minimum": 30}, r"there are 24 positions at most, and a cell is shown if it holds 30: minimum=24 or less"),
        ({"layer": "<input>"}, "an atlas is of a layer of the network, not of <input>: embedding lays out images"),
        ({"classes": 0, "target": 1}, "classes is 0, and target chooses positions"),
        ({"target": "channel:act2:1"}, "target is 'channel:act2:1'; give one class"),
        ({"sample": 7}, "sample is 7; give an atlas"),
        ({"sample": "none.npz"}, "no atlas at 'none.npz', which does not exist; make one: crosslens run"),
        ({"cells": 0}, "cells"),
    ],
)
def test_what_makes_no_atlas_is_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        atlas(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": "act1"}, "sample holds positions of layer 'act2', not 'act1'"),
        ({"count": 5}, "count is 5, and sample brings positions"),
        ({"source": planted()[:20]}, "sample was taken of other data"),
    ],
)
def test_a_sample_of_something_else_is_refused(two, changes, message):
    with pytest.raises(ParameterError, match=message):
        atlas(sample=two, **changes)


def test_a_sample_of_another_network_is_told(two):
    assert any("another network" in note for note in atlas(TinyModel(seed=1), minimum=4, sample=two).notes)


def test_a_layer_with_one_position_an_image_has_an_atlas():
    result = atlas(layer="pool", minimum=4)
    assert set(result.sample["position"].tolist()) == {0}


def test_images_that_a_sample_leaves_out_are_told():
    assert any("12 positions, of 12 of 24 images" in note for note in atlas(count=12, minimum=2).notes)


def test_without_classes_no_class_is_named():
    result = atlas(minimum=4, classes=0)
    assert list(result.columns) == ["row", "column", "count"]
    assert result.picture().ndim == 3


def test_the_shell_makes_an_atlas_and_others_of_its_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("images.npz", images=planted())
    line = ["run", "activation_atlas", "crosslens.testing:TinyModel", "images.npz", "--layout", "pca", "--steps", "2"]
    for more, out in ((["--minimum", "4", "--cells", "2"], "a.npz"), (["--sample", "a.npz", "--cells", "1"], "b.png")):
        done = CliRunner().invoke(cli, [*line, *more, "-o", out])
        assert done.exit_code == 0, done.output
    assert crosslens.load("a.npz").cells == 2
    few = CliRunner().invoke(cli, [*line, "--minimum", "20", "--cells", "2"])
    assert few.exit_code == 1
    assert re.search(r"the fullest \d+: --cells 1 or --minimum \d+ would do", few.stderr)


def test_more_classes_than_there_are_is_a_note():
    result = atlas(minimum=4, classes=50, steps=1)
    classes = result.attributions.shape[1]
    assert any(f"all {classes} classes are named: there are no 50" in note for note in result.notes)
    assert not any("are named" in note for note in atlas(minimum=4, classes=classes, steps=1).notes)
