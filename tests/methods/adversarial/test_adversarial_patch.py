"""Adversarial patches: sets that never overlap, a loss that is the paper's, the same placements on every backend."""

import re

import crosslens
import numpy as np
import pytest
from crosslens.attack.patch.printable import nonprintability
from crosslens.attack.patch.random_placement import RandomPlacement
from crosslens.data import ArraySource
from crosslens.errors import ImageError, ModelError, ParameterError, TargetError
from crosslens.methods.adversarial._held_out_pictures import Pictures, held_out, split
from crosslens.methods.adversarial._patch_trials import PatchLoss, Place
from crosslens.operators import Paste
from crosslens.operators.paste import patch_mask
from crosslens.testing import TinyModel

from tests.conformance.plans import images
from tests.conformance.zoo import BUILDERS, net

IMAGES = np.random.default_rng(0).random((12, 3, 8, 8), dtype=np.float32)


def made(model=None, data=IMAGES, **parameters):
    asked = {"towards": 1, "steps": 3, "batch": 2, "placements": 4, "area": 0.3, "scale": (1.0, 1.0)} | parameters
    return crosslens.method("adversarial_patch", **asked)(model or TinyModel(), data)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.99])
def test_a_picture_and_its_copies_are_on_one_side_and_neither_side_is_empty(share, seed):
    digests = np.random.default_rng(seed).integers(-(2**63), 2**63, 20)[np.arange(50) % 20]
    held = split(digests, share, seed)
    assert not set(digests[held]) & set(digests[~held])
    assert len(set(digests[held])) == min(max(1, round(share * 20)), 19)


def test_the_split_follows_the_seed_and_not_the_order():
    digests = np.arange(40)
    order = np.random.default_rng(0).permutation(40)
    assert (split(digests, 0.4, 0)[order] == split(digests[order], 0.4, 0)).all()
    assert (split(digests, 0.4, 0) != split(digests, 0.4, 1)).any()


def test_what_an_earlier_training_took_is_never_judged():
    digests = np.arange(10)
    held = held_out(digests, 0.5, np.arange(7), 0)
    assert not held[:7].any()
    assert held_out(digests, None, np.arange(7), 0).tolist() == [False] * 7 + [True] * 3
    with pytest.raises(ParameterError, match="was trained on all 10 pictures"):
        held_out(digests, None, digests, 0)


def test_training_and_judging_read_different_pictures(monkeypatch):
    read = {"training": set(), "judging": set()}
    loss, batch = PatchLoss.__call__, Place.batch
    stage = ["judging"]

    def in_training(self, patch, step):
        stage[0] = "training"
        try:
            return loss(self, patch, step)
        finally:
            stage[0] = "judging"

    def noted(self, rows):
        read[stage[0]] |= {int(row) for row in rows}
        return batch(self, rows)

    monkeypatch.setattr(PatchLoss, "__call__", in_training)
    monkeypatch.setattr(Place, "batch", noted)
    result = made(steps=40)
    judged = {int(each) for each in result.held_out}
    assert len(judged) == 5
    assert not judged & read["training"]
    assert len(read["training"]) == 7
    assert len(result.trained_on) == 7


def cross_entropy_slowly(model, images, placements, patch, shape, towards):
    """Minus the mean log-probability, one picture at a time, in float64."""
    losses = []
    for image, placement in zip(images, placements, strict=True):
        pasted = Paste(image[None], [placement], patch.shape[1:], shape).apply(patch)
        z = model._run(pasted, {})["fc"][0]
        losses.append(np.log(np.exp(z).sum()) - z[towards])
    return np.mean(losses)


@pytest.mark.parametrize("shape", ["circle", "square"])
def test_the_loss_is_the_papers_expectation_with_its_regularisers_and_its_gradient_the_derivative(shape):
    model, source = TinyModel(), ArraySource(IMAGES)
    placing = RandomPlacement(0.4, shape, (0.8, 1.1), 30.0)
    place = Place(model, Pictures(model, model, source), 2, placing, (8, 8))
    loss = PatchLoss(place, np.arange(12), 5, 3, printable=0.7, smooth=0.4)
    patch = np.random.default_rng(1).random((1, 3, 6, 6), np.float32)

    def slowly(patch):
        rng = np.random.default_rng([3, 1, 7])
        rows = rng.choice(12, 5, replace=False)
        placements = [placing.draw(rng, (8, 8), 6) for _ in rows]
        total = cross_entropy_slowly(model, np.float64(IMAGES[rows]), placements, patch[0], shape, 2)
        total += 0.7 * nonprintability(patch[0], patch_mask((6, 6), shape))[0]
        for channel in patch[0]:
            for i in range(6):
                for j in range(6):
                    right = channel[i, j + 1] - channel[i, j] if j < 5 else 0.0
                    below = channel[i + 1, j] - channel[i, j] if i < 5 else 0.0
                    total += 0.4 / 36 * np.hypot(right, below)
        return total

    value, gradient = loss(patch, 7)
    assert value[0] == pytest.approx(slowly(np.float64(patch)), rel=1e-5)
    for at in [(0, 0, 3, 3), (0, 1, 2, 4), (0, 2, 0, 0)]:
        step = np.zeros(patch.shape)
        step[at] = 1e-5
        slope = (slowly(patch + step) - slowly(patch - step)) / 2e-5
        assert gradient[at] == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_training_lowers_the_loss_and_raises_the_class_in_pictures_held_out():
    result = made(steps=60, batch=4, learning_rate=0.1)
    assert result.history[-10:].mean() < result.history[:10].mean()
    assert result.rate.confidence > result.trials_of("grey patch").confidence.mean()
    assert 0 <= result.images.min() <= result.images.max() <= 1


def test_weights_make_a_patch_smoother_and_easier_to_print():
    plain, weighted = made(steps=60, start="noise"), made(steps=60, start="noise", printable=1.0, smooth=1.0)
    mask = patch_mask(plain.images.shape[2:], "circle")
    assert nonprintability(weighted.images[0], mask)[0] < nonprintability(plain.images[0], mask)[0]
    assert np.abs(np.diff(weighted.images)).mean() < np.abs(np.diff(plain.images)).mean()


def test_the_same_seed_gives_the_same_placements_on_every_backend_and_in_any_order():
    data, results = images(8), {}
    for backend in BUILDERS:
        results[backend] = made(net(backend, "smooth").model, data, towards=2)
    first = results[BUILDERS[0]]
    for backend, result in results.items():
        np.testing.assert_array_equal(result.trials_of().placement, first.trials_of().placement, err_msg=backend)
        assert result.held_out == first.held_out
    backwards = made(net(BUILDERS[0], "smooth").model, data[::-1].copy(), towards=2)
    where = {name: n for n, name in enumerate(first.held_out)}
    for n, name in enumerate(backwards.held_out):
        other = first.trials_of().placement[where[str(7 - int(name))]]
        np.testing.assert_array_equal(backwards.trials_of().placement[n], other)


def test_confidence_is_the_probability_with_the_patch_at_the_recorded_placement():
    model = TinyModel()
    result = made(model)
    trials = result.trials_of()
    for n, name in enumerate(result.held_out[:2]):
        placement = result._placement(trials.placement[n, 1], (8, 8))
        pasted = Paste(IMAGES[int(name)][None], [placement], result.images.shape[2:]).apply(result.images[0])
        z = model.forward(pasted, ["fc"])["fc"][0].astype(np.float64)
        assert trials.confidence[n, 1] == pytest.approx(np.exp(z[1]) / np.exp(z).sum(), rel=1e-5)
        assert trials.classes[n, 1] == z.argmax()
        assert trials.success[n, 1] == (z.argmax() == 1)


def test_pictures_that_are_of_the_class_already_are_left_out_with_a_note():
    model = TinyModel()
    classes = model.forward(IMAGES, ["fc"])["fc"].argmax(axis=1)
    common = int(np.bincount(classes).argmax())
    count = int((classes == common).sum())
    result = made(model, towards=common)
    if count == 12:
        assert "all 12 pictures are of the class wanted" in result.notes[0]
    else:
        assert f"{count} of 12 pictures are of the class wanted" in result.notes[0]


def test_a_patch_goes_on_from_a_file_and_is_judged_elsewhere_without_training(tmp_path):
    first = made(steps=4)
    first.save(tmp_path / "patch.npz")
    first.save(tmp_path / "patch.png")
    more = np.random.default_rng(1).random((5, 3, 8, 8), dtype=np.float32)
    judged = made(data=np.concatenate([IMAGES, more]), steps=0, start=str(tmp_path / "patch.npz"))
    np.testing.assert_array_equal(judged.images, first.images)
    assert judged.history is None
    assert set(judged.held_out) == {*first.held_out, *map(str, range(12, 17))}
    assert "training" not in judged.trials
    again = made(steps=2, start=str(tmp_path / "patch.npz"), learning_rate=1e-9)
    np.testing.assert_allclose(again.images, first.images, atol=1e-6)
    png = made(steps=0, start=str(tmp_path / "patch.png"), shape="square", area=first.area)
    assert png.images.shape[-1] == round(8 * 0.3**0.5)


def test_a_binary_network_and_one_of_independent_classes_have_classes_too():
    for kind in ("independent_logits", "probabilities"):
        model = TinyModel()
        if kind == "independent_logits":
            model.output_kind = kind
        result = made(model, towards=3)
        assert result.towards == 3
        assert np.isfinite(result.history).all()


def test_what_cannot_be_done_is_refused_in_one_line():
    with pytest.raises(ParameterError, match="give the least first"):
        made(scale=(1.2, 0.8))
    with pytest.raises(ParameterError, match=r"reaches .* pixels from its middle, and pictures of 8 x 8"):
        made(area=0.9)
    with pytest.raises(TargetError, match="towards: target 77 is out of range"):
        made(towards=77)
    with pytest.raises(TargetError, match="a patch is for a class"):
        made(towards="channel:conv1:0")
    with pytest.raises(ParameterError, match="all 3 pictures have the same pixels"):
        made(data=np.repeat(IMAGES[:1], 3, axis=0))
    with pytest.raises(ParameterError, match="there is one picture"):
        made(data=IMAGES[:1])
    with pytest.raises(ParameterError, match="held_out is 1"):
        made(held_out=1.0)
    with pytest.raises(ImageError, match=r"no such file|does not exist"):
        made(start="nowhere.png")
    score = TinyModel(classes=1)
    with pytest.raises(TargetError, match="change its mind about a class"):
        made(score, towards=0)


def test_what_cannot_be_done_is_refused_before_the_pass_over_the_data():
    class Unreadable(ArraySource):
        def read(self, start, stop, model):
            raise AssertionError("the data was read")

    for wrong, message in (({"area": 0.9}, "reaches"), ({"start": "nowhere.npz"}, "no saved result")):
        with pytest.raises(ParameterError, match=message):
            made(data=Unreadable(IMAGES), **wrong)


def test_a_training_that_is_interrupted_keeps_and_judges_what_it_has():
    def stop(done, total, what):
        if "loss" in what and done == 5:
            raise KeyboardInterrupt

    method = crosslens.method("adversarial_patch", towards=1, steps=50, batch=2, placements=3, area=0.3)
    result = method(TinyModel(), IMAGES, progress=stop)
    assert len(result.history) == 5
    assert "the training was interrupted after 5 of 50 steps" in result.notes
    assert result.rate.trials == 15


def test_a_start_that_is_another_result_is_refused(tmp_path):
    other = crosslens.method("mean_activation")(TinyModel(), IMAGES)
    path = other.save(tmp_path / "means.npz")
    with pytest.raises(ParameterError, match=re.escape("that is no patch of 3 channels")):
        made(start=str(path))


def test_a_network_without_a_gradient_is_refused():
    model = TinyModel(relu=True)
    weights = model.weights("conv2")
    dead = model._with_weights({"conv2": {"kernel": weights["kernel"], "bias": weights["bias"] - 100}})
    with pytest.raises(ModelError, match=r"the gradient of class .* at the patch is zero in 2 pictures"):
        made(dead, towards=3)
