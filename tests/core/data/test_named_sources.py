"""What a text names as data: folders, files of each kind, patterns, functions."""

import gzip
import pickle
import struct

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.data.sources.records import different
from crosslens.errors import ImageError
from PIL import Image

MODEL = testing.TinyModel()
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 11, 9), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)


def write_idx(path, values):
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes()) if path.suffix == ".gz" else head + values.tobytes())


def loaded(pixels):
    """What `load_image` makes of grey pictures, one by one, by way of Pillow."""
    return np.concatenate([crosslens.load_image(Image.fromarray(each), like=MODEL) for each in pixels])


def check(source, images=None, labels=LABELS):
    """The source holds these images and labels, and so does what another process gets."""
    for each in (source, pickle.loads(pickle.dumps(source))):
        samples = each.read(1, 4, MODEL)
        np.testing.assert_array_equal(samples.images, loaded(PIXELS[1:4]) if images is None else images[1:4])
        assert samples.indices == (1, 2, 3)
        assert samples.failures == ()
        wanted = [{}] * 3 if labels is None else [{"label": str(label)} for label in labels[1:4]]
        assert list(samples.records) == wanted
        assert each.digest == source.digest


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_are_images_with_the_labels_beside_them(tmp_path, ending):
    write_idx(tmp_path / f"train-images-idx3-ubyte{ending}", PIXELS)
    alone = crosslens.data(tmp_path / f"train-images-idx3-ubyte{ending}")
    check(alone, labels=None)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{ending}", LABELS)
    source = crosslens.data(str(tmp_path / f"train-images-idx3-ubyte{ending}"))
    check(source)
    assert source.digest != alone.digest


def test_idx_in_gzip_has_the_digest_of_the_plain_file(tmp_path):
    write_idx(tmp_path / "a-images-idx3-ubyte", PIXELS)
    write_idx(tmp_path / "b-images-idx3-ubyte.gz", PIXELS)
    names = ("a-images-idx3-ubyte", "b-images-idx3-ubyte.gz")
    assert len({crosslens.data(tmp_path / name).digest for name in names}) == 1


def test_npy_and_npz_are_images_and_labels(tmp_path):
    np.save(tmp_path / "x.npy", PIXELS)
    check(crosslens.data(tmp_path / "x.npy"), labels=None)
    for name, save in (("plain.npz", np.savez), ("packed.npz", np.savez_compressed)):
        save(tmp_path / name, images=PIXELS, labels=LABELS)
        check(crosslens.data(tmp_path / name))
    assert crosslens.data(tmp_path / "plain.npz").notes == ()
    assert "is compressed, so that it is held in memory" in crosslens.data(tmp_path / "packed.npz").notes[0]


def test_an_uncompressed_npz_is_memory_mapped_whatever_its_order(tmp_path):
    np.savez(tmp_path / "f.npz", x=np.asfortranarray(PIXELS), y=LABELS[:, None])
    source = crosslens.data(tmp_path / "f.npz")
    check(source)
    assert isinstance(source._images.base, np.memmap)
    assert len(pickle.dumps(source)) < 500


def test_of_several_arrays_of_images_the_text_says_which(tmp_path):
    np.savez(tmp_path / "m.npz", x_train=PIXELS[::-1], y_train=LABELS[::-1], x_test=PIXELS, y_test=LABELS)
    with pytest.raises(ImageError, match=r"holds several arrays of images: x_train \(5, 11, 9\), y_train .*m.npz:x_tr"):
        crosslens.data(tmp_path / "m.npz")
    check(crosslens.data(f"{tmp_path / 'm.npz'}:x_test"))
    with pytest.raises(ImageError, match=r"has no array 'z'; it holds x_train"):
        crosslens.data(f"{tmp_path / 'm.npz'}:z")


def test_a_pattern_is_the_files_that_fit_it_in_order(tmp_path):
    for number, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    for pattern in ("*.png", "{00..04}.png", "{00,01,02,03,04}.png", "{00..03}.*", "{07..09}.png"):
        if pattern == "{07..09}.png":
            with pytest.raises(ImageError, match="no file fits the pattern"):
                crosslens.data(str(tmp_path / pattern))
            continue
        check(crosslens.data(str(tmp_path / pattern)), labels=None)


def test_a_function_gives_whatever_data_takes(tmp_path, monkeypatch):
    (tmp_path / "my_own_data.py").write_text(
        "import numpy as np\n"
        f"def grey():\n    return np.array({PIXELS.tolist()}, np.uint8), {LABELS.tolist()}\n"
        "text = 'x'\n"
    )
    monkeypatch.chdir(tmp_path)
    check(crosslens.data("my_own_data:grey"))
    for text, wrong in (
        ("my_own_data:gray", "the module 'my_own_data' has no function 'gray'"),
        ("my_own_data:text", "'my_own_data:text' is a str, not a function"),
        ("my_own_date:grey", "there is no module 'my_own_date' to import from"),
    ):
        with pytest.raises(ImageError, match=wrong):
            crosslens.data(text)


def test_images_and_labels_lists_and_generators(tmp_path):
    pictures = [Image.fromarray(each) for each in PIXELS]
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for picture, file in zip(pictures, files, strict=True):
        picture.save(file)
    for images in (pictures, list(PIXELS), files, [str(each) for each in files]):
        check(crosslens.data((images, LABELS)))
        check(crosslens.data(list(zip(images, LABELS, strict=True))))
        check(crosslens.data(images), labels=None)
        check(crosslens.data(each for each in images), labels=None)
    check(crosslens.data((PIXELS, LABELS)))
    assert list(crosslens.data(files).ids) == [str(each) for each in files]


def test_pictures_of_a_list_have_sizes_of_their_own_and_follow_resize_and_crop():
    mixed = [Image.fromarray(PIXELS[0]), PIXELS[1, :8], np.stack([PIXELS[2]] * 3, axis=-1)]
    samples = crosslens.data(mixed, resize="pad").read(0, 3, MODEL)
    want = [crosslens.load_image(each, like=MODEL, resize="pad") for each in mixed]
    np.testing.assert_array_equal(samples.images, np.concatenate(want))


def test_the_first_of_several_equal_names_keeps_it():
    assert different(["a", "b", "a", "a#2", "a"]) == ("a", "b", "a#3", "a#2", "a#4")


def test_dark_whole_numbers_are_dark_where_others_of_the_array_are_bright():
    pixels = np.stack([np.full((3, 8, 8), 1, np.uint8), np.full((3, 8, 8), 200, np.uint8)])
    source = crosslens.data(pixels)
    source.check(MODEL)
    np.testing.assert_array_equal(source.read(0, 1, MODEL).images, pixels[:1] / np.float32(255))
    with pytest.raises(ImageError, match="holds uint8 numbers up to 1, and 255 is white in this type"):
        crosslens.data(pixels[:1]).check(MODEL)


def test_normalised_floats_are_refused_before_any_work():
    images = np.random.default_rng(0).normal(size=(20, 3, 8, 8)).astype(np.float32)
    with pytest.raises(ImageError, match=r"16 of 16 images of .* cannot be used: .*Undo the normalisation"):
        crosslens.data(images).check(MODEL)


@pytest.mark.parametrize("make", [lambda file: file.write_bytes(b"PK\3\4 no"), lambda file: np.savez(file, x=LABELS)])
def test_npz_without_images_is_one_line(tmp_path, make):
    make(tmp_path / "x.npz")
    with pytest.raises(ImageError, match=r"(is not an array file|holds no images)") as error:
        crosslens.data(tmp_path / "x.npz")
    assert "\n" not in str(error.value)


def test_idx_that_is_cut_off_or_holds_labels_is_one_line(tmp_path):
    write_idx(tmp_path / "a-labels-idx1-ubyte", LABELS)
    with pytest.raises(ImageError, match="which are labels; images have three axes"):
        crosslens.data(tmp_path / "a-labels-idx1-ubyte")
    write_idx(tmp_path / "a-images-idx3-ubyte", PIXELS)
    with (tmp_path / "a-images-idx3-ubyte").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ImageError, match="its size is not that of"):
        crosslens.data(tmp_path / "a-images-idx3-ubyte")


def test_a_folder_of_array_files_names_them(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", PIXELS)
    np.save(tmp_path / "x.npy", PIXELS)
    with pytest.raises(ImageError, match=r"holds train-images-idx3-ubyte, x.npy: say which, '.*-ubyte' for example"):
        crosslens.data(tmp_path)
