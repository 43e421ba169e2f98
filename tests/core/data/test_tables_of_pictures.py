"""Parquet files and Hugging Face's data sets: rows as pyarrow and `datasets` themselves give them."""

import io
import os
import pickle

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.errors import ImageError
from PIL import Image

os.environ.setdefault("HF_HUB_OFFLINE", "1")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

MODEL = testing.TinyModel()
PICTURES = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (11 + n % 3, 9, 3), np.uint8)) for n in range(70)]
LABELS = [n % 3 for n in range(70)]


def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def loaded(pictures):
    return np.concatenate([crosslens.load_image(each, like=MODEL) for each in pictures])


def table(contents, labels=LABELS):
    return pa.table({"caption": ["x"] * len(contents), "image": contents, "label": labels[: len(contents)]})


@pytest.fixture(scope="module")
def datasets():
    return pytest.importorskip("datasets")


@pytest.fixture
def rows(datasets):
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "owl"])}
    return datasets.Dataset.from_dict({"image": PICTURES, "label": LABELS}, datasets.Features(features))


@pytest.mark.parametrize("group", [1000, 33, 7])
def test_rows_of_parquet_are_read_whatever_the_row_groups_and_the_order(tmp_path, group):
    pq.write_table(table([png(each) for each in PICTURES]), tmp_path / "x.parquet", row_group_size=group)
    source = crosslens.data(tmp_path / "x.parquet")
    for start, stop in ((0, 5), (60, 70), (3, 9), (30, 40), (40, 41), (39, 42)):
        samples = source.read(start, stop, MODEL)
        np.testing.assert_array_equal(samples.images, loaded(PICTURES[start:stop]))
        assert [each["label"] for each in samples.records] == [str(each) for each in LABELS[start:stop]]
    sent = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(sent.read(65, 68, MODEL).images, loaded(PICTURES[65:68]))
    assert sent.digest == source.digest


def test_the_digest_of_parquet_does_not_depend_on_row_groups_but_on_labels_and_order(tmp_path):
    contents = [png(each) for each in PICTURES[:9]]
    tables = [table(contents), table(contents), table(contents, LABELS[1:]), table(contents[::-1])]
    digests = []
    for number, (each, group) in enumerate(zip(tables, (4, 9, 9, 9), strict=True)):
        pq.write_table(each, tmp_path / f"{number}.parquet", row_group_size=group)
        digests.append(crosslens.data(tmp_path / f"{number}.parquet").digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_folder_of_parquet_files_is_one_source(tmp_path):
    for part, (start, stop) in enumerate(((0, 30), (30, 31), (31, 70))):
        contents = [{"bytes": png(each), "path": "same.png"} for each in PICTURES[start:stop]]
        pq.write_table(table(contents, LABELS[start:]), tmp_path / f"train-{part}.parquet")
    source = crosslens.data(tmp_path)
    samples = source.read(29, 33, MODEL)
    np.testing.assert_array_equal(samples.images, loaded(PICTURES[29:33]))
    assert samples.ids == ("train-0.parquet:29", "train-1.parquet:0", "train-2.parquet:0", "train-2.parquet:1")
    assert [each["label"] for each in samples.records] == ["2", "0", "1", "2"]
    pq.write_table(pa.table({"image": [b"x"]}), tmp_path / "other.parquet")
    with pytest.raises(ImageError, match=r"has other columns than"):
        crosslens.data(tmp_path)


def test_a_bad_cell_is_a_failure(tmp_path):
    PICTURES[3].save(tmp_path / "beside.png")
    cells = [
        {"bytes": png(PICTURES[0]), "path": None},
        {"bytes": png(PICTURES[1])[:50], "path": None},
        {"bytes": None, "path": None},
        {"bytes": None, "path": "beside.png"},
        {"bytes": None, "path": "../x.png"},
        None,
    ]
    pq.write_table(table(cells), tmp_path / "x.parquet")
    samples = crosslens.data(tmp_path / "x.parquet").read(0, 6, MODEL)
    assert samples.ids == ("0", "3")
    np.testing.assert_array_equal(samples.images, loaded([PICTURES[0], PICTURES[3]]))
    reasons = [each.reason for each in samples.failures]
    assert "which does not lie in the folder of its file" in reasons[2]
    assert "the row holds no picture" in reasons[3]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"a": [1]}, "has no column of pictures, bytes of files or {bytes, path}; it has a (int64)"),
        ({"left": [b"x"], "right": [b"x"]}, "has several columns of pictures, left, right: rename the one"),
        ({"image": pa.array([], pa.binary())}, "holds no rows"),
    ],
)
def test_parquet_without_pictures_is_one_line(tmp_path, columns, text):
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(ImageError) as error:
        crosslens.data(tmp_path / "x.parquet")
    assert text in str(error.value)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ImageError, match="is not a Parquet file that can be read"):
        crosslens.data(tmp_path / "x.parquet")


def test_a_data_set_and_the_parquet_it_writes_are_the_same_source(rows, tmp_path, datasets):
    datasets.disable_progress_bars()
    rows.to_parquet(tmp_path / "x.parquet")
    sources = [crosslens.data(rows), crosslens.data(tmp_path / "x.parquet"), crosslens.data(rows.with_format("numpy"))]
    assert len({source.digest for source in sources}) == 1
    for source in sources:
        samples = source.read(2, 6, MODEL)
        np.testing.assert_array_equal(samples.images, loaded(PICTURES[2:6]))
        assert [each["label"] for each in samples.records] == ["owl", "cat", "dog", "owl"]


def test_selected_and_shuffled_rows_are_those_that_the_data_set_gives(rows):
    chosen = rows.shuffle(seed=3).select(range(5, 15))
    source = crosslens.data(chosen)
    np.testing.assert_array_equal(source.read(0, 10, MODEL).images, loaded([each["image"] for each in chosen]))
    sent = pickle.loads(pickle.dumps(source))
    assert sent.digest == source.digest != crosslens.data(rows).digest


def test_a_split_must_be_chosen(rows, datasets):
    with pytest.raises(
        ImageError, match=r"has the splits train, test: choose one, crosslens.data\(dataset\['train'\]\)"
    ):
        crosslens.data(datasets.DatasetDict({"train": rows, "test": rows}))
    with pytest.raises(ImageError, match="no images by index, only an order"):
        crosslens.data(rows.to_iterable_dataset())


def test_a_transform_of_the_user_s_is_obeyed(rows):
    def dark(batch):
        return {"image": [np.asarray(each.resize((8, 8)), np.float32) / 510 for each in batch["image"]]}

    samples = crosslens.data(rows.with_transform(dark)).read(0, 2, MODEL)
    want = [np.asarray(each.resize((8, 8)), np.float32).transpose(2, 0, 1) / 510 for each in PICTURES[:2]]
    np.testing.assert_allclose(samples.images, np.stack(want), rtol=1e-6)


def test_arrays_in_columns_are_images(datasets):
    values = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    features = datasets.Features({"x": datasets.Array3D((8, 8, 3), "uint8"), "label": datasets.Value("string")})
    rows = datasets.Dataset.from_dict({"x": list(values), "label": list("abcd")}, features)
    samples = crosslens.data(rows).read(0, 4, MODEL)
    np.testing.assert_array_equal(samples.images, values.transpose(0, 3, 1, 2) / np.float32(255))
    assert [each["label"] for each in samples.records] == list("abcd")
