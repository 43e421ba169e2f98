"""Sources: what a folder or an array holds, in which order, and what happens to an image that cannot be read."""

import pickle

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.data import ArraySource, PictureFolder
from crosslens.errors import ImageError, ParameterError
from PIL import Image

MODEL = testing.TinyModel()


def picture(path, seed, size=(11, 13)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("dog/2.png", "cat/1.png", "loose.png", "dog/old/1.PNG", "cat/10.png")):
        picture(tmp_path / name, seed)
    picture(tmp_path / ".hidden/1.png", 9)
    picture(tmp_path / "cat/.1.png", 9)
    (tmp_path / "cat/notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_is_its_pictures_sorted_by_path(folder):
    assert PictureFolder(folder).ids == ("cat/1.png", "cat/10.png", "dog/2.png", "dog/old/1.PNG", "loose.png")


def test_the_first_sub_folder_is_the_label(folder):
    records = PictureFolder(folder).read(0, 5, MODEL).records
    assert records == ({"label": "cat"}, {"label": "cat"}, {"label": "dog"}, {"label": "dog"}, {})


def test_pictures_are_read_as_load_image_reads_them(folder):
    samples = PictureFolder(folder).read(1, 3, MODEL)
    expected = [crosslens.load_image(folder / name, like=MODEL) for name in ("cat/10.png", "dog/2.png")]
    np.testing.assert_array_equal(samples.images, np.concatenate(expected))
    assert (samples.indices, samples.ids) == ((1, 2), ("cat/10.png", "dog/2.png"))


def test_a_bad_picture_is_a_failure_and_the_others_are_read(folder):
    (folder / "cat/1.png").write_bytes(b"not a picture")
    (folder / "dog/2.png").unlink()
    (folder / "dog/2.png").symlink_to("gone.png")
    samples = PictureFolder(folder).read(0, 5, MODEL)
    assert samples.indices == (1, 3, 4)
    assert [(each.index, each.id) for each in samples.failures] == [(0, "cat/1.png"), (2, "dog/2.png")]
    assert "does not exist" in samples.failures[1].reason


def test_a_range_of_bad_pictures_holds_no_images(folder):
    (folder / "cat/1.png").write_bytes(b"not a picture")
    samples = PictureFolder(folder).read(0, 1, MODEL)
    assert samples.images is None
    assert samples.ids == ()


def test_a_folders_digest_is_that_of_names_and_contents_not_of_its_place(folder, tmp_path_factory):
    digest = PictureFolder(folder).digest
    copy = tmp_path_factory.mktemp("copy")
    for name in PictureFolder(folder).ids:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((folder / name).read_bytes())
    assert PictureFolder(copy).digest == digest
    (copy / "loose.png").rename(copy / "other.png")
    assert PictureFolder(copy).digest != digest
    (copy / "other.png").rename(copy / "loose.png")
    picture(copy / "loose.png", 100)
    assert PictureFolder(copy).digest != digest


def test_sources_can_be_sent_to_another_process(folder):
    for source in (PictureFolder(folder), ArraySource(np.zeros((2, 3, 8, 8), np.float32), ["a", "b"])):
        sent = pickle.loads(pickle.dumps(source))
        assert (sent.digest, list(sent.ids)) == (source.digest, list(source.ids))
        np.testing.assert_array_equal(sent.read(0, 2, MODEL).images, source.read(0, 2, MODEL).images)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("gone", "gone' does not exist; data is a folder of pictures, .npy, .npz, an IDX file (.gz), .tar"),
        ("file.txt", "file.txt' holds no images that can be read; data is a folder of pictures"),
        ("empty", "hold no picture; files that end in .bmp, .gif"),
        (3, "int is not a source of images: give a folder of pictures, an array"),
        ([], "the list holds no image"),
        (["a.png", 3], "images[0] is a str: a list of images holds files only"),
        (np.zeros((3, 8, 8), np.float32), "images (N, C, H, W), at least one; this is an array of shape (3, 8, 8)"),
        (np.zeros((0, 3, 8, 8), np.float32), "at least one; this is an array of shape (0, 3, 8, 8)"),
    ],
)
def test_what_is_no_source_is_refused_in_one_line(what, text, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").touch()
    what = tmp_path / what if isinstance(what, str) else what
    with pytest.raises(ImageError) as error:
        crosslens.data(what)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_data_takes_folders_arrays_and_sources(folder):
    source = crosslens.data(str(folder))
    assert len(source) == 5
    assert crosslens.data(source) is source
    assert len(crosslens.data(np.zeros((2, 3, 8, 8), np.float32))) == 2


def test_an_array_is_its_images_and_their_labels():
    images = np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32)
    samples = ArraySource(images, ["a", "b", "a", "c"]).read(1, 3, MODEL)
    np.testing.assert_array_equal(samples.images, images[1:3])
    assert samples.ids == ("1", "2")
    assert samples.records == ({"label": "b"}, {"label": "a"})


def test_an_image_with_nan_or_outside_the_bounds_is_a_failure():
    images = np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32)
    images[1, 0, 0, 0], images[2, 0, 0, 0] = np.nan, 2.0
    samples = ArraySource(images).read(0, 4, MODEL)
    np.testing.assert_array_equal(samples.images, images[[0, 3]])
    assert [each.id for each in samples.failures] == ["1", "2"]
    assert "NaN" in samples.failures[0].reason
    assert " to 2; this model takes" in samples.failures[1].reason


def test_an_arrays_digest_is_that_of_values_and_labels():
    images = np.random.default_rng(0).random((4, 3, 8, 8), dtype=np.float32)
    other = images.copy()
    other[3, 2, 7, 7] += 1e-3
    digests = [ArraySource(x, labels).digest for x, labels in ((images, None), (other, None), (images, list("abcd")))]
    assert len(set(digests)) == 3
    assert ArraySource(images.copy()).digest == digests[0]


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (
            np.zeros((2, 5, 9, 8), np.float32),
            "the array has shape (1, 5, 9, 8); a picture has 1, 3 or 4 channels",
        ),
        (np.zeros((2, 3, 8, 8), np.int64), "images have shape (1, 3, 8, 8) and dtype int64"),
    ],
)
def test_an_array_that_the_model_cannot_take_is_refused_before_any_work(images, text):
    with pytest.raises(ImageError) as error:
        ArraySource(images).check(MODEL)
    assert text in str(error.value)


def test_labels_are_as_many_as_images():
    with pytest.raises(ParameterError, match="there are 3 labels for 2 images"):
        ArraySource(np.zeros((2, 3, 8, 8), np.float32), list("abc"))


@pytest.mark.parametrize("labels", [["a", None, ""], np.array(["a", None, None], object), [0.0, np.nan, None]])
def test_none_and_nan_are_no_label(labels):
    images = np.zeros((3, 3, 8, 8), np.float32)
    sources = ArraySource(images, labels), crosslens.data(([*images], list(labels)))
    expected = ({"label": "a" if labels[0] == "a" else "0"}, {}, {})
    assert all(each.read(0, 3, MODEL).records == expected for each in sources)


def test_the_package_and_the_function_of_one_name_live_together():
    import crosslens.data.sweep

    assert callable(crosslens.data)
    assert crosslens.data.__module__ == "crosslens.data.sources.adapters"


def test_arrays_in_other_layouts_and_types_are_read_as_a_method_takes_them():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    want = (pixels.transpose(0, 3, 1, 2) / 255).astype(np.float32)
    for images in (pixels, pixels.transpose(0, 3, 1, 2), pixels / 255):
        source = ArraySource(images)
        source.check(MODEL)
        np.testing.assert_allclose(source.read(1, 4, MODEL).images, want[1:4], rtol=1e-6)


def test_labels_are_known_before_the_images_where_they_are_names_or_in_memory(tmp_path):
    pictures = np.zeros((6, 8, 8, 3), np.uint8)
    for n, place in enumerate(("b/0.png", "a/1.png", "2.png")):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.fromarray(pictures[n]).save(tmp_path / place)
    assert list(crosslens.data(tmp_path).known_labels) == ["", "a", "b"]
    assert list(crosslens.data((pictures, [1, 2, None, 1, 2, 3])).known_labels) == ["1", "2", "", "1", "2", "3"]
    assert list(crosslens.data(list(pictures)).known_labels) == [""] * 6
    assert list(crosslens.data(([Image.fromarray(each) for each in pictures], list("abcabc"))).known_labels) == [
        *"abcabc"
    ]


def test_a_saved_result_is_no_data_unless_one_of_its_arrays_is_named(tmp_path):
    arrays = {"record": np.zeros(4, np.uint8), "data_thumbnails": np.zeros((5, 8, 8, 3), np.uint8)}
    np.savez(tmp_path / "result.npz", **arrays)
    with pytest.raises(ImageError, match="is a saved result and no data"):
        crosslens.data(tmp_path / "result.npz")
    assert len(crosslens.data(f"{tmp_path / 'result.npz'}:data_thumbnails")) == 5
