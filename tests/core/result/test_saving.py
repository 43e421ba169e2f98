"""Files that results are saved as, read back by Pillow and NumPy; bytes without a file; pickles and copies."""

import copy
import pickle
from dataclasses import replace
from io import BytesIO

import crosslens
import numpy as np
import pytest
from crosslens import Attribution, Synthesis, Table
from crosslens.data import Failure, Gathered, Samples
from crosslens.errors import CrosslensError
from crosslens.result.formats import suffix_of
from crosslens.testing import TinyModel
from PIL import Image

IMAGES = np.random.default_rng(0).random((3, 3, 28, 28), np.float32)
DIGIT = Attribution(np.random.default_rng(1).normal(size=(1, 7, 7)).astype(np.float32), images=IMAGES[:1])
TEXTURE = Synthesis(images=IMAGES[:1], method="texture_synthesis")


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def enlarged(pixels, factor):
    """Each pixel a square, one at a time."""
    height, width, _ = pixels.shape
    out = np.zeros((height * factor, width * factor, 3), np.uint8)
    for y in range(height * factor):
        for x in range(width * factor):
            out[y, x] = pixels[y // factor, x // factor]
    return out


def test_a_small_picture_is_saved_large_enough_to_be_seen_and_pixel_for_pixel_when_asked(tmp_path):
    seen = read(DIGIT.save(tmp_path / "a.png"))
    np.testing.assert_array_equal(seen, enlarged(DIGIT.picture(), 8))
    np.testing.assert_array_equal(read(DIGIT.save(tmp_path / "b.png", scale=1)), DIGIT.picture())
    np.testing.assert_array_equal(read(DIGIT.save(tmp_path / "c.png", scale=3)), enlarged(DIGIT.picture(), 3))
    np.testing.assert_array_equal(read(BytesIO(DIGIT._repr_png_())), seen)


def test_each_picture_of_a_sheet_is_as_large_as_it_would_be_alone(tmp_path):
    sheet = replace(DIGIT, values=DIGIT.values.repeat(3, axis=0), images=IMAGES)
    assert read(sheet.save(tmp_path / "sheet.png")).shape == ((2 * 28 + 4) * 8, (2 * 28 + 4) * 8, 3)


def test_a_picture_of_a_usual_network_keeps_its_size(tmp_path):
    large = Attribution(np.ones((1, 7, 7), np.float32), images=np.zeros((1, 3, 160, 224), np.float32))
    assert read(large.save(tmp_path / "a.png")).shape == (160, 224, 3)


def test_pictures_that_were_made_are_saved_pixel_for_pixel(tmp_path):
    raw = (np.moveaxis(IMAGES[0], 0, -1) * 255).round().astype(np.uint8)
    np.testing.assert_array_equal(read(TEXTURE.save(tmp_path / "a.png")), raw)
    np.testing.assert_array_equal(read(TEXTURE.save(tmp_path / "b.png", scale=4)), enlarged(raw, 4))
    assert read(BytesIO(TEXTURE._repr_png_())).shape == (224, 224, 3)


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP"), (".PNG", "PNG")])
def test_pictures_in_other_formats_show_the_same(suffix, kind, tmp_path):
    path = DIGIT.save(tmp_path / f"a{suffix}", "signed")
    with Image.open(path) as picture:
        assert picture.format == kind
        assert getattr(picture, "n_frames", 1) == 1
    away = np.abs(read(path).astype(float) - enlarged(DIGIT.picture("signed"), 8))
    assert away.mean() < 4
    assert DIGIT.encode(suffix, "signed") == path.read_bytes()


def test_quality_makes_a_jpeg_smaller_and_colours_keep_their_resolution(tmp_path):
    assert len(DIGIT.encode(".jpg", quality=30)) < len(DIGIT.encode(".jpg")) / 1.5
    with Image.open(BytesIO(DIGIT.encode(".jpg"))) as picture:
        assert {each[1:3] for each in picture.layer} == {(1, 1)}


def test_bytes_are_those_of_the_file(tmp_path):
    several = replace(TEXTURE, images=IMAGES)
    for suffix in (".png", ".jpg", ".gif", ".webp"):
        assert several.encode(suffix) == several.save(tmp_path / f"a{suffix}").read_bytes()
    with np.load(BytesIO(DIGIT.encode("cat.npz"))) as stored:
        np.testing.assert_array_equal(stored["values"], DIGIT.values)


def test_webp_is_an_animation_where_there_are_several_pictures_and_a_picture_where_there_is_one(tmp_path):
    several = replace(TEXTURE, images=IMAGES)
    for result, frames in ((several, 3), (TEXTURE, 1), (several[0], 1)):
        with Image.open(result.save(tmp_path / "a.webp")) as picture:
            assert getattr(picture, "n_frames", 1) == frames


def test_snapshots_and_the_masked_picture_are_written_beside_any_still_picture(tmp_path):
    made = replace(TEXTURE, snapshots={2: IMAGES[1:2]}, mask=np.ones((1, 28, 28), np.float32))
    made.save(tmp_path / "a.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-0002.jpg", "a-masked.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda to: DIGIT.save(to / "a.bmp"),
            r"cannot save a result as 'a\.bmp'; use \.png, \.jpg or \.webp for a pict",
        ),
        (lambda to: DIGIT.save(to / "a"), r"cannot save a result as 'a'; use \.png"),
        (lambda to: DIGIT.encode(""), r"cannot save a result as ''; use \.png"),
        (lambda to: DIGIT.save(to / "a.gif"), r"makes no animation; save it as \.png, \.jpg, \.webp or \.npz"),
        (lambda to: DIGIT.save(to / "a.npz", scale=2), r"scale= is for pictures, \.png, .*; '\.npz' holds no drawing"),
        (lambda to: TEXTURE.save(to / "a.gif", scale=2), "scale= is for pictures"),
        (lambda to: TEXTURE.save(to / "a.png", "signed"), "form is how maps are drawn, and a Synthesis is none"),
        (lambda to: DIGIT.save(to / "a.png", scale=0), "scale is 0; give a whole number of pixels, at least 1"),
        (lambda to: DIGIT.save(to / "a.png", scale=1.5), r"scale is 1\.5; give a whole number"),
        (lambda to: DIGIT.save(to / "a.jpg", quality=101), "quality is 101; give a whole number from 1 to 100"),
        (lambda to: Table({"a": np.ones(1)}).encode(".png"), r"cannot save a table as '\.png'; use \.npz, which holds"),
        (lambda to: DIGIT.save(to / "none" / "a.jpg"), "the folder '.*none' does not exist"),
    ],
)
def test_what_cannot_be_saved_is_refused_in_one_line_and_leaves_no_file(call, message, tmp_path):
    with pytest.raises(CrosslensError, match=message) as refused:
        call(tmp_path)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.PNG", ".png"), (".npz", ".npz"), ("npz", ""), ("a.b.jpg", ".jpg"), ("x/.jpg", ".jpg"), ("a.", ".")],
)
def test_a_suffix_is_read_off_a_name(name, suffix):
    assert suffix_of(name) == suffix


def test_results_comparisons_alignments_and_divergences_pickle_and_copy():
    models = {"a": TinyModel(), "b": TinyModel(seed=1)}
    images = IMAGES[:2, :, :8, :8]
    made = [
        crosslens.method("integrated_gradients", steps=3)(models["a"], images, 2),
        crosslens.compare(models, crosslens.method("gradient"), images, 1, layers=True),
        crosslens.align(*models.values(), images=images),
        crosslens.diverge(*models.values(), images=images),
        crosslens.search("activation_maximisation", TinyModel(size=16), target=1, trials=1),
    ]
    for each in made:
        for again in (pickle.loads(pickle.dumps(each)), copy.deepcopy(each), copy.copy(each)):
            assert type(again) is type(each)
            assert repr(again) == repr(each)
            assert_equal(vars(again), vars(each))


def assert_equal(got, wanted):
    if isinstance(wanted, np.ndarray):
        np.testing.assert_array_equal(got, wanted)
    elif isinstance(wanted, dict):
        assert got.keys() == wanted.keys()
        for key, value in wanted.items():
            assert_equal(got[key], value)
    elif isinstance(wanted, list | tuple):
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted, strict=True):
            assert_equal(one, other)
    elif hasattr(wanted, "__dataclass_fields__"):
        assert type(got) is type(wanted)
        assert_equal(vars(got), vars(wanted))
    else:
        assert got == wanted or got != got


def test_what_is_gathered_from_data_is_one_line():
    gathered = Gathered({}, 12, (Failure(3, "bad.png", "truncated"),))
    assert repr(gathered) == "<Gathered: 12 images, 1 failure>"
    samples = Samples((0, 1), ("a", "b"), IMAGES[:2], ({}, {}), ())
    assert repr(samples) == "<Samples: 2 images, (2, 3, 28, 28)>"
    assert repr(Samples((), (), None, (), (Failure(3, "bad.png", "x"),))) == "<Samples: 1 failure>"
