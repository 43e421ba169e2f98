"""Black, constant and half-black pictures, and a network that says the same of all: finite values, or a refusal."""

import dataclasses

import crosslens
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import CrosslensError
from crosslens.plugins import image_methods, method_class
from crosslens.testing import TinyModel

KINDS = {name: method_class(name) for name in image_methods()}
HALF = np.zeros((1, 3, 8, 8), np.float32)
HALF[:, :, :, 4:] = np.random.default_rng(0).random((1, 3, 8, 4)).astype(np.float32)
PICTURES = {
    "black": np.zeros((1, 3, 8, 8), np.float32),
    "white": np.ones((1, 3, 8, 8), np.float32),
    "grey": np.full((1, 3, 8, 8), 0.5, np.float32),
    "half black": HALF,
}
BLAMED = ("look at its weights", "look at the network's weights", "preprocessing (preprocess=)")


def silent():
    """A network whose head is zero: it says the same of every picture."""
    net = TinyModel(relu=True)
    head = net._parameters["fc"]
    return net._with_weights({"fc": {"kernel": np.zeros_like(head["kernel"]), "bias": np.zeros_like(head["bias"])}})


def explained(name, net, picture, **options):
    """Every array of the result by field; or the text of the refusal."""
    kind = KINDS[name]
    try:
        found = crosslens.method(name, **{**kind.example, **options})(
            net, picture if kind.needs_images else None, 1 if kind.needs_target else None
        )
    except CrosslensError as error:
        return str(error)
    values = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return {name: as_numpy(v) for name, v in values.items() if hasattr(v, "shape") and v.dtype.kind == "f"}


def check(found):
    if isinstance(found, str):
        assert "\n" not in found
        assert not any(text in found for text in BLAMED), found
        return
    for name, values in found.items():
        assert np.isfinite(values).all(), name


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.needs_images])
def test_a_degenerate_picture_gets_finite_values_or_a_refusal_that_blames_no_network(name, picture):
    check(explained(name, TinyModel(relu=True), PICTURES[picture]))


@pytest.mark.parametrize("name", KINDS)
def test_a_network_that_says_the_same_of_all_gets_finite_values_or_a_refusal(name):
    check(explained(name, silent(), HALF))


def variants():
    """Each method in each preset, and with each choice of each parameter, one at a time."""
    for name, kind in KINDS.items():
        if not kind.needs_images or kind.needs_attention:
            continue
        yield from ((name, {"preset": preset}) for preset in kind.presets)
        for field in dataclasses.fields(kind):
            yield from ((name, {field.name: c}) for c in field.metadata.get("choices", ()) if c != field.default)
            if field.name in {"fill", "baseline"}:
                yield from ((name, {field.name: fill}) for fill in ("black", "grey", "blurred"))


@pytest.mark.parametrize(("name", "options"), list(variants()), ids=str)
def test_every_preset_and_choice_stands_a_degenerate_picture(name, options):
    for picture in PICTURES.values():
        check(explained(name, TinyModel(relu=True), picture, **options))
    check(explained(name, silent(), HALF, **options))


DARK = np.zeros((1, 3, 8, 8), np.float32)
DARK[:, :, 2:6, 2:6] = 0.7
CELLS = np.arange(8)[:, None] // 2 * 4 + np.arange(8) // 2


class Linear(TinyModel):
    """logits = W x, so that each superpixel's share is the sum of W x over its pixels."""

    gain = np.random.default_rng(1).normal(0, 20, (5, 3 * 64)).astype(np.float32)

    def _run(self, x, replace):
        return super()._run(x, {"fc": x.reshape(len(x), -1) @ self.gain.T, **replace})


def shares(picture, segments):
    """By hand: what each superpixel adds to logit 1 over a black cover."""
    products = (Linear.gain[1].reshape(3, 8, 8) * picture[0]).sum(axis=0)
    return np.bincount(segments.ravel(), products.ravel())[segments]


@pytest.mark.parametrize("distance", ["cosine", "presence", "euclidean"])
@pytest.mark.parametrize("regression", ["ridge", "lasso"])
def test_lime_of_a_linear_network_finds_each_share_on_a_black_ground(distance, regression):
    lime = crosslens.method(
        "lime",
        superpixels=CELLS,
        samples=200,
        fill=0.0,
        penalty=0.0,
        distance=distance,
        width=5.0,
        regression=regression,
    )
    found = lime(Linear(), DARK, 1)
    expected = shares(DARK, CELLS)
    np.testing.assert_allclose(found.values[0], expected, atol=1e-3 * np.abs(expected).max())
    np.testing.assert_allclose(found.fit, 1, atol=1e-5)


def test_captum_s_lime_is_not_zero_on_a_black_ground():
    """Its lasso takes a little off each share: alpha over the variance of a coin, 0.01 / 0.25, in the target's unit."""
    found = crosslens.method("lime", preset="captum", superpixels=CELLS, samples=400)(Linear(), DARK, 1)
    np.testing.assert_allclose(found.values[0], shares(DARK, CELLS), atol=0.1)


def test_a_black_copy_is_at_cosine_distance_one():
    """As torch.nn.CosineSimilarity, whose eps makes the cosine with a zero vector 0."""
    import torch

    def distance(a, b):
        return 1 - torch.nn.CosineSimilarity(dim=0)(torch.tensor(a), torch.tensor(b)).item()

    image = segmented_image(DARK)
    present = np.stack([np.zeros(16, bool), np.ones(16, bool), np.arange(16) < 6])
    copies = [np.where(row[CELLS], DARK[0], 0).ravel() for row in present]
    expected = [distance(copy, DARK.ravel()) for copy in copies]
    np.testing.assert_allclose(image.distances(present, "cosine"), expected, atol=1e-6)


def segmented_image(picture):
    from crosslens.execution.progress import silent as quiet
    from crosslens.method.target_function import target_functions
    from crosslens.objective import logit

    lime = crosslens.method("lime", superpixels=CELLS, fill=0.0)
    (function,), _ = target_functions(Linear(), picture, logit(1))
    return lime._segmented(function, quiet)


def test_kernel_shap_of_two_superpixels_is_exact():
    halves = np.repeat([[0, 1]], 4, axis=1).reshape(1, 8).repeat(8, axis=0)
    found = crosslens.method("kernel_shap", superpixels=halves, samples=4, fill=0.0)(Linear(), DARK, 1)
    np.testing.assert_allclose(found.values[0], shares(DARK, halves), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lime", {"samples": 1}, "samples is 1; a linear model takes 2 copies at least"),
        ("lime", {"width": 1e-9, "distance": "euclidean"}, "fewer than two different copies count: .* raise width"),
        ("kernel_shap", {"samples": 1, "ends": "weighted"}, "samples is 1; with ends='weighted' it must be 4 or more"),
        ("lime", {"superpixels": np.zeros((8, 8), int)}, "the whole image is one superpixel"),
        ("kernel_shap", {"superpixels": np.zeros((8, 8), int)}, "the whole image is one superpixel"),
    ],
)
def test_too_little_to_fit_a_line_to_is_refused(name, options, message):
    given = {"superpixels": CELLS, "fill": 0.5, "samples": 50, **options}
    with pytest.raises(CrosslensError, match=message):
        crosslens.method(name, **given)(TinyModel(), DARK, 1)


def test_a_target_that_does_not_vary_leaves_nothing_to_explain():
    for name in ("lime", "kernel_shap"):
        found = crosslens.method(name, superpixels=CELLS, samples=100)(silent(), DARK, 1)
        assert not found.values.any()
        assert found.fit == 1


def test_fewer_copies_than_superpixels_are_said_to_leave_them_open():
    found = crosslens.method("lime", superpixels=CELLS, samples=10)(TinyModel(), DARK, 1)
    assert any("10 copies leave 16 superpixels undetermined" in note for note in found.notes)


def test_a_target_that_is_nan_for_covered_copies_only_is_refused():
    class Brittle(TinyModel):
        def _run(self, x, replace):
            fc = super()._run(x, replace)["fc"].copy()
            fc[x.mean(axis=(1, 2, 3)) < 0.9 * DARK.mean()] = np.nan
            return super()._run(x, {"fc": fc, **replace})

    for regression in ("lasso", "ridge"):
        lime = crosslens.method("lime", superpixels=CELLS, samples=50, fill=0.0, regression=regression)
        with pytest.raises(CrosslensError, match=r"NaN or infinite for .* of 50 copies"):
            lime(Brittle(), DARK, 1)


def test_no_field_of_a_result_may_be_nan():
    from crosslens.method.sanity import refuse_nonfinite
    from crosslens.methods.perturbation._superpixel_method import SuperpixelAttribution

    good = np.ones((1, 4, 4), np.float32)
    found = SuperpixelAttribution(good, rest=np.float32([np.nan]), fit=np.ones(1, np.float32))
    with pytest.raises(CrosslensError, match=r"the values of lime \(rest\) are NaN or infinite for 1 of 1 images"):
        refuse_nonfinite("lime", found)
