"""patch_mixture: its sample counted out, its Gaussians against scikit-learn's, its picture, its errors."""

import sys

import crosslens
import numpy as np
import pytest
from crosslens.data import Batch
from crosslens.data.sampling.sampled_patches import SampledPatches
from crosslens.data.source import Samples
from crosslens.errors import ParameterError
from crosslens.image.io import save_image
from crosslens.objective import patch_mixture
from crosslens.objective.patch_density import mean_free_basis
from crosslens.testing import TinyModel, same

pytest.importorskip("sklearn.mixture")

MODEL = TinyModel()
IMAGES = np.random.default_rng(0).random((6, 3, 8, 8), dtype=np.float32)
LABELS = ["cat", "dog", "Cat", "dog", "", "big_dog"]
SIDE = 3


def measured(**options):
    return crosslens.method("patch_mixture", **{"patch": SIDE, "components": 2, "count": 10_000, **options})


def every_patch(images):
    """Row by row, with loops."""
    return np.array(
        [each[:, y : y + SIDE, x : x + SIDE].ravel() for each in images for y in range(6) for x in range(6)]
    )


def batch(images, start=0, labels=LABELS):
    indices = tuple(range(start, start + len(images)))
    records = tuple({"label": labels[n]} for n in indices)
    return Batch(Samples(indices, tuple(map(str, indices)), images, records), {})


def sorted_rows(rows):
    return rows[np.lexsort(rows.T)]


def test_all_patches_are_taken_where_there_are_no_more_than_asked_for():
    asked = SampledPatches(SIDE, 10_000)
    state = asked.add(asked.empty(), batch(IMAGES))
    same(sorted_rows(state["patch"]), sorted_rows(every_patch(IMAGES)), exact=True)
    assert state["images"] == len(IMAGES)
    row, place = 7, int(state["position"][7])
    y, x = divmod(place, 6)
    same(state["patch"][row], IMAGES[state["image"][row], :, y : y + SIDE, x : x + SIDE].ravel(), exact=True)


def test_a_sample_has_every_patch_as_often_and_depends_neither_on_batches_nor_on_their_order():
    asked = SampledPatches(SIDE, 50, seed=3)
    whole = asked.add(asked.empty(), batch(IMAGES))
    parts = [asked.add(asked.empty(), batch(IMAGES[n : n + 2], n)) for n in (4, 0, 2)]
    joined = asked.merge(asked.merge(parts[0], parts[1]), parts[2])
    for name, values in whole.items():
        np.testing.assert_array_equal(joined[name], values, err_msg=name)
    counts = np.zeros(6 * 36)
    for seed in range(150):
        asked = SampledPatches(SIDE, 50, seed=seed)
        state = asked.add(asked.empty(), batch(IMAGES))
        counts[state["image"] * 36 + state["position"]] += 1
    share = 50 / counts.size
    assert abs(counts.mean() / 150 - share) < 1e-9
    assert abs(counts / 150 - share).max() < 5 * np.sqrt(share * (1 - share) / 150)


@pytest.mark.parametrize("mean", ["removed", "kept"])
def test_the_gaussians_are_scikit_learns_of_the_patches_the_heaviest_first(mean):
    from sklearn.mixture import GaussianMixture

    result = measured(mean=mean, noise=0.05, seed=4)(MODEL, IMAGES)
    asked = SampledPatches(SIDE, 10_000, seed=4)
    rows = asked.add(asked.empty(), batch(IMAGES))["patch"].astype(np.float64)
    rows = rows if mean == "kept" else rows @ mean_free_basis(27)
    theirs = GaussianMixture(2, reg_covar=0.05**2, random_state=4).fit(rows)
    order = np.argsort(-theirs.weights_)
    same(result.weights, theirs.weights_[order], rtol=1e-9)
    same(result.means, theirs.means_[order], rtol=1e-7)
    covariances = result.cholesky @ np.moveaxis(result.cholesky, 1, 2)
    same(covariances, theirs.covariances_[order], rtol=1e-7)
    assert result.log_likelihood == pytest.approx(theirs.score(rows))
    assert np.linalg.eigvalsh(covariances).min() >= 0.05**2 * (1 - 1e-9)


def test_saved_it_is_the_prior_and_more_likely_where_the_pictures_are_like_it(tmp_path):
    smooth = np.linspace(0, 1, 8, dtype=np.float32) * np.ones((6, 3, 8, 1), np.float32)
    smooth = smooth * np.random.default_rng(1).random((6, 1, 1, 1), dtype=np.float32)
    result = measured(components=1)(MODEL, smooth)
    assert crosslens.load(result.save(tmp_path / "p.npz")) == result
    from_file, from_result = (
        patch_mixture(each).value({crosslens.INPUT: np.concatenate([smooth, IMAGES])})
        for each in (tmp_path / "p.npz", result)
    )
    same(from_file, from_result, exact=True)
    assert from_file[:6].min() > from_file[6:].max()
    assert result.picture().dtype == np.uint8
    assert [path.name for path in result.save_into(tmp_path)] == ["patches.png"]
    assert "1 component of 3 x 3 pixels" in repr(result)


def test_classes_are_chosen_by_label_in_arrays_and_by_folder_or_by_the_networks_own_names(tmp_path):
    data = crosslens.data((IMAGES, LABELS))
    assert measured(classes="dog")(MODEL, data).pictures == 2
    assert measured(classes=("CAT", "big dog"))(MODEL, data).pictures == 3
    for n, label in enumerate(("7", "7", "8")):
        (tmp_path / label).mkdir(exist_ok=True)
        save_image(IMAGES[n : n + 1], tmp_path / label / f"{n}.png")
    assert measured(classes=7)(MODEL, tmp_path).pictures == 2
    named = TinyModel()
    named.labels = tuple("abcdefghij")[: named.output.count]
    numbered = crosslens.data((IMAGES, [0, 1, 1, 2, 2, 2]))
    assert measured(classes="b")(named, numbered).pictures == 2
    assert measured(classes="1")(named, crosslens.data((IMAGES, ["b", "b", "b", "a", "c", "a"]))).pictures == 3


def refusal(call):
    with pytest.raises(ParameterError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_fitted_is_refused_in_a_line(monkeypatch):
    data = crosslens.data((IMAGES, LABELS))
    said = refusal(lambda: measured(classes="cow")(MODEL, data))
    assert "holds no image of 'cow'; the labels are 'Cat', 'big_dog', 'cat', 'dog'" in said
    assert "its images have no label" in refusal(lambda: measured(classes="cow")(MODEL, IMAGES))
    assert "patch is 9; the pictures are 8 x 8" in refusal(lambda: measured(patch=9)(MODEL, IMAGES))
    assert "components is 30 and count 20" in refusal(lambda: measured(components=30, count=20)(MODEL, IMAGES))
    few = measured(components=300, patch=6)
    assert "components is 300, and there are 54 patches" in refusal(lambda: few(MODEL, IMAGES))
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "pip install 'crosslens[data]'" in refusal(lambda: measured()(MODEL, IMAGES))
