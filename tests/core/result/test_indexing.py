"""Results by image: what `result[0]` holds, and what a list could do; arrays and data frames of them."""

from dataclasses import dataclass, field, replace

import crosslens
import numpy as np
import pytest
from crosslens import Attribution, Scores, Search, Synthesis, Table, Trial
from crosslens.errors import CrosslensError, ImageError, ParameterError
from crosslens.result import Result
from crosslens.testing import TinyModel

RNG = np.random.default_rng(0)
IMAGES = RNG.random((4, 3, 8, 8), np.float32)
TARGETS = [4, 0, 2, 0]
MODEL = TinyModel()


@pytest.fixture(scope="module")
def batch():
    return crosslens.method("grad_cam", layer="act1")(MODEL, IMAGES, TARGETS)


@pytest.mark.parametrize("n", [0, 2, -1])
def test_one_of_a_batch_is_what_the_method_gives_for_it_alone(batch, n):
    one, alone = batch[n], crosslens.method("grad_cam", layer="act1")(MODEL, IMAGES[[n]], TARGETS[n])
    assert type(one) is Attribution
    np.testing.assert_allclose(one.values, alone.values, rtol=1e-5)
    np.testing.assert_allclose(one.scores, alone.scores, rtol=1e-5)
    np.testing.assert_array_equal(one.images, alone.images)
    assert one.provenance["objective"] == alone.provenance["objective"] == f"logit({TARGETS[n]})"
    assert one.provenance["selection"] == {"images": [n % 4], "of": 4}
    assert (one.method, one.parameters, one.notes) == (batch.method, batch.parameters, batch.notes)
    np.testing.assert_array_equal(one.picture(), alone.picture())


def test_a_batch_has_a_length_and_is_iterated_over_image_by_image(batch):
    assert len(batch) == 4
    assert batch
    np.testing.assert_array_equal(np.concatenate([one.values for one in batch]), batch.values)
    assert [one.provenance["objective"] for one in batch] == ["logit(4)", "logit(0)", "logit(2)", "logit(0)"]
    assert [len(one) for one in batch] == [1] * 4


@pytest.mark.parametrize(
    "index", [slice(1, 3), slice(None, None, -1), [3, 0], np.array([1, 1]), [True, False, False, True], [], slice(9, 9)]
)
def test_indices_mean_what_they_mean_to_an_array(batch, index):
    some = batch[index]
    np.testing.assert_array_equal(some.values, batch.values[index] if len(some) else batch.values[:0])
    np.testing.assert_array_equal(some.scores, batch.scores[index] if len(some) else batch.scores[:0])
    assert some.provenance["selection"]["images"] == list(np.arange(4)[index if len(some) else slice(0)])


def test_all_of_a_batch_is_the_batch_itself_and_a_part_of_a_part_names_the_places_in_the_batch(batch):
    assert batch[:] is batch
    assert batch[:1][0].provenance["selection"] == {"images": [0], "of": 4}
    assert batch[1:][1:].provenance["selection"] == {"images": [2, 3], "of": 4}
    assert batch[1:3].provenance["objective"] == "logit(0) | logit(2)"
    assert batch[[1, 3]].provenance["objective"] == "logit(0)"


def test_parts_joined_again_are_the_batch(batch):
    again = batch[0].joined([batch[1:3], batch[3]])
    np.testing.assert_array_equal(again.values, batch.values)
    assert again.provenance["objectives"] == batch.provenance["objectives"]
    assert again.provenance["objective"] == "logit(4) | logit(0) | logit(2) | logit(0)"
    assert again.provenance["selection"] == {"images": [0, 1, 2, 3], "of": 4}
    same = batch[1].joined([batch[3]])
    assert same.provenance["objective"] == "logit(0)"
    plain = Attribution(np.zeros((1, 2, 2)))
    assert plain.joined([plain]).provenance == {}


def test_an_image_that_is_not_there_is_refused_and_ends_a_loop_as_a_list_does(batch):
    with pytest.raises(ImageError, match="no image 4: this result has 4 images, counted from 0"):
        batch[4]
    with pytest.raises(IndexError):
        batch[0][-2]
    for wrong in ("cat", 1.5, (0, 1), [[0]], [True], None, {}):
        with pytest.raises(CrosslensError, match=r"cannot choose images by .*: give a number, a slice, or a list of"):
            batch[wrong]


def test_what_a_method_has_for_each_image_is_chosen_with_it():
    path = crosslens.method("integrated_gradients", steps=4)(MODEL, IMAGES, TARGETS)
    np.testing.assert_array_equal(path[1:3].gap, path.gap[1:3])
    boxes = crosslens.method("localise")(MODEL, IMAGES, TARGETS)
    assert boxes[[2, 0]].boxes == (boxes.boxes[2], boxes.boxes[0])
    curves = crosslens.method("deletion", steps=3)(MODEL, IMAGES, TARGETS)
    assert curves[3].figures() == {"area under probability": pytest.approx(float(curves.areas[3, 0]))}
    assert curves[3].positions == curves.positions


def test_one_picture_of_a_synthesis_has_its_own_history_snapshots_and_start():
    made = crosslens.method("accentuation", steps=4, every=2)(MODEL, IMAGES, TARGETS)
    one = made[2]
    assert type(one) is Synthesis
    np.testing.assert_array_equal(one.images, made.images[2:3])
    np.testing.assert_array_equal(one.history, made.history[:, 2:3])
    np.testing.assert_array_equal(one.change(), made.change()[2:3])
    assert [(step, images.shape[0]) for step, images in one.snapshots.items()] == [(2, 1), (4, 1)]
    assert made.state
    assert not one.state
    assert made[:].state is made.state


def test_what_all_pictures_share_stays_whole():
    made = Synthesis(images=IMAGES, history=np.arange(5.0), mask=np.ones((4, 8, 8)), snapshots={1: IMAGES[:1]})
    assert made[1].history.shape == (5,)
    assert made[1].mask.shape == (1, 8, 8)
    assert made[1].snapshots[1].shape[0] == 1
    assert replace(made, history=np.ones((5, 2)))[3].history.shape == (5, 2)


def test_rows_of_a_table_and_its_columns():
    table = Table({"unit": np.arange(3), "name": np.array(["a", "b", "c"])}, method="peak")
    assert len(table) == 3
    assert [row["name"].tolist() for row in table] == [["a"], ["b"], ["c"]]
    assert table[[2, 0]]["unit"].tolist() == [2, 0]
    assert table[1:].text().splitlines() == ["unit  name", "1     b", "2     c"]
    with pytest.raises(
        ParameterError, match=r"this table has no column 'nme'; it has unit, name\. Did you mean 'name'"
    ):
        table["nme"]
    with pytest.raises(IndexError, match="no row 3: this result has 3 rows"):
        table[3]
    empty = table[:0]
    assert len(empty) == 0
    assert empty


def test_trials_of_a_search():
    trials = tuple(Trial({"zoom": n / 10}, {"last": 1.0}, IMAGES[n : n + 1], n + 1) for n in range(3))
    found = Search(trials=trials, method="maco")
    assert [each.trials for each in found] == [(trial,) for trial in trials]
    assert isinstance(found[1:], Search)
    assert np.asarray(found).shape == (3, 3, 8, 8)
    frame = found.to_dataframe()
    assert frame.columns.tolist() == ["trial", "zoom", "last", "whole"]
    assert frame.zoom.tolist() == [0.0, 0.1, 0.2]
    assert repr(trials[0]) == "<Trial 1: images (1, 3, 8, 8), zoom 0; last 1>"
    assert repr(found) == "<Search of maco: 3 trials>"


def test_a_plugin_s_own_field_is_chosen_where_it_says_that_it_has_one_for_each_image():
    @dataclass(frozen=True)
    class Own(Attribution):
        names: tuple[str, ...] = field(default=(), kw_only=True)
        palette: object = field(default=None, kw_only=True)

        def _per_image(self):
            return (*super()._per_image(), "names")

    own = Own(np.zeros((3, 2, 2)), names=("a", "b", "c"), palette=np.arange(3))
    assert own[1:].names == ("b", "c")
    assert own[1:].palette is own.palette
    assert own.joined([own]).names == ("a", "b", "c") * 2


def test_a_result_is_an_array_of_its_values_or_of_its_images(batch):
    np.testing.assert_array_equal(np.asarray(batch), batch.values)
    assert np.asarray(batch) is batch.values
    assert np.array(batch) is not batch.values
    assert np.asarray(batch, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match=r"the values are float32: as .* they must be copied"):
        np.asarray(batch, np.float64, copy=False)
    np.testing.assert_array_equal(np.asarray(Synthesis(images=IMAGES)), IMAGES)
    curves = np.ones((2, 1, 5))
    np.testing.assert_array_equal(np.asarray(Scores(curves, series=("p",))), curves)
    with pytest.raises(ParameterError, match="<Result of no method> holds no array"):
        np.asarray(Result())


def test_a_table_of_numbers_is_an_array_and_one_of_words_says_what_to_take():
    table = Table({"unit": np.arange(2), "mean": np.array([0.5, 1.5])})
    np.testing.assert_array_equal(np.asarray(table), [[0, 0.5], [1, 1.5]])
    words = replace(table, columns={**table.columns, "name": np.array(["a", "b"])})
    with pytest.raises(ParameterError, match=r"the column 'name' does not hold a number in each row, .*: take one"):
        np.asarray(words)
    assert words.to_dataframe().name.tolist() == ["a", "b"]


def test_values_are_a_data_frame_of_one_row_for_each(batch):
    frame = batch.to_dataframe()
    assert frame.columns.tolist() == ["image", "row", "column", "value"]
    assert len(frame) == batch.values.size
    for n in (0, 77, 255):
        image, row, column, value = frame.iloc[n]
        assert value == batch.values[int(image), int(row), int(column)]
    gradient = crosslens.method("gradient")(MODEL, IMAGES, 2).to_dataframe()
    assert gradient.columns.tolist() == ["image", "channel", "row", "column", "value"]


@pytest.mark.parametrize(
    ("shape", "images", "columns"),
    [
        ((2, 4, 4, 4), (2, 1, 8, 8, 8), ["image", "depth", "row", "column", "value"]),
        ((2, 1, 4, 4, 4), (2, 1, 4, 4, 4), ["image", "channel", "depth", "row", "column", "value"]),
        ((2, 7), None, ["image", "axis 1", "value"]),
    ],
)
def test_values_of_volumes_and_vectors_have_their_own_columns(shape, images, columns):
    given = None if images is None else np.zeros(images, np.float32)
    frame = Attribution(np.arange(np.prod(shape)).reshape(shape), images=given).to_dataframe()
    assert frame.columns.tolist() == columns
    assert frame.value.tolist() == list(range(len(frame)))


def test_scores_are_a_data_frame_with_a_column_for_each_series():
    curves = Scores(np.arange(12.0).reshape(2, 2, 3), series=("p", "q"), axis="share", positions=(0.0, 0.5, 1.0))
    frame = curves.to_dataframe()
    assert frame.columns.tolist() == ["image", "share", "p", "q"]
    assert frame.query("image == 1 and share == 0.5")[["p", "q"]].to_numpy().tolist() == [[7.0, 10.0]]
    single = Scores(np.array([[[1.0]], [[2.0]]]), series=("drop",)).to_dataframe()
    assert single.to_dict("list") == {"image": [0, 1], "drop": [1.0, 2.0]}


def test_a_synthesis_is_a_data_frame_of_its_history():
    made = Synthesis(images=IMAGES[:2], history=np.array([[1.0, 2.0], [3.0, 4.0]]))
    wanted = {"step": [0, 0, 1, 1], "image": [0, 1, 0, 1], "objective": [1.0, 2.0, 3.0, 4.0]}
    assert made.to_dataframe().to_dict("list") == wanted
    shared = replace(made, history=np.array([1.0, 2.0])).to_dataframe()
    assert shared.to_dict("list") == {"step": [0, 1], "objective": [1.0, 2.0]}
    assert replace(made, history=np.ones((1, 1))).to_dataframe().columns.tolist() == ["step", "run", "objective"]
    with pytest.raises(ParameterError, match="has no history"):
        Synthesis(images=IMAGES).to_dataframe()


def test_comparisons_alignments_and_divergences_are_data_frames():
    models = {"a": TinyModel(), "b": TinyModel(seed=1)}
    compared = crosslens.compare(models, crosslens.method("gradient"), IMAGES[:2], 1)
    frame = compared.to_dataframe()
    assert frame[["method", "model", "other"]].to_numpy().tolist() == [["gradient", "a", "b"]]
    assert frame.relative_l2.tolist() == [compared.rows()[0]["relative_l2"]]
    aligned = crosslens.align(models["a"], models["a"], images=IMAGES[:2]).to_dataframe()
    assert aligned.columns.tolist()[2:] == ["agreement", "difference"]
    assert (aligned.iloc[:, 0] == aligned.iloc[:, 1]).all()
    steps = crosslens.diverge(models["a"], models["b"], images=IMAGES[:2])
    frame = steps.to_dataframe()
    assert len(frame) == len(steps.steps)
    assert frame[steps.models[1]].tolist() == [step.b for step in steps.steps]


def test_without_pandas_a_data_frame_is_one_clear_line(batch, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(CrosslensError, match=r"a data frame needs pandas: pip install pandas; without it, np.asarray"):
        batch.to_dataframe()
