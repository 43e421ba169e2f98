"""Excitation backprop against equation 4 of its paper, unit by unit, in float64."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError, TargetError
from crosslens.introspection import default_layer
from crosslens.objective import channel, logit, probability
from crosslens.testing import TinyModel
from torch import nn

X = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)
NET = TinyModel(relu=True)
LAYERS = ("conv1", "act1", "conv2", "act2", "pool")


def down_a_convolution(p, x, kernel):
    """P(i) = sum_j x_i w+_ij / (sum_i x_i w+_ij) P(j), one winner j after the other."""
    kernel, share = np.maximum(kernel, 0), np.zeros((x.shape[0], 10, 10))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    for o, i, j in np.ndindex(p.shape):
        excitation = padded[:, i : i + 3, j : j + 3] * kernel[o]
        if excitation.sum() > 0:
            share[:, i : i + 3, j : j + 3] += p[o, i, j] * excitation / excitation.sum()
    return share[:, 1:-1, 1:-1]


def winners(a, weights):
    excitation = a * np.maximum(weights, 0)
    return excitation / excitation.sum()


def by_the_paper(image, k, contrast=False):
    """The probability of each layer's units, by name."""
    values = {name: v[0].astype(float) for name, v in NET.forward(image[None], LAYERS).items()}
    weights = NET.weights("fc")["kernel"][k].astype(float)
    pool = winners(values["pool"], weights)
    if contrast:
        pool = pool - winners(values["pool"], -weights)
    sums = values["act2"].sum(axis=(1, 2))
    conv2 = np.divide(values["act2"], sums[:, None, None], where=sums[:, None, None] > 0, out=0 * values["act2"])
    conv2 = conv2 * pool[:, None, None]
    conv1 = down_a_convolution(conv2, values["act1"], NET.weights("conv2")["kernel"].astype(float))
    pixels = down_a_convolution(conv1, image.astype(float), NET.weights("conv1")["kernel"].astype(float))
    return {"pool": pool, "act2": conv2, "conv2": conv2, "act1": conv1, "conv1": conv1, "<input>": pixels}


@pytest.mark.parametrize("contrast", [False, True])
@pytest.mark.parametrize("layer", ["act2", "conv2", "act1", "conv1", "<input>", "pool"])
@pytest.mark.parametrize("k", range(5))
def test_it_is_equation_4(k, layer, contrast):
    """Of logits below 0 too: what wins is the unit, whatever its value."""
    found = crosslens.method("excitation_backprop", layer=layer, contrast=contrast)(NET, X, k)
    expected = np.stack([by_the_paper(image, k, contrast)[layer] for image in X])
    expected = expected if layer == "pool" else expected.sum(axis=1)
    np.testing.assert_allclose(found.values, expected, atol=1e-5 * abs(expected).max())
    total = found.values.reshape(3, -1).sum(axis=1)
    np.testing.assert_allclose(total, 0 if contrast else 1, atol=1e-5)
    assert not found.notes
    assert found.figures()["start"] == ((0,) * 3 if contrast else (1,) * 3)


def test_the_default_is_the_layer_of_grad_cam():
    found = crosslens.method("excitation_backprop")(NET, X, 1)
    assert found.provenance["layers"] == [default_layer(NET, logit(1), X)]
    assert found.provenance["default_layer"]


def test_a_channel_of_an_inner_layer_is_a_target_too():
    """Its positions win in proportion to their values: the seed's relevance over its sum."""
    found = crosslens.method("excitation_backprop", layer="act1")(NET, X, channel("act2", 3)).values
    maps = NET.forward(X, ["act1", "act2"])
    for n in range(3):
        seed = np.zeros((6, 8, 8))
        seed[3] = maps["act2"][n, 3] / maps["act2"][n, 3].sum()
        kernel = NET.weights("conv2")["kernel"].astype(float)
        expected = down_a_convolution(seed, maps["act1"][n].astype(float), kernel).sum(axis=0)
        np.testing.assert_allclose(found[n], expected, atol=1e-6)


def test_contrast_above_the_last_linear_layer_is_refused():
    text = (
        "contrast=True contrasts at what the last linear layer before the target, 'fc', reads, and 'fc' does not come "
        "before that; give an earlier layer=, or contrast=False"
    )
    with pytest.raises(LayerError) as error:
        crosslens.method("excitation_backprop", layer="fc", contrast=True)(NET, X, 1)
    assert str(error.value) == text


def test_a_probability_is_refused():
    with pytest.raises(TargetError, match="excitation_backprop shares out a logit, and this target is read after a s"):
        crosslens.method("excitation_backprop")(NET, X, probability(1))


def test_what_stays_at_units_that_no_input_excites_is_told():
    """A unit with negative weights and a positive bias: equation 4 has no winner among its inputs."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    given = {"1.weight": [[1, 0], [0, -1]], "1.bias": [0, 2], "3.weight": [[3, 1]], "3.bias": [0]}
    net.load_state_dict({name: torch.tensor(values).float() for name, values in given.items()})
    model = crosslens.wrap(net.eval(), preprocess=None, input_shape=(1, 1, 2), output_kind="score")
    found = crosslens.method("excitation_backprop", layer="0")(model, np.ones((1, 1, 1, 2), np.float32), 0)
    np.testing.assert_allclose(found.values, [[0.75, 0]], atol=1e-6)
    assert found.figures()["stabiliser"] == pytest.approx(0.25, abs=1e-6)
    assert found.notes == ("up to 25% of the probability stays at units that no input excites, their bias alone",)
