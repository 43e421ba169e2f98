"""DeepDream: its steps are the notebook's written slowly in torch, its tiles cover, its sizes and refusals."""

import sys

import array_api_strict as strict
import numpy as np
import pytest
from crosslens import InputSpec, method
from crosslens.arrays import as_numpy
from crosslens.errors import ImageError, LayerError, ParameterError
from crosslens.objective import layer
from crosslens.synthesis.tiling import covering_tiles, tiled_gradient
from crosslens.testing import TinyModel

torch = pytest.importorskip("torch")
MODEL = TinyModel(size=16)
PICTURES = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 16, 16)).astype(np.float32)


def dream(images=PICTURES[:1], model=MODEL, **parameters):
    few = {"size": 16, "octaves": 1, "steps": 3, "jitter": 3, "layer": "act2"}
    return method("deep_dream", **{**few, **parameters})(model, images)


def any_size():
    model = TinyModel(size=16)
    model.input = InputSpec((3, None, None))
    return model


def torch_layer(x, model=MODEL):
    """act2 of the tiny network, written in torch."""
    for name in ("conv1", "conv2"):
        weights = {key: torch.from_numpy(value) for key, value in model.weights(name).items()}
        x = torch.nn.functional.softplus(torch.nn.functional.conv2d(x, weights["kernel"], weights["bias"], padding=1))
    return x


def slow_dream(picture, octaves, scale, steps, rate, jitter, seed):
    """The Caffe notebook of Mordvintsev et al. with autograd: roll, step by g / mean |g|, roll back, clip; octaves."""

    def resized(x, size):
        return torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)

    rng, full, detail = np.random.default_rng(seed), picture.shape[2:], None
    for octave in reversed(range(octaves)):
        size = tuple(round(n / scale**octave) for n in full)
        base = resized(picture, size)
        x = base if detail is None else base + resized(detail, size)
        for _ in range(steps):
            shift = tuple(int(s) for s in rng.integers(-jitter, jitter + 1, size=2))
            rolled = torch.roll(x, shift, (2, 3)).requires_grad_()
            (torch_layer(rolled) ** 2).sum().backward()
            g = torch.roll(rolled.grad, tuple(-s for s in shift), (2, 3))
            x = (x + rate * g / g.abs().mean()).clamp(0, 1)
        detail = x - base
    return x.numpy()


@pytest.mark.parametrize("octaves", [1, 3])
def test_the_dream_is_the_notebooks_written_slowly_in_torch(octaves):
    got = dream(model=any_size(), octaves=octaves, seed=5, learning_rate=0.02)
    slow = slow_dream(torch.from_numpy(PICTURES[:1]), octaves, 1.4, 3, 0.02, 3, 5)
    np.testing.assert_allclose(got.images, slow, atol=2e-5)
    assert np.abs(got.images - PICTURES[:1]).max() > 0.05


def test_a_guide_makes_each_place_grow_what_it_is_most_like():
    guide = PICTURES[1]
    got = dream(guide=guide, steps=1, jitter=0, learning_rate=0.01)
    x = torch.from_numpy(PICTURES[:1]).requires_grad_()
    features, wanted = torch_layer(x)[0].flatten(1), torch_layer(torch.from_numpy(guide[None]))[0].flatten(1)
    chosen = wanted[:, (features.T @ wanted).argmax(dim=1)].detach()
    (features * chosen).sum().backward()
    expected = (PICTURES[:1] + 0.01 * (x.grad / x.grad.abs().mean()).numpy()).clip(0, 1)
    np.testing.assert_allclose(got.images, expected, atol=1e-5)


def test_the_objective_rises_and_the_picture_stays_a_picture():
    result = dream(steps=10, learning_rate=0.01)
    assert result.history.shape == (10, 1)
    assert result.history[-1, 0] > 1.05 * result.history[0, 0]
    assert result.images.min() >= 0
    assert result.images.max() <= 1


@pytest.mark.parametrize("size", [(7, 7), (8, 20), (30, 9)])
def test_tiles_cover_every_pixel_and_are_no_more_than_needed(size):
    window = min(size[0], 8), min(size[1], 8)
    seen = np.zeros(size)
    crops = list(covering_tiles(size, window))
    for crop in crops:
        seen += crop.adjoint(np.ones(window))
    assert (seen > 0).all()
    assert len(crops) == np.ceil(size[0] / 8) * np.ceil(size[1] / 8)


def test_the_gradient_of_a_picture_of_the_networks_size_is_its_own_and_a_small_one_lies_on_grey():
    own, value = tiled_gradient(MODEL, PICTURES, layer("act2"), 512)
    x = torch.from_numpy(PICTURES).requires_grad_()
    (torch_layer(x) ** 2).sum().backward()
    np.testing.assert_allclose(own, x.grad.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(value, (torch_layer(x) ** 2).sum((1, 2, 3)).detach().numpy(), rtol=1e-5)
    small = torch.from_numpy(PICTURES[..., :10, :12].copy()).requires_grad_()
    (torch_layer(torch.nn.functional.pad(small, (2, 2, 3, 3), value=0.5)) ** 2).sum().backward()
    got, _ = tiled_gradient(MODEL, small.detach().numpy(), layer("act2"), 512)
    np.testing.assert_allclose(got, small.grad.numpy(), rtol=1e-3, atol=1e-4)


def test_a_dream_is_as_large_as_asked_for_whatever_the_network_takes():
    wide = np.random.default_rng(1).random((1, 3, 10, 20), dtype=np.float32)
    assert dream(wide, size=40, octaves=2, steps=1).images.shape == (1, 3, 20, 40)
    assert dream(wide, size=8, octaves=2, steps=1).images.shape == (1, 3, 4, 8)


def test_bands_of_equal_size_give_more_of_the_low_frequencies():
    def low(how):
        change = dream(normalise=how, steps=3, jitter=0).images - PICTURES[:1]
        spectrum = np.abs(np.fft.fft2(change)) ** 2
        return spectrum[..., :3, :3].sum() / spectrum.sum()

    assert low("bands") != pytest.approx(low("mean"), rel=0.05)


def test_a_zoom_has_a_frame_for_each_enlarged_middle():
    result = dream(zoom_frames=2, zoom=0.25, steps=2)
    assert result.images.shape == (3, 3, 16, 16)
    assert result.history.shape == (6, 1)
    still = dream(zoom_frames=1, zoom=0.25, steps=2, learning_rate=0.0).images
    middle = torch.nn.functional.interpolate(torch.from_numpy(still[:1, :, 2:14, 2:14]), (16, 16), mode="bilinear")
    np.testing.assert_allclose(still[1:], middle.numpy(), atol=1e-5)


def test_any_array_namespace_gives_the_dream_that_numpy_gives():
    expected = dream(octaves=2)
    got = dream(strict.asarray(PICTURES[:1]), octaves=2)
    assert type(got.images) is type(strict.asarray(PICTURES))
    np.testing.assert_allclose(as_numpy(got.images), expected.images, atol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"steps": 0}, ParameterError, "steps is 0; it must be a whole number, at least 1"),
        ({"size": 0, "octaves": -1}, ParameterError, "size is 0; it must be a whole number, at least 1"),
        ({"octave_scale": 1.0}, ParameterError, "octave_scale is 1.0; it must be a number, above 1"),
        ({"normalise": "max"}, ParameterError, "normalise is 'max'; it must be mean or bands"),
        ({"layer": "fc"}, LayerError, r"layer 'fc' gives \(None, 5\); a dream needs maps"),
        ({"guide": 3}, ParameterError, "guide is 3; it must be a picture: a file, or an array"),
        ({"images": PICTURES, "zoom_frames": 2}, ParameterError, "zoom_frames is 2: a zoom is of one picture, not 2"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(parameters, error, message):
    with pytest.raises(error, match=message):
        dream(**parameters)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_zoom_is_saved_as_an_endless_animation(suffix, tmp_path):
    image = pytest.importorskip("PIL.Image")
    result = dream(zoom_frames=3, zoom=0.25, steps=1)
    with image.open(result.save(tmp_path / f"zoom{suffix}")) as animation:
        assert animation.n_frames == 4
        assert animation.info["loop"] == 0
        assert animation.size == (16, 16)


def test_a_zoom_is_a_film_where_ffmpeg_is_and_without_it_the_way_out_is_named(tmp_path, monkeypatch):
    result = dream(size=15, zoom_frames=2, zoom=0.25, steps=1)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ImageError, match=r"needs ffmpeg, and there is none: install it .* or save as \.gif or \.webp"):
        result.save(tmp_path / "zoom.mp4")
    fake = tmp_path / "ffmpeg"
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/told\nfor last; do :; done\nexec /bin/cat > "$last"\n')
    fake.chmod(0o755)
    assert result.save(tmp_path / "zoom.mp4").read_bytes() == np.stack(result.frames())[:, :14, :14].tobytes()
    assert "-f rawvideo -pix_fmt rgb24 -s 14x14 -r 12.5 -i -" in (tmp_path / "told").read_text()
    fake.write_text("#!/bin/sh\necho no such codec >&2\nexit 1\n")
    with pytest.raises(ImageError, match=r"ffmpeg could not write '.*zoom\.mp4': no such codec"):
        result.save(tmp_path / "zoom.mp4")
