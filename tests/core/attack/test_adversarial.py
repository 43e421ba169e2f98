"""What an attack gives: success, distances, confidences and queries of each image, notes, tables and files."""

from dataclasses import replace

import crosslens
import numpy as np
import pytest
from crosslens.attack import Adversarial
from crosslens.testing.tiny import TinyModel
from PIL import Image

LABELS = ("ash", "birch", "cedar", "dogwood", "elm")


@pytest.fixture(scope="module")
def model():
    return TinyModel(relu=True, seed=1)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((6, 3, 8, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def result(model, images):
    """Some of the images are fooled, and some are not."""
    return crosslens.method("pgd", eps=0.05, steps=10)(model, images)


def probabilities(model, images):
    z = model.forward(images)["<output>"].astype(float)
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def test_success_classes_and_confidence_are_the_networks_own(result, model, images):
    before, after = probabilities(model, images), probabilities(model, result.images)
    rows = np.arange(6)
    assert 0 < result.success.sum() < 6
    assert result.classes.tolist() == np.stack([before.argmax(1), after.argmax(1)], axis=1).tolist()
    assert result.success.tolist() == (before.argmax(1) != after.argmax(1)).tolist()
    np.testing.assert_allclose(result.confidence, np.stack([before.max(1), after.max(1)], axis=1), rtol=1e-5)
    left = np.stack([before[rows, result.leave], after[rows, result.leave]], axis=1)
    np.testing.assert_allclose(result.leave_confidence, left, rtol=1e-5)


def test_distances_are_those_of_the_pictures(result, images):
    change = (result.images.astype(float) - images).reshape(6, -1)
    norms = result.norms()
    np.testing.assert_allclose(result.distance, abs(change).max(axis=1), atol=1e-7)
    np.testing.assert_allclose(norms["l2"], np.sqrt((change**2).sum(axis=1)), rtol=1e-5)
    np.testing.assert_allclose(norms["l1"], abs(change).sum(axis=1), rtol=1e-5)
    pixels = (change.reshape(6, 3, -1) != 0).any(axis=1).sum(axis=1)
    assert norms["l0"].tolist() == pixels.tolist()


def test_queries_and_gradients_are_the_passes_that_were_made(model, images):
    """Counted at the network itself; the passes of pictures in 8 bits are not the attack's."""
    seen = {"forward": 0, "gradient": 0}

    class Counting(TinyModel):
        def _forward(self, x, capture, replace):
            seen["forward"] += x.shape[0]
            return super()._forward(x, capture, replace)

        def _linearize(self, x, capture, wrt, replace):
            seen["gradient"] += x.shape[0]
            return super()._linearize(x, capture, wrt, replace)

    counting = Counting(relu=True, seed=1)
    counting.output  # noqa: B018 - found out before anything is counted
    crosslens.method("fgsm")(counting, images)
    seen.update(forward=0, gradient=0)
    result = crosslens.method("pgd", eps=0.05, steps=10)(counting, images)
    assert result.gradients.sum() == seen["gradient"]
    linearised = seen["gradient"]
    inside = seen["forward"] - result.success.sum()
    assert result.queries.sum() in {inside, inside + linearised}


def test_a_picture_that_was_not_fooled_is_the_one_that_came_nearest(model, images):
    result = crosslens.method("pgd", eps=0.002, steps=5)(model, images)
    assert not result.success.any()
    rows = np.arange(6)
    ahead = []
    for x in (images, result.images):
        z = model.forward(x)["<output>"].astype(float)
        own = z[rows, result.leave].copy()
        z[rows, result.leave] = -np.inf
        ahead.append(own - z.max(axis=1))
    assert (ahead[1] < ahead[0]).all()


def test_parts_have_their_own_notes(result):
    failed = np.flatnonzero(~result.success)
    assert any(f"{len(failed)} of 6 images were not fooled" in note for note in result.notes)
    assert any("1 of 1 images were not fooled" in note for note in result[int(failed[0])].notes)
    fooled = int(np.flatnonzero(result.success)[0])
    assert not any("not fooled" in note for note in result[fooled].notes)
    joined = result[:2].joined([result[2:]])
    assert sorted(joined.notes) == sorted(result.notes)
    assert joined.success.tolist() == result.success.tolist()


def test_a_failed_attack_says_that_it_proves_nothing(model, images):
    (note,) = [n for n in crosslens.method("fgsm", eps=1e-6)(model, images).notes if "not fooled" in n]
    assert "does not show that there is nothing" in note


def test_the_class_to_leave_can_be_another_than_the_predicted_one(model, images):
    """An image that is of another class already takes no change at all, and the notes say so."""
    other = (model.forward(images)["<output>"].argmax(axis=1) + 1) % 5
    result = crosslens.method("pgd")(model, images, other.tolist())
    assert result.success.all()
    assert result.distance.tolist() == [0] * 6
    assert result.queries.tolist() == [1] * 6
    assert "the class of 6 of 6 images is not the one to leave before any change" in result.notes[0]


def test_a_class_can_be_reached_by_number_label_and_one_for_each(model, images):
    method = crosslens.method("pgd", eps=0.5, steps=20, towards="class 3")
    by_label = method(model, images, [0] * 6)
    by_number = crosslens.method("pgd", eps=0.5, steps=20, towards=3)(model, images, [0] * 6)
    np.testing.assert_array_equal(by_label.images, by_number.images)
    assert by_label.reach.tolist() == [3] * 6
    assert (by_label.classes[by_label.success, 1] == 3).all()
    each = crosslens.method("pgd", eps=0.5, steps=20, towards=(1, 2, 3, 1, 2, 3))(model, images, [0] * 6)
    assert each.reach.tolist() == [1, 2, 3, 1, 2, 3]
    assert each.success.sum() > 0


def test_wrong_classes_are_refused(model, images):
    with pytest.raises(crosslens.errors.TargetError, match="towards is class 0, and that is the class of image 0"):
        crosslens.method("pgd", towards=0)(model, images, [0, 1, 2, 3, 4, 1])
    with pytest.raises(crosslens.errors.TargetError, match="an attack is about a class"):
        crosslens.method("pgd")(model, images, "channel:conv1:0")
    with pytest.raises(crosslens.errors.TargetError, match="99 is out of range"):
        crosslens.method("pgd", towards=99)(model, images)


def test_it_is_saved_shown_and_tabulated(result, tmp_path):
    named = replace(result, labels=LABELS)
    named.save(tmp_path / "attack.npz")
    back = crosslens.load(tmp_path / "attack.npz")
    assert isinstance(back, Adversarial)
    assert back == named
    table = named.to_dataframe()
    assert list(table["success"]) == named.success.tolist()
    assert list(table["queries"]) == named.queries.tolist()
    assert named.picture().shape[2] == 3
    fooled = int(np.flatnonzero(named.success)[0])
    before, after = named.classes[fooled]
    assert named.explanation(fooled).startswith(
        f"{LABELS[before]} {named.confidence[fooled, 0]:.2f} -> {LABELS[after]} "
    )


def test_beside_the_sheet_of_one_image_stands_its_picture(result, tmp_path):
    result[0].save(tmp_path / "one.png")
    pixels = np.asarray(Image.open(tmp_path / "one-adversarial.png")).transpose(2, 0, 1)
    np.testing.assert_allclose(pixels, result.images[0] * 255, atol=0.51)
    result.save(tmp_path / "all.png")
    assert not (tmp_path / "all-adversarial.png").exists()


def test_8_bits_are_tried(model, images):
    """The pictures that the network is given are those that a .png would hold."""
    result = crosslens.method("pgd", eps=0.05, steps=10)(model, images)
    rounded = np.float32(np.round(result.images * 255) / 255)
    held = model.forward(rounded)["<output>"].argmax(axis=1) != result.leave
    assert result.survives_8_bit.tolist() == (held & result.success).tolist()


def test_a_zero_gradient_is_said():
    """A network whose weights are all zero below the last layer: nothing depends on the image."""
    model = TinyModel()
    model._parameters["conv1"]["kernel"][:] = 0
    result = crosslens.method("pgd")(model, np.full((2, 3, 8, 8), 0.5, np.float32))
    assert not result.success.any()
    assert result.zero_gradient.all()
    assert any("the gradient was zero at 2 of 2 images" in note for note in result.notes)


def test_no_float32_difference_puts_a_distance_out_of_the_ball(model, images):
    """x' - x in float32 is 0.050000012 at pictures whose distance is below 0.05."""
    result = crosslens.method("fgsm", eps=0.05)(model, images)
    change = (result.images.astype(float) - images).reshape(6, -1)
    assert result.distance.tolist() == abs(change).max(axis=1).tolist()
    assert (result.distance <= 0.05).all()


def test_an_image_that_is_of_the_class_to_reach_takes_no_change(model, images):
    """By prediction; in a batch no other image fails for it, and alone it gives the same."""
    predicted = model.forward(images)["<output>"].argmax(axis=1)
    wanted = int(predicted[0])
    result = crosslens.method("pgd", eps=0.5, steps=20, towards=wanted)(model, images)
    there = predicted == wanted
    assert result.distance[there].tolist() == [0] * there.sum()
    assert result.success[there].all()
    assert (result.distance[~there] > 0).all()
    assert f"the class of {there.sum()} of 6 images is the one to reach before any change" in result.notes
    alone = crosslens.method("pgd", eps=0.5, steps=20, towards=wanted)(model, images[:1])
    np.testing.assert_array_equal(alone.images, result.images[:1])


def test_errors_of_the_class_to_reach_name_it(model, images):
    with pytest.raises(crosslens.errors.TargetError, match=r"towards=\(1, 2\): 2 targets for 6 images"):
        crosslens.method("pgd", towards=(1, 2))(model, images)


def test_an_l_inf_radius_in_255ths_is_refused(model, images):
    for name in ("fgsm", "pgd", "apgd", "square"):
        with pytest.raises(crosslens.errors.ParameterError, match="eps is 8 in L-inf, and images are in"):
            crosslens.method(name, eps=8)(model, images)
    assert crosslens.method("fgsm", eps=8, norm="l2")(model, images).success.all()


class Answers(TinyModel):
    """A tiny network whose outputs are changed by a function of (images, outputs)."""

    def __init__(self, change, **keywords):
        super().__init__(relu=True, seed=1)
        self.change = change

    def _run(self, x, replace):
        found = super()._run(x, replace)
        return {**found, "<output>": self.change(x, found["<output>"])}


def test_a_network_that_gives_nan_is_named_not_the_images(images):
    model = Answers(lambda x, z: np.where((x[:, :1, 0, 0] > 0.9), np.float32("nan"), z))
    pictures = images.copy()
    pictures[:, 0, 0, 0] = [0, 0, 1, 0, 1, 0]
    with pytest.raises(crosslens.errors.ModelError, match="NaN or infinite numbers for 2 of 6 images, image 2 first"):
        crosslens.method("pgd")(model, pictures)


SHORT = {"fgsm": {"eps": 0.05}, "pgd": {"eps": 0.05}, "apgd": {"eps": 0.05}, "deep_fool": {}, "square": {"queries": 20},
         "boundary": {"steps": 20}, "one_pixel": {"population": 20, "generations": 2}}  # fmt: skip


@pytest.mark.parametrize("name", SHORT)
def test_nan_on_the_way_is_no_success(images, name):
    """NumPy's argmax is the place of the first NaN: class 0, which looks like a class that was reached."""
    model = Answers(lambda x, z: np.where(x.reshape(len(x), -1)[:, :1] != 0, np.float32("nan"), z))
    pictures = images.copy()
    pictures[:, 0, 0, 0] = 0
    result = crosslens.method(name, **SHORT[name])(model, pictures)
    z = TinyModel(relu=True, seed=1).forward(result.images)["<output>"]
    assert (result.images[result.success, 0, 0, 0] == 0).all()
    assert result.success.tolist() == ((z.argmax(axis=1) != result.leave) & (result.images[:, 0, 0, 0] == 0)).tolist()


def test_what_is_said_of_the_picture_is_what_the_network_says_of_it(images):
    """Of an attack that sees no logits too."""
    model = TinyModel(relu=True, seed=1)
    result = crosslens.method("boundary", steps=20)(model, images)
    after = probabilities(model, result.images)
    assert result.success.any()
    assert result.classes[:, 1].tolist() == after.argmax(axis=1).tolist()
    np.testing.assert_allclose(result.confidence[:, 1], after.max(axis=1), rtol=1e-5)


def test_options_without_an_effect_are_refused(model, images):
    for name in ("fgsm", "pgd", "apgd"):
        with pytest.raises(crosslens.errors.ParameterError, match="turn and noise: for random views, and views is 0"):
            crosslens.method(name, noise=0.1, turn=0.0)(model, images)
    with pytest.raises(crosslens.errors.ParameterError, match="rho is of the halved steps"):
        crosslens.method("apgd", norm="l1", rho=0.5)(model, images)
    assert crosslens.method("fgsm", views=2, noise=0.1, turn=0.0)(model, images).gradients.tolist() == [2] * 6
