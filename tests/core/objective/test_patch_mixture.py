"""patch_mixture: the mean log-likelihood of patches, by scikit-learn, torch.distributions, differences."""

import sys
from types import SimpleNamespace

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import ImageError, ParameterError, TargetError
from crosslens.model import INPUT, InputSpec
from crosslens.objective import patch_mixture
from crosslens.objective.patch_density import mean_free_basis
from crosslens.objective.target import resolve_target
from crosslens.testing import TinyModel

RNG = np.random.default_rng(0)
SIDE, CHANNELS = 3, 2
NUMBERS = CHANNELS * SIDE * SIDE
IMAGES = RNG.random((2, CHANNELS, 8, 7))


def mixture(kept, components=3, channels=CHANNELS, size=(8, 7)):
    """Random Gaussians that overlap, as the method patch_mixture gives them."""
    rng, numbers = np.random.default_rng(1), channels * SIDE * SIDE
    coordinates = numbers if kept else numbers - 1
    weights = rng.random(components) + 0.5
    factors = np.tril(rng.normal(size=(components, coordinates, coordinates))) * 0.1
    factors[:, range(coordinates), range(coordinates)] = rng.random((components, coordinates)) * 0.3 + 0.2
    return SimpleNamespace(
        weights=weights / weights.sum(),
        means=rng.random((components, coordinates)) * (1 if kept else 0.1),
        cholesky=factors,
        patch_shape=np.array([channels, SIDE, SIDE]),
        picture_size=np.array(size),
    )


def starts(size, stride):
    """Every `stride` pixels as long as a patch fits, and the last one that does."""
    return sorted({*range(0, size - SIDE + 1, stride), size - SIDE})


def patches(image, stride):
    rows, columns = (starts(size, stride) for size in image.shape[1:])
    return np.array([image[:, y : y + SIDE, x : x + SIDE].ravel() for y in rows for x in columns])


def coordinates(rows, kept):
    return rows if kept else rows @ mean_free_basis(NUMBERS)


def by_scikit_learn(given, rows):
    mixtures = pytest.importorskip("sklearn.mixture")
    model = mixtures.GaussianMixture(len(given.weights))
    model.weights_, model.means_ = given.weights, given.means
    model.precisions_cholesky_ = np.stack([np.linalg.inv(factor).T for factor in given.cholesky])
    return model.score_samples(rows)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_value_is_the_mean_of_scikit_learns_log_densities_over_the_patches(kept, stride):
    given = mixture(kept)
    found = patch_mixture(given, stride).value({INPUT: IMAGES})
    wanted = [by_scikit_learn(given, coordinates(patches(each, stride), kept)).mean() for each in IMAGES]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_patch_without_its_mean_is_as_likely_at_any_brightness_and_its_basis_is_orthonormal():
    basis = mean_free_basis(NUMBERS)
    np.testing.assert_allclose(basis.T @ basis, np.eye(NUMBERS - 1), atol=1e-14)
    np.testing.assert_allclose(basis @ basis.T, np.eye(NUMBERS) - 1 / NUMBERS, atol=1e-14)
    darker = {INPUT: IMAGES - 0.3}
    assert patch_mixture(mixture(False)).value(darker) == pytest.approx(
        patch_mixture(mixture(False)).value({INPUT: IMAGES})
    )
    assert patch_mixture(mixture(True)).value(darker) != pytest.approx(
        patch_mixture(mixture(True)).value({INPUT: IMAGES})
    )


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_cotangents_are_the_slopes_of_the_value_in_any_bounds(kept, stride, bounds):
    low, high = bounds
    model = TinyModel()
    model.input = InputSpec((CHANNELS, 8, 7), bounds=bounds)
    objective = patch_mixture(mixture(kept), stride).for_model(model)
    images, step = low + (high - low) * IMAGES, 1e-5 * (high - low)
    value, cotangents = objective.value_and_cotangents({INPUT: images})
    np.testing.assert_allclose(value, patch_mixture(mixture(kept), stride).value({INPUT: IMAGES}), rtol=1e-10)
    for place in [(0, 0, 0, 0), (0, 1, 7, 6), (1, 0, 3, 4), (1, 1, 2, 0)]:
        moved = [images.copy(), images.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (objective.value({INPUT: each}).sum() for each in moved)
        assert cotangents[INPUT][place] == pytest.approx((up - down) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("kept", [True, False])
def test_value_and_gradient_are_those_of_torch_distributions(kept):
    torch = pytest.importorskip("torch")
    given = mixture(kept)
    x = torch.tensor(IMAGES, requires_grad=True)
    rows = x.unfold(2, SIDE, 1).unfold(3, SIDE, 1).permute(0, 2, 3, 1, 4, 5).reshape(2, -1, NUMBERS)
    if not kept:
        rows = rows @ torch.tensor(mean_free_basis(NUMBERS))
    means, factors = torch.tensor(given.means), torch.tensor(given.cholesky)
    kinds = torch.distributions.Categorical(torch.tensor(given.weights))
    gaussians = torch.distributions.MultivariateNormal(means, scale_tril=factors)
    wanted = torch.distributions.MixtureSameFamily(kinds, gaussians).log_prob(rows).mean(1)
    wanted.sum().backward()
    value, cotangents = patch_mixture(given, 1).value_and_cotangents({INPUT: x.detach()})
    assert isinstance(value, torch.Tensor)
    np.testing.assert_allclose(value, wanted.detach(), rtol=1e-12)
    np.testing.assert_allclose(cotangents[INPUT], x.grad, rtol=1e-9, atol=1e-12)


def test_any_array_library_and_any_size_of_blocks_give_the_same(monkeypatch):
    objective = patch_mixture(mixture(True), 1)
    value, cotangents = objective.value_and_cotangents({INPUT: IMAGES})
    other, slopes = objective.value_and_cotangents({INPUT: strict.asarray(IMAGES)})
    np.testing.assert_allclose(as_numpy(other), value, rtol=1e-13)
    np.testing.assert_allclose(as_numpy(slopes[INPUT]), cotangents[INPUT], rtol=1e-12)
    monkeypatch.setattr(sys.modules["crosslens.objective.patch_mixture"], "MOST", 1)
    in_rows, by_rows = objective.value_and_cotangents({INPUT: IMAGES})
    np.testing.assert_allclose(in_rows, value, rtol=1e-13)
    np.testing.assert_allclose(by_rows[INPUT], cotangents[INPUT], rtol=1e-12)


def test_float32_pictures_are_computed_with_in_float64_and_far_from_all_components_nothing_overflows():
    objective = patch_mixture(mixture(True))
    value, cotangents = objective.value_and_cotangents({INPUT: IMAGES.astype(np.float32)})
    assert value.dtype == cotangents[INPUT].dtype == np.float32
    np.testing.assert_allclose(value, objective.value({INPUT: IMAGES}), rtol=1e-6)
    far, slopes = objective.value_and_cotangents({INPUT: 1e4 * IMAGES})
    assert np.isfinite(slopes[INPUT]).all()
    assert ((far < -1e6) & np.isfinite(far)).all()


def test_as_text_it_is_a_term_of_a_target(tmp_path):
    model, given = TinyModel(), mixture(False, channels=3, size=(8, 8))
    np.savez(tmp_path / "p.npz", **vars(given))
    image = RNG.random((1, 3, 8, 8), dtype=np.float32)
    summed = resolve_target(f"1 + 0.05 * patch_mixture:{tmp_path / 'p.npz'}", model, 1)
    here = {**model.forward(image, sorted(summed.layers - {INPUT})), INPUT: image}
    alone = resolve_target(1, model, 1).value(here) + 0.05 * patch_mixture(given).value(here)
    np.testing.assert_allclose(summed.value(here), alone, rtol=1e-6)
    assert f"patch_mixture('{tmp_path / 'p.npz'}', stride=1)" in str(summed)
    every_third = resolve_target(f"patch_mixture:{tmp_path / 'p.npz'}:3", model, 1)
    np.testing.assert_allclose(every_third.value(here), patch_mixture(given, 3).value(here), rtol=1e-6)


def refusal(error, call):
    with pytest.raises(error) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pictures_of_another_size_or_with_other_channels_are_refused():
    model = TinyModel()  # 3 x 8 x 8
    assert "pictures (2, H, W); this model takes (3, 8, 8)" in refusal(
        TargetError, lambda: resolve_target(patch_mixture(mixture(True)), model, 1)
    )
    large = patch_mixture(mixture(True, channels=3, size=(28, 28)))
    assert "of 3 x 3 pixels of pictures of 28 x 28; this model takes (3, 8, 8)" in refusal(
        TargetError, lambda: resolve_target(large, model, 1)
    )
    resolve_target(patch_mixture(mixture(True, channels=3, size=(16, 8))), model, 1)
    assert "at least 3 pixels" in refusal(
        ImageError, lambda: patch_mixture(mixture(True)).value({INPUT: IMAGES[:, :, :2]})
    )


def test_what_is_no_mixture_is_refused_and_how_to_make_one_is_said(tmp_path):
    np.savez(tmp_path / "other.npz", weights=np.ones(1))
    damaged = vars(mixture(True)) | {"cholesky": np.full((3, NUMBERS, NUMBERS), np.nan)}
    np.savez(tmp_path / "nan.npz", **damaged)
    make = "crosslens run patch_mixture MODEL DATA -o patches.npz"
    for given, said in (
        (tmp_path / "none.npz", "does not exist"),
        (tmp_path / "other.npz", "holds no mixture of patches"),
        (tmp_path / "nan.npz", "or a damaged one"),
        (3, "mixture is 3"),
    ):
        message = refusal(ParameterError, lambda given=given: patch_mixture(given))
        assert said in message
        assert make in message
    assert "does not exist" in refusal(TargetError, lambda: resolve_target("patch_mixture:none.npz", TinyModel(), 1))
    for stride in (0, 1.5, True):
        assert "at least 1" in refusal(ParameterError, lambda stride=stride: patch_mixture(mixture(True), stride))
