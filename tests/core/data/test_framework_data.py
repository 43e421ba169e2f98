"""Data sets of PyTorch and TensorFlow, and anything that has a length and items: what they give is what is read."""

import pickle

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.errors import ImageError, ParameterError
from PIL import Image

MODEL = testing.TinyModel()
IMAGES = np.random.default_rng(0).random((10, 3, 8, 8), dtype=np.float32)
LABELS = np.arange(10) % 2


class Plain:
    """What PyTorch's tutorials make: a length, items, classes."""

    classes = ("cat", "dog")

    def __init__(self, transform=None, bad=()):
        self.transform, self.bad = transform, bad

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index in self.bad:
            raise OSError("image file is truncated")
        image = IMAGES[index]
        return self.transform(image) if self.transform else image, int(LABELS[index])


def same(values):
    return values


def test_items_are_images_and_the_names_of_their_classes():
    source = crosslens.data(Plain())
    source.check(MODEL)
    for each in (source, pickle.loads(pickle.dumps(source))):
        samples = each.read(2, 6, MODEL)
        np.testing.assert_array_equal(samples.images, IMAGES[2:6])
        assert [record["label"] for record in samples.records] == ["cat", "dog", "cat", "dog"]
        assert samples.ids == ("2", "3", "4", "5")
        assert each.digest == source.digest


def test_minus_one_is_no_label_where_classes_have_names(monkeypatch):
    monkeypatch.setattr(f"{__name__}.LABELS", LABELS - 1)
    samples = crosslens.data(Plain()).read(0, 2, MODEL)
    assert samples.records == ({}, {"label": "cat"})


def test_an_item_that_raises_is_a_failure():
    samples = crosslens.data(Plain(bad=(1, 3))).read(0, 5, MODEL)
    assert samples.indices == (0, 2, 4)
    assert samples.failures[0].reason == "its data set raised OSError: image file is truncated"


def test_what_cannot_be_sent_to_another_process_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(
        ParameterError, match=r"cannot be sent to another process .*crosslens.data\('module:function'\)"
    ):
        pickle.dumps(crosslens.data(Plain(transform=lambda x: x)))
    pickle.dumps(crosslens.data(Plain(transform=same)))
    (tmp_path / "my_lambda_data.py").write_text(
        "import numpy as np\n\n\nclass Data:\n    def __init__(self, f):\n        self.f = f\n"
        "    def __len__(self):\n        return 2\n    def __getitem__(self, n):\n"
        "        return self.f(np.zeros((3, 8, 8), np.float32) + n / 2)\n\n\n"
        "def make():\n    return Data(lambda x: x)\n"
    )
    monkeypatch.chdir(tmp_path)
    source = crosslens.data("my_lambda_data:make")
    sent = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(sent.read(1, 2, MODEL).images, np.full((1, 3, 8, 8), 0.5, np.float32))


def test_normalised_and_random_items_are_refused_before_any_work():
    with pytest.raises(ImageError, match="the data set's transform must not normalise"):
        crosslens.data(Plain(transform=lambda x: (x - 0.5) / 0.25)).check(MODEL)
    rng = np.random.default_rng(0)
    with pytest.raises(ImageError, match="are others each time they are read: leave random transforms"):
        crosslens.data(Plain(transform=lambda x: x * np.float32(rng.random()))).check(MODEL)
    with pytest.raises(ImageError, match="holds uint8 numbers up to 1, and 255 is white"):
        crosslens.data(Plain(transform=lambda x: (x > 0.5).astype(np.uint8))).check(MODEL)


def test_items_of_other_sizes_and_colours_are_resized_as_pictures_are():
    for make in (
        lambda x: (x[0, :7] * 255).astype(np.uint8),
        lambda x: Image.fromarray((x[0, :7] * 255).astype(np.uint8)),
    ):
        samples = crosslens.data(Plain(transform=make)).read(0, 2, MODEL)
        pictures = [Image.fromarray((each[0, :7] * 255).astype(np.uint8)) for each in IMAGES[:2]]
        np.testing.assert_array_equal(samples.images, crosslens.load_image(pictures, like=MODEL))
    pad = crosslens.data(Plain(transform=make), resize="pad").read(0, 2, MODEL)
    np.testing.assert_array_equal(pad.images, crosslens.load_image(pictures, like=MODEL, resize="pad"))
    with pytest.raises(ImageError, match="resize and crop are for pictures"):
        crosslens.data(Plain(), crop=0.5)


def test_torch_data_sets_are_read_item_by_item():
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

    whole = TensorDataset(torch.from_numpy(IMAGES), torch.from_numpy(LABELS))
    source = crosslens.data(Subset(whole, [7, 1, 4]))
    source.check(MODEL)
    samples = pickle.loads(pickle.dumps(source)).read(0, 3, MODEL)
    np.testing.assert_array_equal(samples.images, IMAGES[[7, 1, 4]])
    assert [each["label"] for each in samples.records] == ["1", "1", "0"]
    with pytest.raises(ImageError, match=r"gives batches in an order of its own: give its data set, loader.dataset"):
        crosslens.data(DataLoader(whole))

    class Stream(IterableDataset):
        def __iter__(self):
            return iter(IMAGES)

        def __len__(self):
            return 10

    with pytest.raises(ImageError, match="a Stream has no images by index, only an order"):
        crosslens.data(Stream())
    np.testing.assert_array_equal(crosslens.data(list(Stream())).read(0, 10, MODEL).images, IMAGES)


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow")


def pipelines(tf):
    last = IMAGES.transpose(0, 2, 3, 1)
    pairs = tf.data.Dataset.from_tensor_slices((last, LABELS))
    named = tf.data.Dataset.from_tensor_slices({"label": LABELS, "image": last})
    return [pairs, named, pairs.batch(4), named.batch(3)]


def test_pipelines_are_read_in_order_and_again_from_the_beginning(tf):
    sources = [crosslens.data(each) for each in pipelines(tf)]
    for source in sources:
        source.check(MODEL)
        assert len(source) == 10
        for start, stop in ((0, 3), (3, 7), (8, 10), (1, 4)):
            samples = source.read(start, stop, MODEL)
            np.testing.assert_array_equal(samples.images, IMAGES[start:stop])
            assert [each["label"] for each in samples.records] == [str(each) for each in LABELS[start:stop]]
    assert len({source.digest for source in sources}) == 1
    with pytest.raises(ParameterError, match="cannot be sent to another process: write a function"):
        pickle.dumps(sources[0])


def test_pipelines_without_an_end_or_an_order_are_refused(tf):
    pairs = pipelines(tf)[0]
    with pytest.raises(ImageError, match="has no end: take a part of it"):
        crosslens.data(pairs.repeat())
    with pytest.raises(ImageError, match=r"has an unknown number of elements: .*assert_cardinality"):
        crosslens.data(pairs.filter(lambda *_: True))
    with pytest.raises(ImageError, match="are others each time they are read"):
        crosslens.data(pairs.shuffle(10, seed=1)).check(MODEL)


def test_a_method_runs_over_each_of_them(tf):
    torch = pytest.importorskip("torch")
    want = crosslens.method("mean_activation")(MODEL, IMAGES)["mean"]
    for data in (Plain(), pipelines(tf)[2], torch.utils.data.TensorDataset(torch.from_numpy(IMAGES)), list(IMAGES)):
        np.testing.assert_allclose(crosslens.method("mean_activation")(MODEL, data)["mean"], want, rtol=1e-5)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ({"image": 1}, "a dict is not a source of images: give (images, labels), or a list"),
        (3, "int is not a source of images: give a folder of pictures"),
        (b"x", "bytes is not a source of images"),
    ],
)
def test_other_objects_are_one_line(what, text):
    with pytest.raises(ImageError) as error:
        crosslens.data(what)
    assert text in str(error.value)
