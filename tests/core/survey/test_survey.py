"""Surveys: what a sweep of several methods gives, alone or from a store, and what a store refuses."""

import os
import shutil
from dataclasses import replace

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.data import ArraySource
from crosslens.errors import ImageError, ParameterError
from crosslens.methods.dataset.mean_activation import MeanActivation
from PIL import Image

from tests.core.store import example

MEAN = MeanActivation(layer="conv1")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored") / "survey"
    return example.sweep(folder)


def same(first, second):
    """Whether two results are equal but for when and how long they were made."""
    timeless = [
        replace(each, provenance={k: v for k, v in each.provenance.items() if k not in {"seconds", "date"}})
        for each in (first, second)
    ]
    return timeless[0] == timeless[1]


def model_of_two():
    model = testing.TinyModel()
    model.batch_size = 2
    return model


def test_results_are_those_of_the_methods_alone_the_same_bits(stored):
    survey = example.sweep(None)
    for method in example.METHODS:
        alone = method(model_of_two(), ArraySource(example.IMAGES))
        assert same(survey[method.name], alone)
        assert same(stored[method.name], alone)
    assert list(stored) == list(survey) == ["mean_activation", "above_mean"]


def test_a_loaded_survey_is_the_one_that_was_made(stored):
    loaded = crosslens.load(stored.folder)
    assert {name: loaded[name] for name in loaded} == {name: stored[name] for name in stored}
    assert repr(loaded) == f"<Survey '{stored.folder}': mean_activation, above_mean, 26 images>"
    assert ">above_mean</td>" in loaded._repr_html_()
    assert "date" not in loaded["above_mean"].provenance


def test_the_table_has_a_line_for_each_image_and_what_the_network_predicts(stored):
    table, model = stored.images, testing.TinyModel()
    good = [n for n in range(example.COUNT) if n not in {3, 24}]
    logits = model.forward(example.IMAGES[good])[crosslens.OUTPUT]
    np.testing.assert_array_equal(table["class"][good], logits.argmax(axis=1))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(table["score"][good], shares.max(axis=1), rtol=1e-5)
    assert table["index"].tolist() == list(range(example.COUNT))
    assert table["id"].tolist() == [str(n) for n in range(example.COUNT)]
    assert [n for n, reason in enumerate(table["failure"]) if reason] == [3, 24]
    assert table["class"][[3, 24]].tolist() == [-1, -1]
    columns = dict(example.sweep(None).images.columns)
    for name, values in columns.items():
        np.testing.assert_array_equal(values, table[name])


def test_the_place_of_a_thumbnail_shows_its_image(stored):
    table = stored.images
    for n in (0, 20, 25):
        sheet = np.asarray(Image.open(stored.folder / table["thumbnail"][n])).astype(int)
        left, top, side = (int(table[f"thumbnail_{name}"][n]) for name in ("x", "y", "side"))
        tile = sheet[top : top + side, left : left + side]
        assert np.abs(tile - example.IMAGES[n].transpose(1, 2, 0) * 255).mean() < 25
    assert table["thumbnail"][3] == ""
    assert table["thumbnail_x"][3] == -1


def test_pandas_reads_plain_types(stored):
    pandas = pytest.importorskip("pandas")
    read = pandas.read_parquet(stored.folder / "images.parquet")
    assert [str(read[name].dtype) for name in ("index", "class", "score", "thumbnail_x")] == [
        "int64", "int64", "float64", "int64",
    ]  # fmt: skip
    assert read["id"].tolist()[:2] == ["0", "1"]
    assert pandas.read_parquet(stored.folder / "mean_activation" / "table.parquet").columns.tolist() == ["unit", "mean"]


def test_rows_lie_at_the_places_of_their_images(stored):
    (path,) = stored.folder.glob("rows/Answers*.npy")
    rows, index = np.load(path, mmap_mode="r"), np.load(stored.folder / "rows" / "index.npy")
    assert np.isnan(rows[[3, 24]]).all()
    assert index.tolist() == [n for n in range(example.COUNT) if n not in {3, 24}]
    maps = testing.TinyModel().forward(example.IMAGES[index], ["conv1"])["conv1"]
    np.testing.assert_allclose(rows[index], maps[:, :, 0, 0], rtol=1e-5)


def test_more_methods_run_what_is_missing_and_leave_the_results(stored, tmp_path, monkeypatch):
    folder = tmp_path / "survey"
    example.sweep(folder, methods=[MEAN])
    before = example.files(folder)
    reads, read = [], ArraySource.read
    monkeypatch.setattr(ArraySource, "read", lambda self, *given: reads.append(given[:2]) or read(self, *given))
    survey = example.sweep(folder)
    after = example.files(folder)
    assert len(reads) == 2 * (example.COUNT // 2)
    assert all(after[name] == content for name, content in before.items() if name != "manifest.json")
    assert all(same(survey[name], stored[name]) for name in stored)
    example.sweep(folder)
    assert len(reads) == 2 * (example.COUNT // 2), "nothing was missing"


def test_two_methods_of_one_name_are_told_apart_by_their_words(tmp_path):
    fc = MeanActivation(layer="fc")
    survey = example.sweep(tmp_path / "s", methods=[MEAN, fc])
    assert list(survey) == ["mean_activation layer=conv1", "mean_activation layer=fc"]
    assert len(survey["mean_activation layer=fc"]) == 5
    with pytest.raises(ParameterError, match="several results of 'mean_activation' here"):
        survey["mean_activation"]
    with pytest.raises(ParameterError, match="this survey has no result 'mean'"):
        survey["mean"]
    assert survey.get("mean") is None
    assert sorted(path.parent.name for path in (tmp_path / "s").glob("*/result.npz")) == [
        "mean_activation", "mean_activation-layer=fc",
    ]  # fmt: skip


def other_images():
    images = example.IMAGES.copy()
    images[0] += np.float32(0.01) * (1 - images[0])
    return images


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: example.sweep(folder, images=other_images()), "the data differs .*digest"),
        (lambda folder: example.sweep(folder, threads=2), "the number of threads differs .1 there, 2 now"),
        (
            lambda folder: crosslens.sweep(testing.TinyModel(), example.IMAGES, MEAN, store=folder),
            "the size of shards or batches differs .micro_batch: 2 there",
        ),
        (
            lambda folder: crosslens.sweep(
                model_of_two().randomised(["fc"], seed=1), example.IMAGES, MEAN, store=folder
            ),
            "the model differs .*digest",
        ),
    ],
    ids=["data", "threads", "batches", "model"],
)
def test_a_survey_of_other_things_is_not_added_to(stored, change, words):
    before = example.files(stored.folder)
    with pytest.raises(ParameterError, match=f"is a survey in which {words}.*again=True begins anew, or name another"):
        change(stored.folder)
    assert example.files(stored.folder) == before


def test_another_version_of_the_code_is_refused(stored, monkeypatch):
    monkeypatch.setattr("crosslens.store.manifest.code_digests", lambda objects: {"crosslens.data": "other"})
    with pytest.raises(ParameterError, match=r"the code differs \(crosslens.data: .* there, other now\)"):
        example.sweep(stored.folder)


def test_another_instruction_set_is_taken_on_demand_and_recorded(stored, tmp_path, monkeypatch):
    folder = shutil.copytree(stored.folder, tmp_path / "copy")
    text = (folder / "manifest.json").read_text()
    from crosslens.execution.processor import instruction_set

    (folder / "manifest.json").write_text(text.replace(instruction_set(), "x86_64 sse4_1"))
    fc = MeanActivation(layer="fc")
    with pytest.raises(ParameterError, match=r"another type than this one \(with .*allow_mixed=True takes it"):
        example.sweep(folder, methods=[fc])
    example.sweep(folder, methods=[fc], allow_mixed=True)
    assert '"x86_64 sse4_1"' in (folder / "manifest.json").read_text()
    assert instruction_set() in (folder / "manifest.json").read_text()


def test_beginning_anew_deletes_what_the_survey_wrote_and_nothing_else(stored, tmp_path):
    folder = shutil.copytree(stored.folder, tmp_path / "copy")
    for name in ("notes.txt", "above_mean/notes.txt", "thumbnails/mine.jpg"):
        (folder / name).write_text("mine")
    example.sweep(folder, images=other_images(), methods=[MEAN], again=True)
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"notes.txt", "above_mean/notes.txt", "thumbnails/mine.jpg"} < left
    assert "above_mean/result.npz" not in left
    assert not list(folder.glob("rows"))
    assert list(crosslens.load(folder)) == ["mean_activation"]


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "cat.png").write_bytes(b"a photograph")
    for again in (False, True):
        with pytest.raises(ParameterError, match=r"holds other things \(cat.png\) and no survey: name a new folder"):
            example.sweep(tmp_path, again=again)
    assert os.listdir(tmp_path) == ["cat.png"]
    with pytest.raises(ParameterError, match="is a file; a survey is written into a folder"):
        example.sweep(tmp_path / "cat.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ParameterError, match=r"cannot (write into|make) the folder"):
        example.sweep(tmp_path)
    tmp_path.chmod(0o700)


def test_a_survey_within_the_pictures_that_it_reads_is_refused(tmp_path):
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / name)
    with pytest.raises(ParameterError, match="would lie among the pictures of"):
        crosslens.sweep(testing.TinyModel(), tmp_path, MEAN, store=tmp_path / "survey")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]


def test_an_unfinished_survey_wants_its_methods_first(tmp_path):
    def stop(done, total, what):
        if what == "round 2" and done > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        example.sweep(tmp_path / "s", progress=stop)
    with pytest.raises(ParameterError, match="not finished: call the same sweep again, and it goes on"):
        crosslens.load(tmp_path / "s")
    with pytest.raises(ParameterError, match=r"is an unfinished survey of mean_.*, above_mean: ask for the same"):
        example.sweep(tmp_path / "s", methods=[MeanActivation(layer="fc")])
    assert list(example.sweep(tmp_path / "s")) == ["mean_activation", "above_mean"]


def test_methods_on_single_images_are_refused_with_the_call_that_takes_them():
    for given in ("grad_cam", crosslens.method("grad_cam")):
        with pytest.raises(ParameterError, match=r"grad_cam explains single images.*crosslens run grad_cam MODEL"):
            crosslens.sweep(testing.TinyModel(), example.IMAGES, ["mean_activation", given])
    with pytest.raises(ParameterError, match=r"a method is a name.*this is int. The order is sweep"):
        crosslens.sweep(testing.TinyModel(), example.IMAGES, 3)
    with pytest.raises(ParameterError, match="a sweep takes one method or more"):
        crosslens.sweep(testing.TinyModel(), example.IMAGES, [])


@pytest.mark.parametrize(("workers", "threads"), [(0, 1), (1, 0), (1.5, 1)])
def test_numbers_of_workers_and_threads_are_checked(workers, threads):
    with pytest.raises(ParameterError, match="give a whole number from 1 on"):
        crosslens.sweep(testing.TinyModel(), example.IMAGES, MEAN, workers=workers, threads=threads)


def test_nothing_to_read_is_an_error_also_when_it_is_called_again(tmp_path):
    for _ in range(2):
        with pytest.raises(ImageError, match="cannot be used: images hold NaN"):
            example.sweep(tmp_path / "s", images=np.full((3, 3, 8, 8), np.nan, np.float32), methods=[MEAN])


def test_a_full_disk_is_one_line_and_loses_nothing(stored, tmp_path, monkeypatch):
    from crosslens.store import image_table

    write, calls = image_table.write_parquet, []

    def full(columns, path):
        calls.append(path)
        if len(calls) == 2:
            raise ParameterError(f"cannot write '{path}': No space left on device")
        return write(columns, path)

    monkeypatch.setattr(image_table, "write_parquet", full)
    with pytest.raises(ParameterError, match="No space left on device"):
        example.sweep(tmp_path / "s", images=np.resize(example.IMAGES, (600, 3, 8, 8)), methods=[MEAN])
    assert len(list(tmp_path.glob("s/states/round-001/shard-*.npz"))) == 1
    survey = example.sweep(tmp_path / "s", images=np.resize(example.IMAGES, (600, 3, 8, 8)), methods=[MEAN])
    assert len(survey.images) == 600


def test_labels_of_the_data_stand_in_the_table(tmp_path):
    source = ArraySource(example.IMAGES[:2], labels=["cat", "a very long label, with a comma"])
    for store in (None, tmp_path / "s"):
        table = crosslens.sweep(testing.TinyModel(), source, MEAN, store=store).images
        assert table["label"].tolist() == ["cat", "a very long label, with a comma"]
