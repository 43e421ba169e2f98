"""What positions add to classes, against a gradient of each class times the activation, one number at a time."""

import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.data import ArraySource, sweep
from crosslens.methods.embedding import _position_effects
from crosslens.methods.embedding._position_effects import AttributedPositions

from tests.conformance.plans import images
from tests.conformance.zoo import BUILDERS, net


class Asks:
    """Asks for one statistic."""

    def __init__(self, statistic):
        self.statistic = statistic

    def statistics(self, model, source, gathered=None):
        return [self.statistic]


def gathered(model, layer, pictures, count=99):
    statistic = AttributedPositions(layer, count, edge=0, per_image=2, classes=model.output.count)
    return sweep(model, ArraySource(pictures), [Asks(statistic)]).states[statistic]


def slow(model, layer, pictures, state):
    """<d logit_k / d a, a> at each position, unit by unit."""
    activation = as_numpy(model.forward(pictures, [layer])[layer])
    logits = model.output.before or "<output>"
    found = np.zeros((len(state["image"]), model.output.count))
    for k in range(model.output.count):
        seed = np.zeros_like(as_numpy(model.forward(pictures, [logits])[logits]))
        seed[:, k] = 1
        gradient = as_numpy(model.vjp(pictures, {logits: seed}, wrt=[layer]).gradients[layer])
        for row, (image, position) in enumerate(zip(state["image"], state["position"], strict=True)):
            y, x = divmod(int(position), activation.shape[3])
            pairs = zip(gradient[image, :, y, x], activation[image, :, y, x], strict=True)
            found[row, k] = sum(float(g) * float(a) for g, a in pairs)
    return found


@pytest.mark.parametrize("few", [99, 0], ids=["gradients", "differences"])
@pytest.mark.parametrize("backend", BUILDERS)
def test_effects_are_gradient_times_activation_of_every_class(backend, few, monkeypatch):
    monkeypatch.setattr(_position_effects, "FEW", few)
    model, pictures = net(backend, "smooth").model, images(2)
    layer = "conv2"
    state = gathered(model, layer, pictures)
    expected = slow(model, layer, pictures, state)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(state["effect"], expected, atol=(1e-5 if few else 5e-3) * scale)


def test_the_sample_keeps_the_effects_of_the_positions_that_stay():
    model, pictures = net(BUILDERS[0], "smooth").model, images(5)
    every, some = (gathered(model, "conv2", pictures, count) for count in (99, 4))
    np.testing.assert_array_equal(some["effect"], every["effect"][:4])
    np.testing.assert_array_equal(some["activation"], every["activation"][:4])
