"""Colour statistics against the definitions, written with loops; what is made of them by methods that make pictures."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import ImageError, ParameterError
from crosslens.operators import Colour
from crosslens.testing import TinyModel, same

MODEL = TinyModel()
IMAGES = np.random.default_rng(0).random((11, 3, 8, 8), dtype=np.float32)
IMAGES[:, 1] = 0.7 * IMAGES[:, 0] + 0.3 * IMAGES[:, 1]


def measured(images=IMAGES, model=MODEL, batch_size=None):
    model.batch_size = batch_size
    return crosslens.method("colour_statistics")(model, images)


class Grey(TinyModel):
    """Reads pictures with one channel; nothing here runs it."""

    def __init__(self, size):
        super().__init__()
        self.input = crosslens.InputSpec((1, size, size))


def covariance_of_all_pixels(images):
    pixels = np.moveaxis(images.astype(np.float64), 1, -1).reshape(-1, images.shape[1])
    centred = pixels - pixels.mean(axis=0)
    return sum(np.outer(each, each) for each in centred) / len(centred)


def mean_magnitude(images, axes, channel, row, column):
    """One frequency's, by the sum that defines the Fourier transform, divided by the number of pixels."""
    n, _, height, width = images.shape
    inside = images.astype(np.float64).clip(1e-3, 1 - 1e-3)
    coordinates = np.einsum("kc,nchw->nkhw", np.linalg.inv(axes), np.log(inside / (1 - inside)))[:, channel]
    y, x = np.mgrid[:height, :width]
    wave = np.exp(-2j * np.pi * (row * y / height + column * x / width))
    return sum(abs((each * wave).sum()) / (height * width) for each in coordinates) / n


def test_mean_and_covariance_are_those_of_all_pixels_of_all_images():
    for batch_size in (None, 1, 4):
        result = measured(batch_size=batch_size)
        same(result.covariance, covariance_of_all_pixels(IMAGES), rtol=1e-12)
        same(result.mean, IMAGES.astype(np.float64).mean(axis=(0, 2, 3)), rtol=1e-12)


def test_axes_times_their_transpose_are_the_covariance_and_axes_are_at_right_angles():
    result = measured()
    product = result.axes @ result.axes.T * result.deviations()[0] ** 2
    same(product, result.covariance, rtol=1e-4)
    inner = result.axes.T @ result.axes
    same(inner, np.diag(np.diag(inner)), rtol=1e-5)
    assert np.all(np.diff(np.diag(inner)) <= 0)


def test_magnitudes_are_those_of_the_transform_along_the_axes():
    result = measured()
    for channel, row, column in [(0, 0, 0), (1, 3, 2), (2, 7, 4)]:
        expected = mean_magnitude(IMAGES, result.axes, channel, row, column)
        assert result.amplitudes[channel, row, column] == pytest.approx(expected, rel=1e-10)


def test_octaves_are_means_over_rings_of_the_whole_plane():
    result = measured()
    full = np.stack([[mean_magnitude(IMAGES, result.axes, 0, row, column) for column in range(8)] for row in range(8)])
    cycles = np.hypot(*np.meshgrid(np.fft.fftfreq(8, 1 / 8), np.fft.fftfreq(8, 1 / 8)))
    first = full[(cycles > 0) & (cycles < np.sqrt(2))].mean()
    assert result.octaves()[0, 0] == pytest.approx(full[0, 0])
    assert result.octaves()[1, 0] == pytest.approx(first)


def pictures_of_power(power, size=64, count=12):
    """Random phases under amplitudes 1 / f^power, in the middle half of the range."""
    rng = np.random.default_rng(1)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    frequency[0, 0] = np.inf
    made = np.real(np.fft.ifft2(np.fft.fft2(rng.standard_normal((count, size, size))) / frequency**power))
    made /= 4 * np.abs(made).max(axis=(1, 2), keepdims=True)
    return (made[:, None] + 0.5).astype(np.float32)


@pytest.mark.parametrize("power", [0.6, 1.0, 1.4])
def test_the_fall_of_amplitudes_is_found(power):
    result = measured(pictures_of_power(power), Grey(64))
    assert result.decay == pytest.approx(power, abs=0.1)
    assert result.axes.tolist() == [[1.0]]


def test_grey_pictures_in_three_channels_keep_colours_within_reach():
    grey = np.repeat(IMAGES[:, :1], 3, axis=1)
    result = measured(grey)
    lengths = np.linalg.norm(result.axes, axis=0)
    np.testing.assert_allclose(lengths, [1.0, 0.01, 0.01], rtol=1e-4)
    assert np.isfinite(result.octaves()).all()


def test_pictures_of_one_colour_keep_their_channels_as_axes():
    result = measured(np.full((3, 3, 8, 8), 0.3, np.float32))
    same(result.axes, np.eye(3), exact=True)
    assert result.decay is None
    assert result.picture().shape[2] == 3


def test_the_picture_has_a_strip_for_each_axis_and_the_spectrum_in_the_middle():
    result = measured(pictures_of_power(1.0, 16) + 0.2, Grey(16))
    assert result.picture().dtype == np.uint8
    (spectrum,) = result._spectra()
    assert spectrum.shape == (16, 16, 3)
    brightness = spectrum.astype(int).sum(axis=-1)
    assert np.unravel_index(brightness.argmax(), (16, 16)) == (8, 8)
    same(brightness[1:, 1:], brightness[:0:-1, :0:-1], exact=True)


def test_a_survey_has_the_picture_too(tmp_path):
    (file,) = measured().save_into(tmp_path)
    assert crosslens.load_image(file).shape[1] == 3


def test_volumes_are_refused():
    model = TinyModel()
    model.input = crosslens.InputSpec((1, 4, 4, 4))
    with pytest.raises(ImageError, match="for pictures"):
        crosslens.method("colour_statistics").statistics(model, None)


@pytest.mark.parametrize("name", ["activation_maximisation", "caricature", "maco"])
def test_file_store_and_result_give_the_same_picture_and_others_do_not(tmp_path, name):
    result = measured()
    (tmp_path / "colour_statistics").mkdir()  # as the store of a sweep has it
    given = [f"data:{result.save(tmp_path / 'colour_statistics' / 'result.npz')}", f"data:{tmp_path}", result]
    kind = crosslens.plugins.method_class(name)
    images = IMAGES[:1] if kind.needs_images else None
    made = [kind(**kind.example, colour=each)(MODEL, images, target=1) for each in given]
    same(made[1].images, made[0].images, exact=True)
    same(made[2].images, made[0].images, exact=True)
    assert made[0].parameters["colour"] == given[0]
    default = kind(**kind.example)(MODEL, images, target=1)
    assert np.abs(default.images - made[0].images).max() > 1e-3


def test_a_covariance_gives_the_same_colours_as_the_result_it_is_of():
    result, options = measured(), {"steps": 3, "parameterisation": "pixels"}
    climb = [crosslens.method("activation_maximisation", **options, colour=c) for c in (result, result.covariance)]
    first, second = (each(MODEL, target=1).images for each in climb)
    same(first, second, exact=True)


@pytest.mark.parametrize(
    ("colour", "text"),
    [
        ("data:nope.npz", "no colours at 'nope.npz': the file does not exist; measure them: crosslens run colour_st"),
        ("data:.", r"the store '\.' holds no colours: crosslens sweep MODEL DATA colour_statistics -o \."),
        ("data:table.npz", "'table.npz' holds a result of mean_activation, not colours; measure them"),
        ("data:grey.npz", "measured on pictures with 1 channel, and these have 3; measure them"),
        ("data:", "it must be photographs, lucid, rgb or data:FILE"),
        (np.zeros((2, 3)), r"a symmetric matrix \(C, C\) of numbers; this has the shape \(2, 3\)"),
        (3.5, "colour is 3.5; it must be photographs, lucid, rgb, data:FILE, a result of colour_statistics or a cov"),
    ],
)
def test_colours_that_are_not_there_are_refused(tmp_path, monkeypatch, colour, text):
    monkeypatch.chdir(tmp_path)
    crosslens.method("mean_activation")(MODEL, IMAGES).save("table.npz")
    measured(pictures_of_power(1.0, 16), Grey(16)).save("grey.npz")
    with pytest.raises(ParameterError, match=text):
        crosslens.method("activation_maximisation", steps=1, colour=colour)(MODEL, target=1)


def test_maco_needs_a_spectrum():
    with pytest.raises(ParameterError, match="it must be photographs or data:FILE"):
        crosslens.method("maco", steps=1, colour="lucid")(MODEL, target=1)
    with pytest.raises(ParameterError, match="colour is 'a covariance', whose spectrum is not known"):
        crosslens.method("maco", steps=1, colour=np.eye(3))(MODEL, target=1)


def test_principal_axes_do_not_depend_on_the_last_bits_of_a_covariance():
    covariance = measured().covariance
    assert Colour.principal(covariance) == Colour.principal(covariance * (1 + 1e-12))
