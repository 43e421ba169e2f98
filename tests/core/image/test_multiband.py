"""Pictures with bands: read by the number of channels of the model, and shown in false colours."""

import sys
from pathlib import Path

import crosslens
import numpy as np
import pytest
import tifffile
import torch
from click.testing import CliRunner
from crosslens.cli import cli
from crosslens.errors import ImageError, ParameterError
from crosslens.image.false_colour import MOST_SLICES, false_colour, side_by_side
from crosslens.image.io import load_image
from PIL import Image
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
import three_ways

RNG = np.random.default_rng(0)


def model(channels, size=(12, 14), bounds=None):
    net = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return crosslens.wrap(net, preprocess=None, input_shape=(channels, *size), bounds=bounds)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 12])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_arrays_are_read_with_their_channels_at_either_end(tmp_path, channels, dtype):
    values = RNG.random((channels, 12, 14), np.float32)
    full = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    stored = values if full == 1 else (values * full).round().astype(dtype)
    want = (stored / np.float32(full)).astype(np.float32)[None]
    np.save(tmp_path / "a.npy", stored)
    np.savez(tmp_path / "b.npz", np.moveaxis(stored, 0, -1))
    for name in ("a.npy", "b.npz"):
        np.testing.assert_allclose(load_image(tmp_path / name, like=model(channels)), want, rtol=1e-6)
    own = model(channels, bounds=(0, 10))
    scaled = load_image(tmp_path / "a.npy", like=own)
    np.testing.assert_allclose(scaled, want if full == 1 else 10 * want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("channels", "dtype"), [(2, np.uint8), (4, np.uint16), (6, np.uint16), (12, np.uint8)])
@pytest.mark.parametrize("planar", [False, True])
def test_tiffs_of_samples_and_of_pages_are_read(tmp_path, channels, dtype, planar):
    values = RNG.integers(0, np.iinfo(dtype).max, (channels, 12, 14), dtype)
    stored = values if planar else np.moveaxis(values, 0, -1)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=None if planar else "contig")
    got = load_image(tmp_path / "a.tif", like=model(channels))
    np.testing.assert_allclose(got[0], values / np.iinfo(dtype).max, rtol=1e-6)


def test_pages_of_a_tiff_are_not_dropped_for_a_colour_network(tmp_path):
    values = RNG.integers(0, 256, (3, 12, 14), np.uint8)
    tifffile.imwrite(tmp_path / "three.tif", values, photometric="minisblack")
    np.testing.assert_allclose(load_image(tmp_path / "three.tif", like=model(3))[0], values / 255, rtol=1e-6)
    tifffile.imwrite(tmp_path / "pages.tif", values[:2], photometric="minisblack")
    tifffile.imwrite(tmp_path / "samples.tif", np.zeros((12, 14, 6), np.uint8), photometric="minisblack")
    for name, shape in (("pages", r"\(2, 12, 14\)"), ("samples", r"\(12, 14, 6\)")):
        with pytest.raises(ImageError, match=rf"{name}.tif' holds an array {shape}; this model takes \(3, 12, 14\)"):
            load_image(tmp_path / f"{name}.tif", like=model(3))


def test_a_coloured_tiff_is_a_picture_as_a_png_is(tmp_path):
    pixels = RNG.integers(0, 256, (40, 50, 3), np.uint8)
    for name in ("a.tif", "a.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    for channels in (1, 3):
        tiff, png = (load_image(tmp_path / name, like=model(channels)) for name in ("a.tif", "a.png"))
        np.testing.assert_array_equal(tiff, png)


def test_alpha_is_a_band_for_networks_of_two_and_four(tmp_path):
    for channels, mode in ((4, "RGBA"), (2, "LA")):
        pixels = RNG.integers(0, 256, (12, 14, channels), np.uint8)
        Image.fromarray(pixels, mode).save(tmp_path / f"{mode}.png")
        got = load_image(tmp_path / f"{mode}.png", like=model(channels))
        np.testing.assert_allclose(got[0], np.moveaxis(pixels, -1, 0) / 255, rtol=1e-6)
        assert load_image(tmp_path / f"{mode}.png", like=model(3)).shape[1] == 3


def test_a_larger_picture_of_bands_is_resized_as_pictures_are(tmp_path):
    pixels = RNG.integers(0, 256, (40, 50, 4), np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a.png")
    Image.fromarray(pixels[..., :3]).save(tmp_path / "b.png")
    four, three = load_image(tmp_path / "a.png", like=model(4)), load_image(tmp_path / "b.png", like=model(3))
    np.testing.assert_allclose(four[:, :3], three, atol=1.01 / 255)


def test_what_does_not_fit_is_refused_with_what_would(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 12, 14), np.float32))
    with pytest.raises(ImageError, match=r"holds an array \(5, 12, 14\); this model takes \(6, 12, 14\)"):
        load_image(tmp_path / "a.npy", like=model(6))
    np.save(tmp_path / "b.npy", np.zeros((6, 9, 6), np.float32))
    with pytest.raises(ImageError, match="channels may be in front or at the back"):
        load_image(tmp_path / "b.npy", like=model(6, (None, None)))
    np.save(tmp_path / "c.npy", np.full((6, 12, 14), 7.0, np.float32))
    with pytest.raises(ImageError, match=r"from 7 to 7; this model's images lie in \[0, 1\]"):
        load_image(tmp_path / "c.npy", like=model(6))
    Image.fromarray(np.zeros((12, 14, 3), np.uint8)).save(tmp_path / "d.png")
    with pytest.raises(ImageError, match=r"the picture has bands R, G, B; this model takes \(6, 12, 14\)"):
        load_image(tmp_path / "d.png", like=model(6))
    np.save(tmp_path / "e.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ImageError, match="not an array of numbers"):
        load_image(tmp_path / "e.npy", like=model(6))
    with pytest.raises(ImageError, match="like=model"):
        load_image(tmp_path / "a.npy")


def test_false_colours_are_the_documented_ones():
    image = RNG.random((6, 4, 5))
    np.testing.assert_array_equal(false_colour(image), image[:3])
    np.testing.assert_array_equal(false_colour(image, bands=(4, 3, 1)), image[[3, 2, 0]])
    np.testing.assert_array_equal(false_colour(image[:1]), image[[0, 0, 0]])
    np.testing.assert_array_equal(false_colour(image, bands=(5,)), image[[4, 4, 4]])
    np.testing.assert_array_equal(false_colour(image[:2])[:2], image[:2])
    assert not false_colour(image[:2])[2].any()
    np.testing.assert_allclose(false_colour(10 * image - 5, (-5, 5)), image[:3])
    for wrong in ((0, 1, 2), (1, 2), (7,)):
        with pytest.raises(ParameterError, match="of 1 to 6"):
            false_colour(image, bands=wrong)
    assert side_by_side(np.zeros((100, 4, 5))).shape == (24, 30)
    assert MOST_SLICES == 36


def drawn(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_the_command_line_reads_bands_and_volumes_and_shows_them(tmp_path, monkeypatch):
    import onnx

    six, volume = (6, 12, 14), (2, 8, 10, 12)
    onnx.save(three_ways.onnx_model(six), tmp_path / "six.onnx")
    onnx.save(three_ways.onnx_model(volume), tmp_path / "scan.onnx")
    np.save(tmp_path / "six.npy", RNG.integers(0, 256, six, np.uint8))
    np.save(tmp_path / "scan.npy", RNG.random(volume, np.float32))
    given = ["--preprocess", "unit"]

    def run(*args):
        done = CliRunner().invoke(cli, ["run", *map(str, args), *given])
        assert done.exit_code == 0, done.output
        return done

    monkeypatch.chdir(tmp_path)
    run("grad_cam", "six.onnx", "six.npy", "-o", "first.png")
    run("grad_cam", "six.onnx", "six.npy", "-o", "other.png", "--bands", "6,5,4")
    first, other = map(drawn, ("first.png", "other.png"))
    assert first.shape == other.shape
    assert first.shape[0] / first.shape[1] == 12 / 14
    assert (first != other).any()
    run("gradient", "scan.onnx", "scan.npy", "-o", "scan.npz")
    with np.load(tmp_path / "scan.npz") as saved:
        assert saved["values"].shape == (1, *volume)
        np.testing.assert_array_equal(saved["images"][0], np.load(tmp_path / "scan.npy"))
    run("grad_cam", "scan.onnx", "scan.npy", "-o", "scan.png")
    height, width, _ = drawn("scan.png").shape
    assert height / width == 30 / 36
    wide = run("gradient", "six.onnx", "six.npy", "-o", "wide.npz", "--input-range", "0,255")
    assert "written" in wide.output
    with np.load(tmp_path / "wide.npz") as saved:
        np.testing.assert_allclose(saved["images"][0], np.load(tmp_path / "six.npy"), atol=1e-3)
    refused = CliRunner().invoke(cli, ["run", "gradient", "six.onnx", "six.npy", "--input-range", "255"])
    assert refused.exit_code == 2
    assert "0,255" in refused.output


def test_a_report_shows_a_network_of_bands(tmp_path):
    torch.manual_seed(0)
    a, b = model(6), model(6)
    x = RNG.random((1, 6, 12, 14), np.float32)
    found = crosslens.compare([a, b], crosslens.method("gradient"), x, target=0)
    assert "data:image/png" in found.save(tmp_path / "r.html").read_text()


def test_a_normalised_array_in_a_file_is_told_to_leave_the_preprocessing_out(tmp_path):
    np.save(tmp_path / "a.npy", np.linspace(-2, 2.5, 6 * 12 * 14, dtype=np.float32).reshape(6, 12, 14))
    with pytest.raises(ImageError, match=r"if they are normalised already give preprocess=None, bounds=\(-2, 2.5\)"):
        load_image(tmp_path / "a.npy", like=model(6))


@pytest.mark.parametrize(("dtype", "high"), [(np.uint8, 1), (np.uint16, 255)])
def test_an_array_file_that_would_come_out_nearly_black_is_refused(tmp_path, dtype, high):
    np.save(tmp_path / "mask.npy", np.full((12, 14, 3), high, dtype))
    with pytest.raises(ImageError, match=f"save values / {high} as floats if {high} is white"):
        load_image(tmp_path / "mask.npy", like=model(3))
