"""Networks that are random, or that mix the images of a batch: found by a probe, said on results, never in silence."""

from contextlib import suppress
from threading import Thread

import crosslens
import numpy as np
import pytest
from crosslens.errors import LayerError, ModelError
from crosslens.execution.batching import batch_limit, box_limit
from crosslens.introspection.diagnostics import diagnose
from crosslens.model import OUTPUT
from crosslens.model.repeatability import repeatability
from crosslens.plugins import image_methods, method_class
from crosslens.testing import TinyModel
from crosslens.testing.promises.method import values_of

IMAGES = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)


class Spied(TinyModel):
    """Notes how many images it was given."""

    def __init__(self, **options):
        super().__init__(**options)
        self.given = []

    def _run(self, x, replace):
        self.given.append(x.shape[0])
        return super()._run(x, replace)


class Mixing(Spied):
    """An image's first maps lose a share of what their batch has on average; alone, of what they have themselves."""

    def _run(self, x, replace):
        before = super()._run(x, replace)["conv1"]
        return super()._run(x, {"conv1": before - 0.5 * before.mean(axis=0, keepdims=True), **replace})


class Random(Spied):
    """Noise on the second maps, drawn anew in each run."""

    draws = np.random.default_rng(0)
    size = 0.5

    def _run(self, x, replace):
        clean = super()._run(x, replace)["conv2"]
        noise = self.size * self.draws.standard_normal(clean.shape).astype(np.float32)
        return super()._run(x, {"conv2": clean + noise, **replace})


class Seeded(Random):
    """The same noise in each run, another at each place of the batch."""

    def _run(self, x, replace):
        self.draws = np.random.default_rng(3)
        return super()._run(x, replace)


class NeverAlone(Mixing):
    """Does not run on one image, once its layers are known."""

    def _run(self, x, replace):
        if x.shape[0] == 1 and "layers" in vars(self):
            raise ModelError("expected more than one image. Give more")
        return super()._run(x, replace)


def test_a_network_without_chance_is_repeatable():
    found = repeatability(TinyModel())
    assert found.repeatable is True
    assert not found.one_by_one
    assert found.notes == ()


def test_noise_drawn_in_each_run_is_found_at_its_first_layer():
    found = repeatability(Random())
    assert found.repeatable is False
    assert found.random_at == "conv2"
    assert "two runs of one image differ by" in found.notes[0]
    assert "at layer 'conv2'" in found.notes[0]


def test_little_noise_is_found_too():
    net = Random()
    net.size = 0.05
    assert repeatability(net).random_at == "conv2"


def test_rounding_is_no_chance():
    net = Random()
    net.size = 1e-6
    assert repeatability(net).notes == ()


def test_images_that_see_each_other_are_found_at_the_first_layer():
    found = repeatability(Mixing())
    assert found.repeatable is True
    assert (found.mixed_at, found.by_place) == ("conv1", False)
    assert "each image is computed in a batch of its own" in found.notes[0]


def test_noise_of_a_fixed_seed_depends_on_the_place_in_the_batch():
    found = repeatability(Seeded())
    assert found.repeatable is True
    assert (found.mixed_at, found.by_place) == ("conv2", True)


def test_the_probe_runs_once_and_copies_take_what_it_found():
    net = Spied()
    net.layers  # noqa: B018 - takes a pass
    net.given.clear()
    repeatability(net)
    assert net.given == [2, 2, 1]
    repeatability(net)
    repeatability(net.randomised(["fc"], 0))
    assert net.given == [2, 2, 1]


def test_threads_share_one_probe():
    net, found = Spied(), []
    net.layers  # noqa: B018 - takes a pass
    net.given.clear()
    threads = [Thread(target=lambda: found.append(repeatability(net))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert net.given == [2, 2, 1]
    assert all(each is found[0] for each in found)


def test_a_network_that_does_not_run_on_noise_is_not_called_repeatable():
    class Picky(TinyModel):
        def _run(self, x, replace):
            if x.shape[0] == 2:
                raise ModelError("not today")
            return super()._run(x, replace)

    found = repeatability(Picky())
    assert found.repeatable is None
    assert found.notes == ()


@pytest.mark.parametrize("kind", [Mixing, Random])
def test_batches_hold_one_image_whatever_was_asked_for(kind):
    net = kind()
    net.batch_size = 8
    assert batch_limit(net) == 1
    assert box_limit(net, 8) == box_limit(net) == 2


@pytest.mark.parametrize("batch_size", [1, 8])
def test_occlusion_of_a_mixing_network_is_that_of_single_images(batch_size):
    """The target's fall, each covered copy computed by hand and alone."""
    net = Mixing()
    net.batch_size = batch_size
    found = crosslens.method("occlusion", window=4, stride=4, fill=0.0)(net, IMAGES, 1)
    for n, image in enumerate(IMAGES):
        whole = Mixing()._run(image[None], {})[OUTPUT][0, 1]
        for top in (0, 4):
            for left in (0, 4):
                copy = image[None].copy()
                copy[:, :, top : top + 4, left : left + 4] = 0
                fall = whole - Mixing()._run(copy, {})[OUTPUT][0, 1]
                np.testing.assert_allclose(found.values[n, top : top + 4, left : left + 4], fall, rtol=1e-4, atol=1e-6)
    assert found.provenance["computed"] == "whole images: the network mixes the images of a batch at layer 'conv1'"


def test_results_say_that_a_network_is_random():
    found = crosslens.method("gradient")(Random(), IMAGES, 1)
    assert found.provenance["repeatable"] is False
    assert any("this network is random" in note for note in found.notes)
    assert crosslens.method("gradient")(TinyModel(), IMAGES, 1).provenance["repeatable"] is True


def test_a_network_that_mixes_and_does_not_run_alone_is_refused_by_its_layer():
    with pytest.raises(
        ModelError, match=r"first at layer 'conv1', and alone it does not run: expected more than one image\. W"
    ):
        crosslens.method("gradient")(NeverAlone(), IMAGES, 1)


def test_a_batch_gives_what_its_images_give_alone():
    net = Mixing()
    cotangents = {OUTPUT: np.ones((3, 5), np.float32)}
    together = net.vjp(IMAGES, cotangents, capture=["conv1"])
    with net.linearize(IMAGES, [OUTPUT, "conv1"]) as at:
        again = at.vjp(cotangents)[crosslens.INPUT]
        maps = at.activations["conv1"]
    for n in range(3):
        alone = net.vjp(IMAGES[n : n + 1], {OUTPUT: cotangents[OUTPUT][:1]}, capture=["conv1"])
        for got in (together.gradients[crosslens.INPUT], again):
            np.testing.assert_array_equal(got[n], alone.gradients[crosslens.INPUT][0])
        for got in (together.activations["conv1"], maps, net.forward(IMAGES, ["conv1"])["conv1"]):
            np.testing.assert_array_equal(got[n], alone.activations["conv1"][0])


def test_doctor_says_what_the_probe_found():
    for net, ok, text in ((TinyModel(), True, "two runs agree"), (Random(), None, "random"), (Mixing(), None, "mixes")):
        (finding,) = [each for each in diagnose(net) if each.name == "repeatable"]
        assert finding.ok is ok
        assert text in finding.detail


def test_comparisons_say_it_too():
    found = crosslens.compare([TinyModel(), Random()], crosslens.method("gradient"), IMAGES, 1)
    assert any("this network is random" in note for note in found.results["gradient", "tiny 2"].notes)


NAMES = image_methods()


@pytest.mark.parametrize("name", NAMES)
def test_no_method_lets_images_of_a_mixing_network_see_each_other(name):
    kind = method_class(name)
    net = Mixing(relu=True)
    repeatability(net)
    net.given.clear()
    images = IMAGES[:2] if kind.needs_images else None
    with suppress(ModelError, LayerError):
        values_of(crosslens.method(name, **kind.example)(net, images, 1 if kind.needs_target else None))
    assert set(net.given) <= {1}


def test_references_cannot_stand_beside_images_that_they_would_change():
    with pytest.raises(ModelError, match=r"mixes the images of a batch at layer '.*'.*integrated_gradients"):
        crosslens.method("deep_lift")(Mixing(), IMAGES[:1], 1)
