"""Top examples by relevance: what a full sort of layer-wise relevance finds (Achtibat et al. 2023)."""

import crosslens
import numpy as np
import pytest
from crosslens import OUTPUT
from crosslens.data import ArraySource
from crosslens.errors import TargetError
from crosslens.model.output.output_spec import OutputSpec
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(3).random((9, 3, 8, 8), dtype=np.float32)
SOURCE = ArraySource(IMAGES, [f"class {n % 2}" for n in range(9)])
NET = TinyModel(relu=True, seed=3)


def examples(model=NET, **parameters):
    settings = {"count": 4, "by": "relevance", "kinds": ("most", "least"), "shown": 2, **parameters}
    return crosslens.method("top_examples", **settings)(model, SOURCE)


def relevance_at_act2(image):
    """Of the last maps, from the paper's epsilon rule at the dense layer and shares of a mean, in float64."""
    values = NET.forward(image[None], ["act2", "pool", OUTPUT])
    k = values[OUTPUT][0].argmax()
    z, pool, maps = (values[name][0].astype(float) for name in (OUTPUT, "pool", "act2"))
    units = pool * NET.weights("fc")["kernel"][k].astype(float) * z[k] / (z[k] + 1e-6 * np.sign(z[k]))
    total = maps.sum(axis=(1, 2), keepdims=True)
    return units[:, None, None] * np.divide(maps, total, out=np.zeros_like(maps), where=total > 0)


def test_the_examples_of_a_unit_are_those_with_the_largest_relevance_for_the_predicted_class():
    found = examples(layers=("act2",))
    maps = np.stack([relevance_at_act2(image) for image in IMAGES]).reshape(9, 6, -1)
    for unit in range(6):
        for kind, sign in enumerate((1, -1)):
            best = (sign * maps[:, unit]).max(axis=1)
            order = np.argsort(-best, kind="stable")[:4]
            np.testing.assert_allclose(found.values["act2"][kind, unit], sign * best[order], atol=1e-5)
            for rank, image in enumerate(found.indices["act2"][kind, unit]):
                position = found.positions["act2"][kind, unit, rank]
                own = maps[image, unit, position]
                np.testing.assert_allclose(own, found.values["act2"][kind, unit, rank], atol=1e-5)
    assert found.by == "relevance"
    assert found.looked_at == {"act2": "act2"}
    assert "values are relevance for the predicted class (lrp, epsilon_plus_flat)" in found.notes


@pytest.mark.parametrize("layer", ["conv1", "act1", "conv2", "pool", "fc"])
def test_any_layer_has_the_relevance_that_lrp_gives_it(layer):
    found = examples(layers=(layer,), kinds=("most", "slightly_negative"))
    maps = crosslens.method("lrp", layer=layer, per_channel=True)(NET, IMAGES).values
    maps = maps.reshape(9, maps.shape[1], -1)
    best = -np.sort(-maps.max(axis=2), axis=0)[:4].T
    np.testing.assert_allclose(found.values[layer][0], best, atol=1e-5)
    negative = np.where(maps < 0, maps, -np.inf).max(axis=2)
    expected = -np.sort(-negative, axis=0)[:4].T
    np.testing.assert_allclose(
        np.where(found.indices[layer][1] < 0, -np.inf, found.values[layer][1]), expected, atol=1e-5
    )


def test_several_layers_in_one_pass_give_what_each_gives_alone():
    both = examples(layers=("conv1", "pool", "act2"))
    for layer in ("conv1", "pool", "act2"):
        alone = examples(layers=(layer,))
        np.testing.assert_allclose(both.values[layer], alone.values[layer], atol=1e-6)
        assert (both.indices[layer] == alone.indices[layer]).all()


def test_all_positions_of_an_image_may_count():
    found = examples(layers=("act2",), one_per_image=False, count=30)
    maps = np.stack([relevance_at_act2(image) for image in IMAGES]).reshape(9, 6, -1)
    expected = -np.sort(-maps.swapaxes(0, 1).reshape(6, -1), axis=1)[:, :30]
    np.testing.assert_allclose(found.values["act2"][0], expected, atol=1e-5)


def test_relevance_and_activation_choose_different_examples_and_headings_say_which():
    by_relevance, by_activation = examples(layers=("conv2",)), examples(layers=("conv2",), by="activation")
    assert (by_relevance.indices["conv2"] != by_activation.indices["conv2"]).any()
    assert by_relevance._heading("conv2") == "conv2, by relevance"
    assert by_activation._heading("conv2") == "conv2"
    assert by_relevance.page("conv2", 0).ndim == 3


def test_pictures_of_unchanged_images_are_not_called_changed():
    found = examples(layers=("act2",), attribution="gradient")
    assert not any("other ones than those swept" in note for note in found.notes)


def test_saved_and_read_back_it_is_the_same(tmp_path):
    found = examples(layers=("act2",))
    assert crosslens.load(found.save(tmp_path / "examples.npz")) == found


def test_the_composite_is_that_of_lrp_by_default():
    assert f"(lrp, {crosslens.method('lrp').composite})" in examples(layers=("act2",)).notes[0]


def test_a_network_without_logits_is_refused_before_the_sweep():
    class Probabilities(TinyModel):
        @property
        def output(self):
            return OutputSpec("probabilities", (5,), activation="softmax")

    text = (
        "top_examples by relevance shares out a logit, and this target is read after a softmax or a sigmoid: wrap the "
        "network without its last layer"
    )
    with pytest.raises(TargetError) as error:
        examples(Probabilities(), layers=("act2",))
    assert str(error.value).startswith(text)
