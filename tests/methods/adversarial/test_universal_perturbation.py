"""Universal perturbations: the best one of an affine network, pictures held out, what the network itself says."""

import re

import crosslens
import numpy as np
import pytest
from crosslens.data import ArraySource
from crosslens.errors import ImageError, ModelError, ParameterError, TargetError
from crosslens.methods.adversarial._held_out_pictures import Pictures
from crosslens.methods.adversarial._universal_training import Crowd
from crosslens.testing.tiny import TinyModel

from tests.conformance.plans import images as plan_images
from tests.conformance.zoo import BUILDERS, net
from tests.core.attack.affine import AffineModel, sigmoid

IMAGES = np.random.default_rng(0).random((30, 3, 8, 8), dtype=np.float32)


def made(model=None, data=IMAGES, **parameters):
    return crosslens.method("universal_perturbation", **{"eps": 0.3, "batch": 6, **parameters})(
        model or TinyModel(relu=True, seed=1), data
    )


def middling(count=20, shape=(1, 4, 4)):
    """Pictures that a perturbation of .05 cuts nothing off."""
    return np.random.default_rng(1).uniform(0.2, 0.8, (count, *shape)).astype(np.float32)


def affine_of_one_class(bounds=(0.0, 1.0)):
    """A binary network w . x + b that takes all of `middling` for class 1."""
    w = np.random.default_rng(2).normal(0, 1, (1, 1, 4, 4))
    bias = 0.5 - (middling() * w[0]).sum(axis=(1, 2, 3)).min()
    low, high = bounds
    return AffineModel(
        w / (high - low), np.array([bias - low * w.sum() / (high - low)]), link=sigmoid, bounds=bounds
    ), w


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0)])
def test_of_one_class_of_an_affine_network_it_is_minus_eps_sign_w(bounds):
    model, w = affine_of_one_class(bounds)
    result = made(model, bounds[0] + middling() * (bounds[1] - bounds[0]), eps=0.05)
    np.testing.assert_allclose(result.perturbation[0], -0.05 * np.sign(w[0]), atol=1e-6)


def test_of_one_class_of_an_affine_network_in_l2_it_lies_along_w():
    model, w = affine_of_one_class()
    result = made(model, middling(), eps=0.05, norm="l2")
    np.testing.assert_allclose(result.perturbation[0], -0.05 * w[0] / np.linalg.norm(w), atol=1e-5)


def test_says_what_the_network_says_of_the_pictures_that_apply_gives():
    model = TinyModel(relu=True, seed=1)
    result = made(model)
    order = [int(each) for each in result.ids]
    assert sorted(order) == list(range(30))
    before = model.forward(IMAGES[order])["<output>"]
    after = model.forward(np.clip(IMAGES[order] + result.perturbation, 0, 1))["<output>"].astype(float)
    np.testing.assert_array_equal(result.apply(IMAGES[order]), np.clip(IMAGES[order] + result.perturbation, 0, 1))
    assert result.before.tolist() == before.argmax(axis=1).tolist()
    assert result.after.tolist() == after.argmax(axis=1).tolist()
    assert result.success.tolist() == (before.argmax(axis=1) != after.argmax(axis=1)).tolist()
    likely = np.exp(after - after.max(axis=1, keepdims=True))
    np.testing.assert_allclose(result.confidence, (likely / likely.sum(axis=1, keepdims=True)).max(axis=1), rtol=1e-5)
    held = result.held_out
    table = result.rates.columns
    assert table["rate"][:2].tolist() == [result.success[held].mean(), result.success[~held].mean()]
    assert (table["low"] <= table["rate"]).all()
    assert (table["rate"] <= table["high"]).all()
    assert result.classes_reached.columns["pictures"].sum() == held.sum() == 12


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.1), ("l2", 1.0), ("l1", 8.0)])
def test_stays_in_the_ball_and_fools_more_than_noise(norm, eps):
    result = made(norm=norm, eps=eps)
    d = abs(result.perturbation.astype(float)).ravel()
    size = {"linf": d.max(), "l2": np.sqrt((d**2).sum()), "l1": d.sum()}[norm]
    assert 0.5 * eps < size <= eps * (1 + 1e-6)
    assert result.success[result.held_out].mean() > result.noise_success[result.held_out].mean()


def test_pictures_held_out_are_not_trained_on(monkeypatch):
    read, judging = set(), []
    before, judged = Pictures.__call__, Crowd.judged
    monkeypatch.setattr(Pictures, "__call__", lambda self, n: (judging or read.add(n), before(self, n))[1])
    monkeypatch.setattr(Crowd, "judged", lambda *given: (judging.append(1), judged(*given))[1])
    result = made()
    held = {int(each) for each, out in zip(result.ids, result.held_out, strict=True) if out}
    assert read == set(range(30)) - held
    assert len(held) == 12


def test_the_order_of_the_pictures_in_the_data_changes_nothing():
    order = np.random.default_rng(3).permutation(30)
    one, other = made(passes=2), made(data=IMAGES[order], passes=2)
    np.testing.assert_allclose(one.perturbation, other.perturbation, atol=1e-6)
    assert made(passes=2, seed=1).ids != one.ids


def test_towards_a_class_that_others_are_left_out_of():
    model = TinyModel(relu=True, seed=1)
    classes = model.forward(IMAGES)["<output>"].argmax(axis=1)
    wanted = int(np.bincount(classes, minlength=5).argmax())
    result = made(model, towards=wanted, eps=0.5)
    assert wanted not in result.before
    assert len(result.ids) == (classes != wanted).sum()
    assert result.success.tolist() == (result.after == wanted).tolist()
    assert f"{(classes == wanted).sum()} of 30 pictures are of the class wanted" in " ".join(result.notes)
    assert result.figures()["towards"] == f"class {wanted}"


@pytest.mark.parametrize("backend", BUILDERS)
def test_the_same_on_every_backend(backend):
    pictures = plan_images(12)
    got, expected = (made(net(each, "smooth").model, pictures, passes=2) for each in (backend, "torch"))
    far = abs(got.perturbation - expected.perturbation) > 1e-4
    assert far.mean() < 0.01, "signs of gradients near zero may differ"
    assert got.ids == expected.ids


def test_one_step_reaches_the_edge_of_the_ball_unless_told_how_long_it_is():
    assert abs(made(passes=1, batch=30, eps=0.1).perturbation).max() == pytest.approx(0.1, rel=1e-6)
    assert abs(made(passes=1, batch=30, eps=0.1, step_size=0.02).perturbation).max() == pytest.approx(0.02, rel=1e-6)


def test_interrupted_it_judges_what_it_has():
    def stop(done, total, what):
        if done == 7 and what.startswith("pass"):
            raise KeyboardInterrupt

    method = crosslens.method("universal_perturbation", eps=0.3, batch=6)
    result = method(TinyModel(relu=True, seed=1), IMAGES, progress=stop)
    assert "the training was interrupted after 7 of 30 steps" in result.notes
    assert result.history.shape == (2,)
    assert len(result.success) == 30


def test_history_is_the_mean_loss_of_each_pass():
    result = made(batch=30, passes=3, eps=0.05, towards=None)
    assert result.history.shape == (3,)
    assert (np.diff(result.history) > 0).all()


def test_of_independent_classes_pictures_without_any_are_left_out():
    rng = np.random.default_rng(5)
    matrix = rng.normal(0, 1, (3, 3, 8, 8))
    z = IMAGES.reshape(30, -1) @ matrix.reshape(3, -1).T
    bias = np.full(3, -np.median(z.max(axis=1)))
    result = made(AffineModel(matrix, bias, link=sigmoid), eps=0.05)
    there = (z + bias).max(axis=1) > 0
    assert sorted(int(each) for each in result.ids) == np.flatnonzero(there).tolist()
    assert f"in {(~there).sum()} of 30 pictures no class has a probability of one half" in " ".join(result.notes)
    order = [int(each) for each in result.ids]
    after = np.clip(IMAGES[order] + result.perturbation, 0, 1).reshape(len(order), -1) @ matrix.reshape(3, -1).T + bias
    assert result.success.tolist() == (after[np.arange(len(order)), result.before] < 0).tolist()
    with pytest.raises(TargetError, match="in 30 of 30 pictures no class has a probability of one half"):
        made(AffineModel(matrix, bias - 1000, link=sigmoid))


def test_a_note_says_where_noise_does_as_much():
    weak, strong = made(eps=0.001, passes=1), made(eps=0.3)
    assert "by random noise of the same norm: too near to say" in " ".join(weak.notes)
    assert weak.figures()["low"] <= weak.figures()["noise"]
    assert not strong.notes
    assert strong.figures()["low"] > strong.figures()["noise"]


def test_saved_beside_pictures_that_have_it(tmp_path):
    result = made()
    result.save(tmp_path / "upd.png")
    assert {each.name for each in tmp_path.iterdir()} == {"upd.png", "upd-on-pictures.png"}
    again = crosslens.load(result.save(tmp_path / "upd.npz"))
    np.testing.assert_array_equal(again.apply(IMAGES), result.apply(IMAGES))
    assert re.search(r"fools \d+\.\d% \[.*\] of 12 pictures held out", repr(again))


def test_refuses_what_it_cannot_use():
    with pytest.raises(ParameterError, match="give two different ones at least"):
        made(data=np.repeat(IMAGES[:1], 3, axis=0))
    with pytest.raises(ParameterError, match=r"eps is 5 in L-inf, and images are in \[0, 1\]"):
        made(eps=5)
    with pytest.raises(TargetError, match="towards is 'layer:conv1'"):
        made(towards="layer:conv1")
    with pytest.raises(ImageError, match=r"the perturbation is \(3, 8, 8\), and the pictures are \(3, 9, 8\)"):
        made(passes=1).apply(np.zeros((3, 9, 8), np.float32))
    with pytest.raises(ImageError, match=r"load_image\('cat.png', like=model\)"):
        made(passes=1).apply("cat.png")
    flat = AffineModel(np.zeros((3, 3, 8, 8)), np.array([3.0, 2.0, 1.0]))
    with pytest.raises(ModelError, match="the gradient of the loss is zero in 6 pictures"):
        made(flat)


def test_a_bad_picture_is_listed_and_left_out():
    bad = IMAGES.copy()
    bad[4, 0, 0, 0] = np.nan
    result = made(data=ArraySource(bad), passes=1)
    assert "4" not in result.ids
    assert len(result.ids) == 29
