"""MaCo and accentuation: magnitudes stay, phases climb, the mask adds up gradients, and the anchor is what it says."""

import numpy as np
import pytest
from crosslens import INPUT, InputSpec, method
from crosslens.errors import CrosslensError, LayerError, TargetError
from crosslens.objective import channel, each, logit, pullback
from crosslens.operators import PHOTOGRAPHS, natural_magnitude
from crosslens.testing import TinyModel

MODEL = TinyModel(size=16, relu=True)
PICTURES = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 16, 16)).astype(np.float32)
WHOLE = {"crops": 1, "crop": (1.0, 1.0), "noise": 0.0}


def maco(target=1, model=MODEL, images=None, **settings):
    return method("maco", **{"steps": 30, "size": 24, "crops": 3, **settings})(model, images, target)


def accentuate(images=PICTURES, target=1, model=MODEL, **settings):
    return method("accentuation", **{"steps": 30, "crops": 3, "layer": "act1", **settings})(model, images, target)


def spectrum(images):
    """Magnitudes in decorrelated colours before the sigmoid, written out; the columns that a real picture has whole."""
    root = np.asarray(PHOTOGRAPHS) / np.linalg.norm(PHOTOGRAPHS, axis=0).max()
    x = np.asarray(images, np.float64)
    logits = np.einsum("ij,njhw->nihw", np.linalg.inv(root), np.log(x / (1 - x)))
    return np.abs(np.fft.rfft2(logits, norm="ortho"))[..., 1:-1]


def test_a_picture_of_maco_has_the_magnitudes_of_photographs_after_any_number_of_steps():
    made = maco(learning_rate=1.0).images
    expected = natural_magnitude((24, 24))[None, ..., 1:-1]
    np.testing.assert_allclose(spectrum(made), expected, rtol=2e-2)


def test_an_accentuated_picture_has_the_magnitudes_of_its_own_start():
    result = accentuate(learning_rate=0.3)
    np.testing.assert_allclose(spectrum(result.images), spectrum(PICTURES), rtol=2e-2, atol=2e-3)
    assert np.abs(result.change()).mean() > 0.02


@pytest.mark.parametrize("make", [maco, accentuate])
def test_the_objective_rises_on_the_whole_picture_itself(make):
    result = make(steps=60, learning_rate=0.2)
    (note,) = [note for note in result.notes if "on the picture itself rose from" in note]
    for pair in note.partition("rose from ")[2].split(", "):
        before, after = map(float, pair.split(" to "))
        assert after > before + 0.02


def test_the_mask_adds_up_the_gradients_at_the_picture():
    one, two = (maco(**WHOLE, steps=steps, size=16).mask for steps in (1, 2))
    start, then = maco(**WHOLE, steps=1, size=16, learning_rate=1e-9).images, maco(**WHOLE, steps=1, size=16).images
    slopes = [np.abs(pullback(MODEL, x, logit(1))[0].gradients[INPUT]).mean(axis=1) for x in (start, then)]
    np.testing.assert_allclose(one, slopes[0], rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(two, slopes[0] + slopes[1], rtol=1e-3, atol=1e-7)


def test_what_the_mask_leaves_out_is_white_and_the_rest_is_the_picture(tmp_path):
    result = maco(steps=3)
    shown, opaque = result.masked(50), result.mask[0] >= np.quantile(result.mask[0], 0.51)
    np.testing.assert_allclose(shown[0][:, opaque], result.images[0][:, opaque], atol=1e-6)
    faint = np.unravel_index(result.mask[0].argmin(), result.mask[0].shape)
    assert (shown[0][(slice(None), *faint)] >= result.images[0][(slice(None), *faint)]).all()
    assert {p.name for p in (result.save(tmp_path / "m.png").parent).iterdir()} == {"m.png", "m-masked.png"}


def test_the_close_ups_of_a_run_are_those_of_its_size_seed_and_share():
    seen = set()

    class Seeing(TinyModel):
        def _linearize(self, x, *given):
            seen.add(x.shape)
            return super()._linearize(x, *given)

    maco(model=Seeing(size=16, relu=True), size=40, steps=3)
    assert {shape[1:] for shape in seen} == {(3, 16, 16)}
    assert np.abs(maco(crop=(0.2, 0.3)).images - maco(crop=(0.9, 1.0)).images).max() > 0.05


@pytest.mark.parametrize("limit", [None, 2])
def test_several_targets_in_one_run_are_each_made_as_if_alone_whatever_memory_allows(limit):
    model = TinyModel(size=16, relu=True)
    model.batch_size = limit
    both = maco(each([channel("conv2", 3), channel("conv2", 1)]), model, steps=5)
    np.testing.assert_allclose(both.images[:1], maco(channel("conv2", 3), steps=5).images, atol=2e-3)
    pair = accentuate(target=[1, 2], model=model, steps=5)
    np.testing.assert_allclose(pair.images[1:], accentuate(PICTURES[1:], 2, steps=5).images, atol=2e-3)


def test_an_accentuation_starts_at_its_image():
    result = accentuate(steps=1, learning_rate=1e-9)
    np.testing.assert_allclose(result.images, PICTURES, atol=1e-5)
    np.testing.assert_array_equal(result.starts, PICTURES)


def test_the_loss_of_an_accentuation_is_the_target_less_the_anchors_price():
    first, second = (accentuate(**WHOLE, steps=steps, weight=2.0, learning_rate=0.1) for steps in (1, 2))
    f = logit(1)
    gradient = pullback(MODEL, PICTURES, f)[0].gradients[INPUT].astype(np.float64)
    for n in range(2):
        gain = np.linalg.norm(gradient[n]) * np.linalg.norm(PICTURES[n].astype(np.float64) - 0.5)
        a0, a = (MODEL.forward(x[n : n + 1], ["act1"])["act1"].astype(np.float64) for x in (PICTURES, first.images))
        value = f.value(MODEL.forward(first.images[n : n + 1]))[0]
        expected = value - 2.0 * gain * ((a - a0) ** 2).sum() / (a0**2).sum()
        np.testing.assert_allclose(second.history[1, n], expected, rtol=1e-3)


def test_a_heavier_anchor_keeps_the_picture_nearer_in_the_layers_eyes():
    def apart(weight):
        result = accentuate(weight=weight, learning_rate=0.2)
        a0, a = (MODEL.forward(x, ["act1"])["act1"] for x in (PICTURES, result.images))
        return float(((a - a0) ** 2).sum() / (a0**2).sum())

    assert apart(20.0) < 0.5 * apart(0.0)


def test_the_layer_that_anchors_by_default_is_an_early_one():
    np.testing.assert_array_equal(accentuate(layer=None, steps=3).images, accentuate(layer="act2", steps=3).images)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: maco(None), "without images no class can be predicted; give a target"),
        (lambda: maco(images=PICTURES), "maco starts from random phases, not from images; accentuation starts from"),
        (lambda: maco(size=0), "size is 0; it must be a whole number, at least 8, or None"),
        (lambda: maco(crops=0), "crops is 0; it must be a whole number, at least 1"),
        (lambda: maco(crop=(0.5, 0.2)), r"crop is \(0\.5, 0\.2\); it must be two shares of the sides within \(0, 1\]"),
        (lambda: maco(noise=-1.0), r"noise is -1\.0; its deviation must lie within \[0, 1\]"),
        (lambda: maco(channel("conv3", 1)), "no layer 'conv3' in this model"),
        (lambda: accentuate(layer="fc", weight=1.0, images=None), "accentuation explains images"),
    ],
)
def test_wrong_use_is_refused_in_words(wrong, message):
    with pytest.raises(CrosslensError, match=message):
        wrong()


def test_a_network_that_takes_a_code_is_refused():
    model = TinyModel()
    model.input = InputSpec.latent((3, 8, 8))
    with pytest.raises(CrosslensError, match=r"maco makes pictures .*; this model takes \(3, 8, 8\)"):
        maco(model=model)


def test_a_dead_unit_is_named_with_what_to_do():
    weights = dict(MODEL.weights("conv1"))
    dead = MODEL._with_weights({"conv1": {**weights, "bias": weights["bias"] - 100}})
    for run in (maco, accentuate):
        with pytest.raises(TargetError, match=r"channel\('act1', 1\) has no gradient at the starting picture"):
            run(target=channel("act1", 1), model=dead)


def test_a_layer_that_is_missing_is_named():
    with pytest.raises(LayerError, match=r"no layer 'act9' in this model .* Did you mean"):
        accentuate(layer="act9")
