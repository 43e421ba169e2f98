"""How pictures get to a model's size: what is kept, what is cut off, and that the choice is recorded."""

import json

import crosslens
import numpy as np
import pytest
from click.testing import CliRunner
from crosslens.cli import cli
from crosslens.errors import ImageError, ModelError
from crosslens.image.fitting import RESIZE, fitting
from crosslens.model import InputSpec
from crosslens.testing import TinyModel
from PIL import Image

RNG = np.random.default_rng(0)


def peak_of(work):
    """Bytes by which the work raises the most that this process ever had."""
    from resource import RUSAGE_SELF, getrusage

    before = getrusage(RUSAGE_SELF).ru_maxrss
    work()
    return 1024 * (getrusage(RUSAGE_SELF).ru_maxrss - before)


def taking(*shape, bounds=(0.0, 1.0)):
    model = TinyModel()
    model.input = InputSpec(shape, bounds)
    return model


def picture(height, width, channels=3):
    return RNG.integers(0, 256, (height, width, channels), np.uint8).squeeze()


def as_torchvision(pixels, resized, size):
    """Resize and CenterCrop of (H, W, 3), written for this test."""
    at = np.asarray(Image.fromarray(pixels).resize(resized[::-1], Image.Resampling.BICUBIC))
    top, left = ((m - n) // 2 for m, n in zip(resized, size, strict=True))
    return at[top : top + size[0], left : left + size[1]].transpose(2, 0, 1)[None] / np.float32(255)


@pytest.mark.parametrize("own", [(2, 300), (300, 3), (2, 500), (7, 7000)])
@pytest.mark.parametrize("crop", [None, 0.7, 1.0])
def test_a_long_picture_is_cut_before_it_is_enlarged_and_keeps_its_pixels(own, crop):
    """Within one step of 255: Pillow rounds the place of a cut, which is no whole pixel of the small picture."""
    pixels = picture(*own)
    fit = fitting(own, (32, 32), crop=crop)
    assert fit.resized[0] * fit.resized[1] > 16 * 32 * 32
    got = np.asarray(fit.apply(Image.fromarray(pixels)), int)
    want = as_torchvision(pixels, fit.resized, (32, 32))[0].transpose(1, 2, 0) * 255
    assert np.abs(got - want.round()).max() <= 1
    assert (got == want.round()).mean() > 0.99


def test_a_narrow_picture_takes_no_memory_for_what_is_cut_off():
    """1 x 20000 would be 224 x 4480000 pixels, 4 GB, before the middle is cut out."""
    taken = peak_of(lambda: fitting((20000, 1), (224, 224)).apply(Image.new("RGB", (1, 20000))))
    assert taken < 100e6


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_of_the_models_size_keeps_its_pixels(channels, tmp_path):
    pixels = picture(28, 28, channels)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    want = np.atleast_3d(pixels).transpose(2, 0, 1)[None] / np.float32(255)
    for form in (tmp_path / "a.png", Image.fromarray(pixels), pixels):
        np.testing.assert_array_equal(crosslens.load_image(form, like=taking(channels, 28, 28)), want)


@pytest.mark.parametrize(
    ("own", "resized"),
    [
        ((300, 451), (256, 385)),  # a photograph: 256 for 224
        ((256, 256), (256, 256)),
        ((230, 240), (230, 240)),  # too small to cut 224 of 256: not enlarged for that
        ((224, 300), (224, 300)),
        ((112, 112), (224, 224)),  # smaller than the model's input: enlarged until it covers it
        ((100, 150), (224, 336)),
    ],
)
def test_the_rule_for_pictures_of_every_size(own, resized):
    pixels = picture(*own)
    got = crosslens.load_image(Image.fromarray(pixels), like=taking(3, 224, 224))
    np.testing.assert_allclose(got, as_torchvision(pixels, resized, (224, 224)), rtol=1e-6)


def test_a_crop_that_is_asked_for_is_obeyed_whatever_the_size():
    pixels = picture(28, 28)
    got = crosslens.load_image(pixels, like=taking(3, 28, 28), crop=0.875)
    np.testing.assert_allclose(got, as_torchvision(pixels, (32, 32), (28, 28)), rtol=1e-6)
    whole = crosslens.load_image(picture(40, 40), like=taking(3, 28, 28), crop=1)
    assert whole.shape == (1, 3, 28, 28)


def test_nothing_is_enlarged_for_the_cut_and_no_more_cut_off_than_in_evaluations():
    for side in range(1, 120):
        made = fitting((side, side), (28, 28))
        assert made.resized[0] == (28 if side < 28 else min(side, 32))
        assert made.share == pytest.approx(28 / made.resized[0], abs=1e-4)


def test_squash_keeps_all_of_the_picture_and_pad_its_proportions():
    pixels = np.full((40, 80, 3), 255, np.uint8)
    pixels[:, :4] = 0  # an edge that the centre cut would lose
    model = taking(3, 28, 28)
    squashed, padded = (crosslens.load_image(pixels, like=model, resize=way)[0, 0] for way in ("squash", "pad"))
    assert squashed[14, 0] < 0.5 < squashed[14, 14] == squashed[0, 14] == 1
    assert crosslens.load_image(pixels, like=model)[0, 0].min() == 1
    assert padded[:7].max() == padded[21:].max() == 0 < padded[14, 14] == 1
    wide = taking(3, 28, 28, bounds=(-1, 3))
    np.testing.assert_allclose(crosslens.load_image(pixels, like=wide, resize="pad")[0, 0], 4 * padded - 1, atol=1e-6)


@pytest.mark.parametrize("size", [4, (0, 4), (-3, 4), ("a", 4), (4, 4, 4), (4.5, 4)])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ImageError, match=r"^size is .*; it is \(H, W\) in pixels"):
        crosslens.load_image(picture(4, 5), size=size)


@pytest.mark.parametrize("like", ["net.onnx", dict])
def test_a_model_that_is_not_wrapped_is_refused(like):
    with pytest.raises(ModelError, match=r"takes a model, crosslens.wrap\(network\)"):
        crosslens.load_image(picture(4, 5), like=like)


def test_what_cannot_be_obeyed_is_refused():
    pixels, model = picture(40, 50), taking(3, 28, 28)
    with pytest.raises(ImageError, match=r"no resize 'pda'; there are short, squash, pad, none. Did you mean 'pad'"):
        crosslens.load_image(pixels, like=model, resize="pda")
    with pytest.raises(ImageError, match=r"crop is 87.5; it is the share"):
        crosslens.load_image(pixels, like=model, crop=87.5)
    with pytest.raises(ImageError, match=r"crop is 'a'; it is the share"):
        crosslens.load_image(pixels, like=model, crop="a")
    for way in ("pad", "none"):
        with pytest.raises(ImageError, match=f"crop=0.5 means nothing with resize='{way}'"):
            crosslens.load_image(pixels, like=model, resize=way, crop=0.5)
    for option in ({"crop": 0.5}, {"resize": "squash"}, {"resize": "pad"}):
        with pytest.raises(ImageError, match="needs a size"):
            crosslens.load_image(pixels, **option)
    with pytest.raises(ImageError, match=r"different sizes, \(3, 28, 28\), \(3, 40, 50\)"):
        crosslens.load_image([pixels, pixels[:28, :28]])
    with pytest.raises(ImageError, match="the list holds no picture"):
        crosslens.load_image([], like=model)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, bool])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_are_loaded_like_the_files_of_their_pixels(dtype, channels, tmp_path):
    """Those of other types are not rounded to 8 bits on the way: of a smooth picture two of 255 are the most."""
    rows, columns = np.mgrid[:40, :50] / 60
    pixels = np.rint(255 * np.dstack([rows, columns, rows * columns])).astype(np.uint8)
    pixels = 255 * (pixels > 99).astype(np.uint8) if dtype is bool else pixels
    white = {np.uint8: 255, np.uint16: 65535}.get(dtype, 1)
    array = np.rint(pixels / 255.0 * white).astype(dtype) if white > 1 else (pixels / 255.0).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    model = taking(channels, 28, 28)
    want = crosslens.load_image(tmp_path / "a.png", like=model)
    forms = [array, array[None], list(array[None])] + ([array.transpose(2, 0, 1)] if channels == 3 else [])
    for form in forms:
        np.testing.assert_allclose(crosslens.load_image(form, like=model), want, atol=2.01 / 255)
    several = crosslens.load_image(np.stack([array, array[::-1]]), like=model)
    np.testing.assert_array_equal(several[:1], crosslens.load_image(array, like=model))


def test_an_array_without_a_model_is_a_colour_picture_at_its_own_size():
    pixels = picture(9, 7)
    want = pixels.transpose(2, 0, 1)[None] / np.float32(255)
    np.testing.assert_array_equal(crosslens.load_image(pixels), want)
    np.testing.assert_array_equal(crosslens.load_image(pixels[..., 0]), want[:, [0, 0, 0]])
    np.testing.assert_array_equal(crosslens.load_image([pixels, pixels]), np.concatenate([want, want]))
    transparent = np.dstack([pixels, np.zeros((9, 7), np.uint8)])
    np.testing.assert_array_equal(crosslens.load_image(transparent), np.ones_like(want))
    np.testing.assert_allclose(crosslens.load_image(transparent / 255), np.ones_like(want))


def test_results_record_how_their_pictures_were_loaded(tmp_path):
    Image.fromarray(picture(40, 60)).save(tmp_path / "a.png")
    Image.fromarray(picture(8, 8)).save(tmp_path / "b.png")
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    a = {"file": str(files[0]), "size": [40, 60], "resized": [9, 14], "resize": "short", "crop": 0.8889}
    b = {"file": str(files[1]), "size": [8, 8], "resized": [8, 8], "resize": "none", "crop": 1.0}
    gradient, model = crosslens.method("gradient"), TinyModel()
    for images in (
        files,
        crosslens.load_image(files, like=model),
        [crosslens.load_image(f, like=model) for f in files],
    ):
        assert gradient(model, images, 0).provenance["loading"] == [a, b]
    result = gradient(model, files, 0)
    assert result[1].provenance["loading"] == [b]
    assert crosslens.load(result.save(tmp_path / "r.npz")).provenance["loading"] == [a, b]
    own = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    assert "loading" not in gradient(model, own, 0).provenance
    copy = crosslens.load_image(files[1], like=model).copy()
    assert "loading" not in gradient(model, copy, 0).provenance


def test_a_folder_reads_as_it_is_told_and_its_digest_holds_it(tmp_path):
    Image.fromarray(picture(40, 60)).save(tmp_path / "a.png")
    model = TinyModel()
    sources = [crosslens.data(tmp_path), crosslens.data(tmp_path, resize="pad"), crosslens.data(tmp_path, crop=0.5)]
    assert len({source.digest for source in sources}) == 3
    for source, options in zip(sources, ({}, {"resize": "pad"}, {"crop": 0.5}), strict=True):
        want = crosslens.load_image(tmp_path / "a.png", like=model, **options)
        np.testing.assert_array_equal(source.read(0, 1, model).images, want)
    with pytest.raises(ImageError, match="resize and crop are for pictures"):
        crosslens.data(np.zeros((1, 3, 8, 8), np.float32), crop=1)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    (tmp_path / "tiny_networks.py").write_text("from crosslens.testing import TinyModel\nmake = TinyModel\n")
    monkeypatch.syspath_prepend(tmp_path)
    Image.fromarray(picture(40, 60)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        return CliRunner().invoke(cli, [*words])

    return run


def test_the_shell_obeys_and_records_it(shell, tmp_path):
    done = shell("run", "gradient", "tiny_networks:make", "a.png", "--resize", "squash", "--json", "-o", "r.npz")
    assert done.exit_code == 0, done.output
    record = {"file": "a.png", "size": [40, 60], "resized": [8, 8], "resize": "squash", "crop": 1.0}
    assert json.loads(done.stdout)["provenance"]["loading"] == [record]
    saved = crosslens.load("r.npz")
    assert saved.provenance["loading"] == [record]
    np.testing.assert_array_equal(saved.images, crosslens.load_image("a.png", like=TinyModel(), resize="squash"))


@pytest.mark.parametrize("command", ["compare", "align", "diverge"])
def test_every_command_that_loads_pictures_obeys(shell, command, monkeypatch):
    seen = []
    loading = crosslens.cli._options.pictures.load_image
    monkeypatch.setattr(
        "crosslens.cli._options.pictures.load_image", lambda *a, **k: seen.append(k) or loading(*a, **k)
    )
    method = ["gradient"] if command == "compare" else []
    done = shell(
        command, *method, *["tiny_networks:make"] * 2, "--image", "a.png", "--crop", "0.5", "--resize", "squash"
    )
    assert done.exit_code == 0, done.output
    assert [(each["resize"], each["crop"]) for each in seen] == [("squash", 0.5)]


def test_the_shell_refuses_what_it_cannot_obey(shell):
    words = ("run", "gradient", "tiny_networks:make", "a.png")
    assert "--crop 0.5 means nothing with --resize pad" in shell(*words, "--resize", "pad", "--crop", "0.5").output
    assert "--resize none keeps 40 x 60 pixels; this model takes" in shell(*words, "--resize", "none").output
    assert shell(*words, "--crop", "2").exit_code == 2
    for way in RESIZE:
        assert way in shell(*words, "--help").output


def test_a_methods_own_crop_stays_its_own(shell):
    done = shell("run", "accentuation", "--help")
    assert done.exit_code == 0
    assert "least and most share" in done.output
    assert "Share of the short side" not in done.output
