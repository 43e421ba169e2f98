"""Pictures of every kind that cameras and users produce."""

import numpy as np
import pytest
from crosslens.errors import ImageError
from crosslens.image.colormap import colour
from crosslens.image.contact_sheet import contact_sheet
from crosslens.image.io import load_image, save_image
from crosslens.image.overlay import overlay
from crosslens.model import InputSpec
from crosslens.testing import TinyModel
from PIL import Image


@pytest.fixture
def gradient_picture():
    values = np.zeros((60, 90, 3), np.uint8)
    values[..., 0] = np.linspace(0, 255, 90)[None]
    values[..., 1] = np.linspace(0, 255, 60)[:, None]
    return Image.fromarray(values)


def test_a_picture_is_a_float32_rgb_batch_in_0_1(tmp_path, gradient_picture):
    gradient_picture.save(tmp_path / "x.png")
    image = load_image(tmp_path / "x.png")
    assert (image.shape, image.dtype) == ((1, 3, 60, 90), np.float32)
    np.testing.assert_array_equal(image[0, 0, 0, [0, -1]], [0, 1])


def test_like_a_model_means_its_size_and_centre(gradient_picture):
    image = load_image(gradient_picture, like=TinyModel(size=16))
    assert image.shape == (1, 3, 16, 16)
    assert abs(image[0, 0].mean() - 0.5) < 0.03  # half a pixel of 27


def test_a_grey_model_gets_one_channel_of_luma(gradient_picture):
    model = TinyModel()
    model.input = InputSpec((1, 16, 16))
    image = load_image(Image.new("RGB", (20, 20), (255, 0, 0)), like=model)
    assert image.shape == (1, 1, 16, 16)
    np.testing.assert_allclose(image, 0.299, atol=2 / 255)


def test_a_grey_picture_becomes_rgb():
    image = load_image(Image.new("L", (8, 8), 51))
    assert image.shape == (1, 3, 8, 8)
    np.testing.assert_allclose(image, 0.2)


def test_transparency_is_laid_on_white():
    image = load_image(Image.new("RGBA", (8, 8), (255, 0, 0, 0)))
    np.testing.assert_array_equal(image, 1)


def test_16_bits_are_scaled_not_clipped(tmp_path):
    Image.fromarray(np.full((8, 8), 32768, np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_allclose(load_image(tmp_path / "deep.png"), 0.5, atol=1 / 255)


def test_a_picture_of_floats_that_holds_nan_is_refused(tmp_path):
    values = np.ones((4, 6), np.float32)
    values[1, 2] = np.nan
    Image.fromarray(values).save(tmp_path / "nan.tif")
    with pytest.raises(ImageError, match=r"the picture \(6 x 4 floats\) holds NaN or infinite values"):
        load_image(tmp_path / "nan.tif")


def test_the_exif_rotation_is_obeyed(tmp_path):
    picture = Image.new("RGB", (40, 20))
    picture.paste((255, 255, 255), (0, 0, 10, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    image = load_image(tmp_path / "turned.png")
    assert image.shape == (1, 3, 40, 20)
    assert image[0, 0, 2, 10] == 1
    assert image[0, 0, -2, 10] == 0


def test_one_pixel_is_a_picture():
    assert load_image(Image.new("RGB", (1, 1), "white"), like=TinyModel(size=8)).min() == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "none.png", r"no picture at '.*none.png': the file does not exist"),
        (lambda p: p, "is a folder"),
        (lambda p: _written(p / "text.png", b"hello"), r"text.png' is not a picture that Pillow can read"),
        (lambda p: _truncated(p / "cut.png"), r"cut.png' is not a picture that Pillow can read"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(tmp_path, make, message):
    with pytest.raises(ImageError, match=message) as caught:
        load_image(make(tmp_path))
    assert "\n" not in str(caught.value)


def _written(path, data):
    path.write_bytes(data)
    return path


def _truncated(path):
    Image.effect_noise((64, 64), 50).save(path)
    return _written(path, path.read_bytes()[:500])


def test_saving_and_loading_gives_the_picture_back(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    back = load_image(save_image(pixels, tmp_path / "x.png"))
    np.testing.assert_array_equal((back[0] * 255).round(), np.moveaxis(pixels, -1, 0))


def test_saving_elsewhere_than_a_picture_says_so(tmp_path):
    with pytest.raises(ImageError, match=r"cannot write '.*x.xyz'.*use .png"):
        save_image(np.zeros((2, 2, 3), np.uint8), tmp_path / "x.xyz")
    with pytest.raises(ImageError, match=r"the folder .*none. does not exist"):
        save_image(np.zeros((2, 2, 3), np.uint8), tmp_path / "none" / "x.png")


def test_signed_values_are_blue_white_red():
    (blue, white, red) = colour(np.array([[-1.0, 0.0, 1.0]]))[0].astype(int)
    assert blue[2] > blue[0]
    assert white.min() > 240
    assert red[0] > red[2]


def test_an_overlay_shows_the_picture_where_the_map_is_zero():
    image = np.random.default_rng(0).random((3, 4, 4))
    values = np.zeros((4, 4))
    values[0, 0] = 1
    shown = overlay(image, values).astype(float)
    luma = 255 * np.tensordot([0.299, 0.587, 0.114], image, axes=1)
    assert np.corrcoef(shown[1:].mean(axis=-1).ravel(), luma[1:].ravel())[0, 1] > 0.999
    assert np.ptp(shown[0, 0]) > 30


def test_an_overlay_of_values_far_from_zero_shows_where_they_differ():
    rng = np.random.default_rng(0)
    image, values = rng.random((3, 4, 4)), rng.random((4, 4))
    values[0, 0] = 0
    np.testing.assert_array_equal(overlay(image, values + 8), overlay(image, values))
    assert np.isfinite(overlay(image, np.full((4, 4), 8.0))).all()


def test_a_contact_sheet_holds_every_picture():
    pictures = [np.full((4, 4, 3), shade, np.uint8) for shade in (10, 20, 30)]
    sheet = contact_sheet(pictures)
    assert {10, 20, 30} <= set(sheet.ravel().tolist())


@pytest.mark.parametrize("name", ["cat.png", "cat.eps", "cat.jpg"])
def test_postscript_starts_no_other_program_whatever_it_is_called(tmp_path, monkeypatch, name):
    """Pillow hands PostScript to Ghostscript, which is a language with files."""
    stub = tmp_path / "gs"
    stub.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / name).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\nshowpage\n")
    with pytest.raises(ImageError, match=f"{name}' is not a picture that Pillow can read as PNG, JPEG"):
        load_image(tmp_path / name)
    assert not (tmp_path / "started").exists()


def test_formats_nobody_means_are_refused_by_their_content(tmp_path):
    for form in ("PCX", "TGA", "ICO", "PDF"):
        Image.new("RGB", (16, 16)).save(tmp_path / "cat.png", form)
        with pytest.raises(ImageError, match="is not a picture that Pillow can read"):
            load_image(tmp_path / "cat.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"])
def test_the_formats_meant_are_read_whatever_the_file_is_called(tmp_path, form):
    Image.new("RGB", (16, 16), (255, 0, 0)).save(tmp_path / "cat.picture", form)
    np.testing.assert_allclose(load_image(tmp_path / "cat.picture")[0, :, 8, 8], [1, 0, 0], atol=0.02)


def test_whole_numbers_that_8_or_32_bits_hold_are_no_picture_of_16_bits(tmp_path):
    dark = np.arange(12, dtype=np.int32).reshape(3, 4)
    for values in (dark, dark * 10000, dark - 1, dark.astype(np.uint16)):
        with pytest.raises(ImageError, match=r"holds whole numbers from .* white is 65535 in such pictures: give"):
            load_image(Image.fromarray(values))
    assert load_image(Image.fromarray(dark * 0)).max() == 0
    want = np.round(dark * 5957 / 257) / 255
    np.testing.assert_allclose(load_image(Image.fromarray(dark * 5957))[0, 0], want, rtol=1e-6)


def test_pictures_of_floats_are_shares_as_arrays_are_and_not_stretched(tmp_path):
    values = np.linspace(0.2, 0.7, 12, dtype=np.float32).reshape(3, 4)
    Image.fromarray(values).save(tmp_path / "grey.tiff")
    for picture in (Image.fromarray(values), tmp_path / "grey.tiff"):
        loaded = load_image(picture)
        assert loaded.shape == (1, 3, 3, 4)
        np.testing.assert_allclose(loaded, np.broadcast_to(values, (1, 3, 3, 4)), rtol=1e-6)
    with pytest.raises(ImageError, match=r"Divide by 255"):
        load_image(Image.fromarray(255 * values))


def test_modes_that_pillow_does_not_convert_at_once_are_read():
    grey = Image.new("LA", (4, 3), (51, 255))
    np.testing.assert_allclose(load_image(grey.convert("La")), 0.2, rtol=1e-6)
