"""Auto-PGD as a method: against PGD, in every norm, its larger balls, its losses' refusals."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import ParameterError, TargetError
from crosslens.testing.tiny import TinyModel

RADII = {"linf": 0.05, "l2": 0.45, "l1": 4.5}


@pytest.fixture(scope="module")
def model():
    return TinyModel(relu=True, seed=1)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((24, 3, 8, 8), dtype=np.float32)


@pytest.mark.parametrize("norm", RADII)
def test_fools_no_fewer_than_pgd_within_the_same_ball(model, images, norm):
    eps = RADII[norm]
    steps = crosslens.method("pgd", eps=eps, norm=norm, steps=60)(model, images)
    auto = crosslens.method("apgd", eps=eps, norm=norm, steps=60)(model, images)
    assert 0 < steps.robust_accuracy < 1
    assert auto.robust_accuracy <= steps.robust_accuracy
    assert auto.norms()[norm].max() <= eps * (1 + 1e-6)
    assert auto.images.min() >= 0
    assert auto.images.max() <= 1


@pytest.mark.parametrize("norm", RADII)
def test_pictures_of_the_larger_balls_are_not_taken_for_successes(model, images, norm):
    """Within a third of the radius few fool; three times it, where the first steps look, most do."""
    eps = RADII[norm] / 3
    result = crosslens.method("apgd", eps=eps, norm=norm, steps=20, larger_first=True)(model, images)
    assert result.norms()[norm].max() <= eps * (1 + 1e-6)
    assert result.robust_accuracy > 0
    assert result.gradients[~result.success].tolist() == [20] * int((~result.success).sum())


def test_l1_takes_larger_balls_first_unless_told(model, images):
    options = {"eps": 2.0, "norm": "l1", "steps": 10}
    first, told, without = (
        crosslens.method("apgd", **options, **more)(model, images[:4]).images
        for more in ({}, {"larger_first": True}, {"larger_first": False})
    )
    np.testing.assert_array_equal(first, told)
    assert (first != without).any()


def test_restarts_are_of_images_that_are_not_fooled_yet(model, images):
    once = crosslens.method("apgd", eps=0.03, steps=8)(model, images)
    thrice = crosslens.method("apgd", eps=0.03, steps=8, restarts=3)(model, images)
    assert thrice.robust_accuracy <= once.robust_accuracy
    np.testing.assert_array_equal(thrice.gradients[once.success], once.gradients[once.success])
    assert set(thrice.gradients[~thrice.success]) == {24}


def test_an_image_alone_gives_what_it_gives_among_others(model, images):
    attack = crosslens.method("apgd", eps=0.03, steps=12, restarts=2)
    together = attack(model, images[:6])
    for n in (0, 5):
        alone = attack(model, images[n : n + 1])
        assert alone.success[0] == together.success[n]
        np.testing.assert_allclose(alone.images[0], together.images[n], atol=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin", "dlr"])
def test_reaches_a_class_under_every_loss(model, images, loss):
    before = model.forward(images[:8])["<output>"].argmax(axis=1)
    wanted = tuple(int(k) for k in (before + 1) % 5)
    result = crosslens.method("apgd", eps=0.5, loss=loss, towards=wanted)(model, images[:8])
    after = model.forward(result.images)["<output>"].argmax(axis=1)
    assert result.success.any()
    assert (after == wanted).tolist() == result.success.tolist()


@pytest.mark.parametrize(("classes", "towards", "count"), [(2, None, 3), (3, 2, 4)])
def test_refuses_the_ratio_where_there_are_too_few_classes(images, classes, towards, count):
    attack = crosslens.method("apgd", loss="dlr", towards=towards)
    model = TinyModel(relu=True, seed=1, classes=classes)
    leave = {} if towards is None else {"target": 1}
    with pytest.raises(TargetError, match=f"compares {count} classes.*loss='cross_entropy' or loss='margin'"):
        attack(model, images[:1], **leave)


def test_refuses_a_share_of_rises_above_one(model, images):
    with pytest.raises(ParameterError, match="rho"):
        crosslens.method("apgd", rho=1.5)(model, images[:1])
