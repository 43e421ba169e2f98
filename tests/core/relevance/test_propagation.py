"""Relevance through a whole network, against the rules written slowly from their papers, one layer after the other."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import ModelError, TargetError
from crosslens.model import INPUT, OUTPUT
from crosslens.model.preprocessing import Preprocess
from crosslens.objective import logit, probability
from crosslens.relevance import COMPOSITES, Propagation, linear_maps
from crosslens.testing import TinyModel

from . import slow_rules

SIZE = 5
IMAGES = np.random.default_rng(3).random((2, 3, SIZE, SIZE), dtype=np.float32)
TARGET = 2
STABILISER = 0.05
BGR = Preprocess(mean=(0.4, 0.5, 0.3), std=(0.25, 0.5, 0.4), order="BGR")
CONVOLUTIONS = {
    "epsilon": (slow_rules.epsilon, slow_rules.epsilon),
    "epsilon_plus": (slow_rules.z_plus, slow_rules.z_plus),
    "epsilon_plus_flat": (slow_rules.flat, slow_rules.z_plus),
    "epsilon_alpha2_beta1": (slow_rules.alpha_beta, slow_rules.alpha_beta),
    "epsilon_alpha2_beta1_flat": (slow_rules.flat, slow_rules.alpha_beta),
    "epsilon_gamma_box": (slow_rules.box, slow_rules.gamma),
}
"""Of the first one and of the second one; dense layers have epsilon in all of these."""


def slow_network(model, image, composite, through=None):
    """Relevance of logit `TARGET` at every layer of a `TinyModel`, and what biases and the stabiliser took.

    Args:
        model: the network.
        image: one, (3, H, W).
        composite: a name of `CONVOLUTIONS`.
        through: by layer the channels that relevance goes on from.
    """
    first, second = CONVOLUTIONS[composite]
    gain, offset = (np.float64(v)[:, None, None] for v in model.preprocess.affine(3))
    read = gain * (image[::-1] if model.preprocess.reverses else image) + offset
    ends = [gain * bound + offset for bound in (0.0, 1.0)]
    settings = {"low": np.minimum(*ends).ravel(), "high": np.maximum(*ends).ravel()}
    activation = (lambda v: np.maximum(v, 0)) if model.relu else (lambda v: np.logaddexp(0, v))
    w = {name: {k: np.float64(v) for k, v in model.weights(name).items()} for name in ("conv1", "conv2", "fc")}
    conv1 = slow_rules.convolution(w["conv1"]["kernel"], w["conv1"]["bias"], read.shape, pad=1)
    act1 = activation(conv1.outputs(read.ravel()))
    conv2 = slow_rules.convolution(w["conv2"]["kernel"], w["conv2"]["bias"], (4, *read.shape[1:]), pad=1)
    act2 = activation(conv2.outputs(act1))
    pool = act2.reshape(6, -1).mean(axis=1)
    fc = slow_rules.dense(w["fc"]["kernel"], w["fc"]["bias"])

    def kept(name, relevance, channels):
        chosen = (through or {}).get(name)
        if chosen is None:
            return relevance
        rows = relevance.reshape(channels, -1)
        return (rows * np.isin(np.arange(channels), chosen)[:, None]).ravel()

    found = {"fc": np.where(np.arange(5) == TARGET, fc.outputs(pool), 0)}
    found["pool"], taken = slow_rules.passed_on(slow_rules.epsilon, fc, pool, found["fc"], STABILISER)
    found["pool"] = kept("pool", found["pool"], 6)
    shares = act2.reshape(6, -1) / np.where(pool > 0, pool, 1)[:, None] / act2.reshape(6, -1).shape[1]
    found["act2"] = found["conv2"] = kept("act2", (shares * found["pool"][:, None]).ravel(), 6)
    found["act1"], more = slow_rules.passed_on(second, conv2, act1, found["conv2"], STABILISER)
    found["act1"] = found["conv1"] = kept("act1", found["act1"], 4)
    at_read, most = slow_rules.passed_on(first, conv1, read.ravel(), found["conv1"], STABILISER, **settings)
    at_read = at_read.reshape(read.shape)
    found[INPUT] = at_read[::-1] if model.preprocess.reverses else at_read
    accounts = (more + most if through and "pool" in through else taken + more + most) if not through else None
    return found, accounts


def propagated(model, composite, layer=INPUT, through=None):
    propagation = Propagation.of(model, COMPOSITES[composite], logit(TARGET), epsilon=STABILISER, layer=layer)
    return propagation.of_target(IMAGES, logit(TARGET), through)


def assert_close(got, want):
    want = np.asarray(want).reshape(got.shape)
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-4 * np.abs(want).max())


@pytest.mark.parametrize(
    "options", [{"relu": True}, {}, {"relu": True, "preprocess": BGR}], ids=["relu", "soft", "BGR"]
)
@pytest.mark.parametrize("composite", CONVOLUTIONS)
def test_a_composite_gives_each_pixel_what_its_rules_say_one_layer_after_the_other(composite, options):
    model = TinyModel(size=SIZE, **options)
    want = [slow_network(model, image, composite) for image in np.float64(IMAGES)]
    got = propagated(model, composite)
    assert_close(got.values, [found[INPUT] for found, _ in want])
    assert_close(got.absorbed, [accounts for _, accounts in want])
    assert_close(got.start, [found["fc"].sum() for found, _ in want])


@pytest.mark.parametrize("layer", ["conv1", "act1", "conv2", "act2", "pool", "fc"])
@pytest.mark.parametrize("composite", ["epsilon_plus", "epsilon_plus_flat", "epsilon_gamma_box"])
def test_relevance_of_a_layer_is_what_arrives_there(composite, layer):
    model = TinyModel(size=SIZE, relu=True)
    got = propagated(model, composite, layer).values
    assert_close(got, [slow_network(model, image, composite)[0][layer] for image in np.float64(IMAGES)])


@pytest.mark.parametrize("through", [{"act2": [1, 4]}, {"act1": [0]}, {"act2": [1, 2, 5], "act1": [2, 3]}])
def test_relevance_through_channels_leaves_the_others_out(through):
    model = TinyModel(size=SIZE, relu=True)
    got = propagated(model, "epsilon_plus_flat", through=through).values
    want = [slow_network(model, image, "epsilon_plus_flat", through)[0][INPUT] for image in np.float64(IMAGES)]
    assert_close(got, want)


def test_the_maps_through_each_channel_of_a_layer_add_up_to_the_whole_map():
    model = TinyModel(size=SIZE, relu=True)
    whole = propagated(model, "epsilon_plus").values
    assert_close(sum(propagated(model, "epsilon_plus", through={"act2": [c]}).values for c in range(6)), whole)


def test_through_a_layer_with_a_kernel_means_what_it_gives():
    model = TinyModel(size=SIZE, relu=True)
    through = [propagated(model, "epsilon_plus", through={name: [3]}).values for name in ("conv2", "act2")]
    assert_close(*through)


def test_with_epsilon_to_zero_relevance_is_gradient_times_input():
    model = TinyModel(size=SIZE, relu=True)
    got = Propagation.of(model, COMPOSITES["epsilon"], logit(TARGET), epsilon=0.0).of_target(IMAGES, logit(TARGET))
    want = IMAGES * model.vjp(IMAGES, {OUTPUT: np.eye(5, dtype=np.float32)[[TARGET] * 2]}).gradients[INPUT]
    np.testing.assert_allclose(got.values, want, rtol=0, atol=5e-7 * np.abs(want).max())


def test_the_sum_of_the_map_what_was_absorbed_and_nothing_else_is_the_target():
    result = crosslens.method("lrp", composite="epsilon_plus_flat")(
        TinyModel(relu=True), np.tile(IMAGES, (1, 1, 2, 2))[..., :8, :8], target=TARGET
    )
    figures = result.figures()
    assert np.allclose(figures["gap"], 0, atol=2e-5)
    np.testing.assert_allclose(
        np.add(figures["sum"], np.add(figures["biases"], figures["stabiliser"])), figures["start"], atol=2e-5
    )
    np.testing.assert_allclose(figures["sum"], np.asarray(result.values).sum(axis=(1, 2)), rtol=1e-5)
    assert not result.notes


def test_a_target_behind_a_softmax_is_refused_with_what_to_give():
    with pytest.raises(TargetError, match=r"lrp shares out a logit, .* after a softmax .*: .*target=281, 'logit:281'"):
        crosslens.method("lrp")(TinyModel(size=SIZE), IMAGES, target=probability(TARGET))


def test_a_network_without_kernels_is_refused_with_what_takes_it():
    class Hidden(TinyModel):
        def weights(self, layer):
            return {}

    with pytest.raises(ModelError, match=r"no layer of this model has a kernel .*; gradient_x_input and integrated_gr"):
        linear_maps(Hidden())
