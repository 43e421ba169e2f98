"""Style transfer: the loss is the paper's, it falls, and what can be given wrong is refused in words."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens import InputSpec, load_image, method, save_image
from crosslens.arrays import as_numpy
from crosslens.errors import ImageError, LayerError, ParameterError
from crosslens.methods.style._style_images import match_colours
from crosslens.style_training.style_loss import BALANCE
from crosslens.testing import TinyModel

MODEL = TinyModel(size=16, relu=True)
CONTENT = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 16, 16)).astype(np.float32)
STYLE = np.random.default_rng(1).uniform(0, 1, (3, 16, 16)).astype(np.float32) ** 3
LAYERS = {"content_layer": "act2", "style_layers": ("conv1", "act2")}


def transfer(images=CONTENT, model=MODEL, **parameters):
    return method("style_transfer", **{"steps": 20, "style": STYLE, **parameters})(model, images)


def loss_from_the_paper(picture, content, style, alpha, beta, model=MODEL):
    """Equations 1, 3, 4, 5 and 7, with equal weights w_l that add up to one."""

    def gram(a):
        channels = a.shape[1]
        flat = a[0].reshape(channels, -1).astype(np.float64)
        return np.array([[(flat[i] * flat[j]).sum() for j in range(channels)] for i in range(channels)])

    names = ("conv1", "act2")
    f, p, s = (model.forward(x, names) for x in (picture, content, style))
    content_loss = 0.5 * ((f["act2"].astype(np.float64) - p["act2"]) ** 2).sum()
    style_loss = 0.0
    for name in names:
        n, m = f[name].shape[1], f[name].shape[2] * f[name].shape[3]
        style_loss += 0.5 * ((gram(f[name]) - gram(s[name])) ** 2).sum() / (4 * n**2 * m**2)
    return alpha * content_loss + beta * style_loss


@pytest.mark.parametrize("optimiser", ["lbfgs", "adam"])
def test_the_loss_is_the_papers(optimiser):
    two = {"content_weight": 0.3, "style_weight": 50.0, **LAYERS, "optimiser": optimiser}
    result = transfer(CONTENT[:1], steps=3, **two)
    after = loss_from_the_paper(result.images, CONTENT[:1], STYLE[None], 0.3, 50.0)
    before = loss_from_the_paper(CONTENT[:1], CONTENT[:1], STYLE[None], 0.3, 50.0)
    np.testing.assert_allclose(result.history[0, 0], before, rtol=1e-4)
    if optimiser == "lbfgs":  # its history ends with the picture that comes back
        np.testing.assert_allclose(result.history[-1, 0], after, rtol=1e-4)


@pytest.mark.parametrize("optimiser", ["lbfgs", "adam"])
@pytest.mark.parametrize("start", ["content", "noise"])
def test_the_loss_falls_and_the_picture_stays_a_picture(optimiser, start):
    result = transfer(optimiser=optimiser, start=start, learning_rate=0.005, steps=40)
    assert (result.history[-1] < 0.7 * result.history[0]).all()
    assert result.images.shape == CONTENT.shape
    assert result.images.dtype == np.float32
    assert result.images.min() >= 0
    assert result.images.max() <= 1


def test_lbfgs_never_goes_up():
    assert (np.diff(transfer().history, axis=0) <= 1e-6).all()


def test_without_style_noise_becomes_a_picture_with_the_contents_activations():
    smooth = TinyModel(size=16)
    result = transfer(CONTENT[:1], smooth, style_weight=0.0, start="noise", steps=200, **LAYERS)
    wanted, got = (smooth.forward(x, ["act2"])["act2"] for x in (CONTENT[:1], result.images))
    assert ((got - wanted) ** 2).sum() < 1e-3 * (wanted**2).sum()


def test_strength_means_the_same_in_a_network_of_louder_activations():
    loud = TinyModel(size=16, relu=True)
    for part in ("kernel", "bias"):
        loud._parameters["conv1"][part] = 10 * MODEL._parameters["conv1"][part]
    loud._parameters["conv2"]["bias"] = 10 * MODEL._parameters["conv2"]["bias"]
    np.testing.assert_allclose(
        loud.forward(CONTENT, ["act2"])["act2"], 10 * MODEL.forward(CONTENT, ["act2"])["act2"], atol=1e-4
    )
    quiet, louder = (transfer(CONTENT[:1], model, optimiser="adam", **LAYERS).images for model in (MODEL, loud))
    np.testing.assert_allclose(louder, quiet, atol=2e-3)
    assert np.abs(quiet - transfer(CONTENT[:1], optimiser="adam", strength=0.01, **LAYERS).images).max() > 0.01


def test_strength_weighs_the_losses_each_divided_by_that_of_nothing():
    content, style = (MODEL.forward(x, ("conv1", "act2")) for x in (CONTENT[:1], STYLE[None]))
    unit = 0.0
    for maps in style.values():
        flat = maps[0].reshape(maps.shape[1], -1).astype(np.float64)
        unit += 0.5 * ((flat @ flat.T) ** 2).sum() / (4 * flat.shape[0] ** 2 * flat.shape[1] ** 2)
    beta = 3.0 * BALANCE * 0.5 * (content["act2"].astype(np.float64) ** 2).sum() / unit
    before = loss_from_the_paper(CONTENT[:1], CONTENT[:1], STYLE[None], 0, 1)
    result = transfer(CONTENT[:1], steps=1, strength=3.0, **LAYERS)
    np.testing.assert_allclose(result.history[0, 0], beta * before, rtol=1e-4)


def test_a_content_of_zeros_needs_a_weight_of_the_style():
    dead = TinyModel(size=16, relu=True)
    dead._parameters["conv2"]["bias"] = np.full(6, -1e3, np.float32)
    with pytest.raises(
        ParameterError, match="zero everywhere in its layers, so that strength means nothing: give style_"
    ):
        transfer(CONTENT[:1], dead, steps=1, content_layer="act2", style_layers=("conv1",))


def test_frequencies_make_a_picture_too_and_start_at_the_content():
    result = transfer(CONTENT[:1], parameterisation="fourier")
    assert result.history[-1, 0] < 0.7 * result.history[0, 0]
    near = transfer(CONTENT[:1], parameterisation="fourier", style_weight=0.0, steps=1).images
    np.testing.assert_allclose(near, CONTENT[:1], atol=1e-3)


def test_without_content_the_gram_matrices_become_the_styles():
    result = transfer(CONTENT[:1], content_weight=0.0, steps=200, **LAYERS)
    assert loss_from_the_paper(result.images, CONTENT[:1], STYLE[None], 0, 1) < 1e-3 * loss_from_the_paper(
        CONTENT[:1], CONTENT[:1], STYLE[None], 0, 1
    )


def test_a_picture_in_its_own_style_stays_as_it_is():
    result = transfer(style=CONTENT[0])
    np.testing.assert_array_equal(result.images[:1], CONTENT[:1])
    assert not result.history[:, 0].any()
    assert np.abs(result.images[1:] - CONTENT[1:]).max() > 0.01


def test_each_picture_of_a_batch_is_made_as_if_alone():
    both = transfer(steps=5)
    assert both.history.shape == (6, 2)
    for n in range(2):
        alone = transfer(CONTENT[n : n + 1], steps=5)
        np.testing.assert_allclose(both.images[n : n + 1], alone.images, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(both.history[:, n : n + 1], alone.history, rtol=1e-4)


def test_the_default_layers_are_the_first_rectified_of_each_scale_and_the_second_of_the_last_but_one():
    by_name = transfer(steps=2, content_layer="act2", style_layers=("act1",))
    np.testing.assert_array_equal(transfer(steps=2).images, by_name.images)


def test_any_array_namespace_gives_the_picture_that_numpy_gives():
    expected = transfer(steps=3)
    got = transfer(strict.asarray(CONTENT), steps=3)
    assert type(got.images) is type(strict.asarray(CONTENT))
    np.testing.assert_allclose(as_numpy(got.images), expected.images, atol=1e-4)


def test_a_seed_decides_the_noise_to_start_from():
    def made(seed):
        return transfer(CONTENT[:1], start="noise", seed=seed, steps=2).images

    np.testing.assert_array_equal(made(1), made(1))
    assert np.abs(made(1) - made(2)).max() > 0.01


def test_a_style_file_is_the_same_as_its_pixels(tmp_path):
    path = save_image(STYLE, tmp_path / "style.png")
    from_file, from_text = transfer(steps=2, style=path), transfer(steps=2, style=str(path))
    np.testing.assert_array_equal(from_file.images, transfer(steps=2, style=load_image(path)).images)
    np.testing.assert_array_equal(from_file.images, from_text.images)
    assert from_file.parameters["style"] == str(path)


@pytest.mark.parametrize("shape", [(3, 40, 24), (3, 9, 50), (1, 3, 16, 31)])
def test_a_style_of_another_size_covers_the_content_without_being_stretched(shape):
    style = np.zeros(shape, np.float32)
    style[..., ::2, :] = 1  # a lattice of rows
    result = transfer(CONTENT[:1], steps=2, style=style)
    assert result.images.shape == (1, 3, 16, 16)


def test_progress_hears_every_step_and_its_loss():
    heard = []
    method("style_transfer", steps=2, style=STYLE)(MODEL, CONTENT[:1], progress=lambda *told: heard.append(told))
    assert [told[:2] for told in heard] == [(1, 2), (2, 2)]
    assert heard[0][2].startswith("loss ")


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"style": None}, ParameterError, "style is None; a style is a picture: style='starry_night.jpg'"),
        ({"style": 3}, ParameterError, "style is 3; a style is a picture"),
        ({"style": "no_such.png"}, ImageError, r"no picture at 'no_such.png': the file does not exist"),
        ({"style": STYLE[0]}, ParameterError, r"style has shape \(16, 16\); it must be one picture, \(3, H, W\)"),
        ({"style": CONTENT}, ParameterError, r"style has shape \(2, 3, 16, 16\); it must be one picture"),
        ({"style": 255 * STYLE}, ImageError, "Divide by 255"),
        ({"style_layers": ("act9",)}, LayerError, r"no layer 'act9' in this model .* Did you mean"),
        ({"style_layers": ("act1", "fc")}, LayerError, r"style layer 'fc' gives \(None, 5\); a style needs maps"),
        ({"content_layer": "relu4"}, LayerError, "no layer 'relu4' in this model"),
        ({"steps": 0}, ParameterError, "steps is 0; it must be a whole number, at least 1"),
        ({"optimiser": "sgd"}, ParameterError, "optimiser is 'sgd'; it must be lbfgs or adam"),
        (
            {"parameterisation": "wavelets"},
            ParameterError,
            "parameterisation is 'wavelets'; it must be fourier, pixels or None",
        ),
        ({"start": "style"}, ParameterError, "start is 'style'; it must be content or noise"),
        ({"content_weight": float("nan")}, ParameterError, "content_weight is nan; it must be a finite number"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(parameters, error, message):
    with pytest.raises(error, match=message):
        transfer(**parameters)


def test_the_gram_matrix_aimed_at_is_the_styles_blended_and_layers_count_by_their_weights():
    other = np.random.default_rng(2).uniform(0, 1, (3, 16, 16)).astype(np.float32)
    settings = {"content_weight": 0.0, "style_weight": 1.0, "steps": 1, "style_layers": ("conv1", "act2")}
    result = transfer(CONTENT[:1], style=[STYLE, other], blend=(3, 1), layer_weights=(1, 4), **settings)
    found = [MODEL.forward(x, ["conv1", "act2"]) for x in (CONTENT[:1], STYLE[None], other[None])]
    expected = 0.0
    for name, weight in (("conv1", 0.2), ("act2", 0.8)):
        flat = [f[name][0].reshape(f[name].shape[1], -1).astype(np.float64) for f in found]
        (c, m), (g, a, b) = flat[0].shape, [f @ f.T for f in flat]
        expected += weight * ((g - 0.75 * a - 0.25 * b) ** 2).sum() / (4 * c**2 * m**2)
    np.testing.assert_allclose(result.history[0, 0], expected, rtol=1e-4)


LUMA = np.array([0.299, 0.587, 0.114])


def test_only_the_luminance_changes_where_the_contents_colours_are_kept():
    grey = np.clip(CONTENT[:1], 0.4, 0.6)  # far from 0 and 1, where clipping would change colours
    made = transfer(grey, colours="luminance", steps=3, style_weight=100.0).images[0].astype(np.float64)
    luma = np.tensordot(LUMA, made, axes=1)
    inside = ((made > 0) & (made < 1)).all(axis=0)
    differences = (made - luma) - (grey[0] - np.tensordot(LUMA, grey[0], axes=1))
    assert inside.mean() > 0.5
    assert np.abs(differences[:, inside]).max() < 5e-3
    assert np.abs(made - grey[0]).max() > 0.01


def test_a_matched_style_has_the_mean_and_covariance_of_the_contents_colours():
    style, content = 0.4 + 0.2 * STYLE[None], 0.4 + 0.2 * CONTENT[:1]
    got = match_colours(style, content)[0].reshape(3, -1)
    wanted = content[0].reshape(3, -1)
    np.testing.assert_allclose(got.mean(axis=1), wanted.mean(axis=1), atol=2e-3)
    np.testing.assert_allclose(np.cov(got), np.cov(wanted), atol=2e-4)


def test_from_coarse_to_fine_takes_its_steps_at_each_scale():
    model = TinyModel(size=16, relu=True)
    model.input = InputSpec((3, None, None))
    result = transfer(CONTENT[:1], model, scales=2, steps=3, style=np.tile(STYLE, (1, 2, 2)), **LAYERS)
    assert result.images.shape == (1, 3, 16, 16)
    assert result.history.shape == (8, 1)


def test_interrupted_it_gives_the_best_so_far_and_says_so():
    def stop(done, total, what):
        if done == 3:
            raise KeyboardInterrupt

    result = method("style_transfer", style=STYLE, steps=9)(MODEL, CONTENT, progress=stop)
    assert result.images.shape == (1, 3, 16, 16)
    assert result.notes == ("interrupted after 3 of 9 steps of picture 1 of 2: this is the best so far",)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"style": STYLE[:, :2, :9], **LAYERS},
            r"a style of 2 x 9 pixels is smaller than the [345] pixels that one position",
        ),
        ({"blend": (1, 2)}, r"blend is \(1, 2\); give 1 numbers for 1 styles, with a sum above 0"),
        ({"layer_weights": (1, 2, 3)}, r"layer_weights is \(1, 2, 3\); give 1 numbers for 1 style layers"),
        ({"colours": "blue"}, "colours is 'blue'; it must be style, luminance or matched"),
        ({"scales": 0}, "scales is 0; it must be a whole number, at least 1"),
        (
            {"scales": 2},
            r"scales is 2 and the coarsest picture \(8, 8\), but this model takes pictures \(16, 16\): give a larger",
        ),
    ],
)
def test_impossible_mixtures_are_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        transfer(**parameters)


def test_several_styles_are_written_with_commas(tmp_path):
    paths = [
        save_image(np.moveaxis(255 * style, 0, -1).astype(np.uint8), tmp_path / f"{n}.png")
        for n, style in enumerate((STYLE, STYLE[:, ::-1]))
    ]
    given = {"blend": (0.3, 0.7), "steps": 2, **LAYERS}
    written = transfer(style=", ".join(map(str, paths)), **given)
    np.testing.assert_array_equal(written.images, transfer(style=paths, **given).images)
    with pytest.raises(ImageError, match=r"nowhere\.png"):
        transfer(style=f"{paths[0]},nowhere.png", **given)


def any_size(**settings):
    net = TinyModel(size=16, relu=True, **settings)
    net.input = InputSpec((3, None, None))
    return net


@pytest.mark.parametrize("size", [(70, 130), (130, 64), (100, 101)])
@pytest.mark.parametrize("optimiser", ["adam", "lbfgs"])
def test_window_by_window_it_is_the_transfer_of_the_whole_picture(size, optimiser):
    content = np.random.default_rng(2).uniform(0.1, 0.9, (1, 3, *size)).astype(np.float32)
    settings = {"steps": 3, "optimiser": optimiser, "style_layers": ("conv1", "act2"), "blend": (0.3, 0.7)}
    settings |= {"content_layer": "act2", "layer_weights": (1.0, 3.0), "style": [STYLE, STYLE[:, ::-1].copy()]}
    whole = transfer(content, any_size(), tile=200, **settings)
    tiled = transfer(content, any_size(), tile=64, **settings)
    np.testing.assert_allclose(tiled.history, whole.history, rtol=1e-4)
    np.testing.assert_allclose(tiled.images, whole.images, atol=2e-3)


def test_a_network_of_one_size_gives_a_picture_of_any_larger_one_that_is_asked_for():
    made = transfer(size=40, steps=4, optimiser="adam", **LAYERS)
    assert made.images.shape == (2, 3, 40, 40)
    assert (made.history[-1] < made.history[0]).all()
    long = np.random.default_rng(2).uniform(0.1, 0.9, (1, 3, 20, 30)).astype(np.float32)
    assert transfer(long, size=60, steps=1, **LAYERS).images.shape == (1, 3, 40, 60)
    with pytest.raises(
        ParameterError, match=r"the coarsest picture \(13, 20\), but this model takes pictures \(16, 16\)"
    ):
        transfer(long, size=20, steps=1, **LAYERS)
    with pytest.raises(ImageError, match=r"images have shape \(1, 3, 20, 30\)"):
        transfer(long, steps=1, **LAYERS)
    for name in ("size", "tile"):
        with pytest.raises(ParameterError, match=f"{name} is 0; it must be a whole number, at least 1"):
            transfer(**{name: 0}, **LAYERS)
