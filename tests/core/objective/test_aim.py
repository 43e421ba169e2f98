"""What counts as success, at the edges: undecided networks, probabilities of 0, networks without classes."""

import crosslens
import numpy as np
import pytest
from crosslens.model.output.output_spec import OutputSpec
from crosslens.objective import logit
from crosslens.objective.aim import Aim
from crosslens.objective.margins import LOSSES
from crosslens.testing.tiny import TinyModel


class Binary(TinyModel):
    """One logit."""

    output = OutputSpec("independent_logits", (1,))


@pytest.mark.parametrize(("z", "predicted"), [(-0.25, 0), (0.0, 0), (0.25, 1)])
def test_an_undecided_binary_network_has_left_nothing(z, predicted):
    """The class to leave is the predicted one, also at a logit of 0: no image has left it before any change."""
    activations = {"<output>": np.full((1, 1), z, np.float32)}
    aim = Aim.of(Binary(classes=1), logit().for_model(Binary(classes=1)), None, activations)
    assert aim.leave.tolist() == [predicted]
    assert aim.succeeded(aim.logits(activations)).tolist() == [False]


@pytest.mark.parametrize("kind", ["logits", "independent"])
def test_nan_is_no_success(kind):
    aim = Aim(OutputSpec(kind, (3,)), np.array([1, 1]))
    answers = aim.logits({"<output>": np.array([[np.nan, 0.9, 0.1], [np.nan] * 3], np.float32)})
    assert aim.succeeded(answers).tolist() == [False, False]


@pytest.mark.parametrize("loss", ["cross_entropy", "margin", "dlr"])
@pytest.mark.parametrize("reach", [None, np.array([1])])
def test_the_logarithm_of_a_probability_of_0_has_a_loss(loss, reach):
    """log(softmax(z)) is minus infinity where the softmax rounds to 0."""
    aim = Aim(OutputSpec("log_probabilities", (4,)), np.array([0]), reach)
    activations = {"<output>": np.array([[0, -np.inf, -np.inf, -np.inf]], np.float32)}
    losses, slope = LOSSES[loss](aim).at_logits(aim.logits(activations))
    assert np.isfinite(losses).all()
    assert np.isfinite(slope).all()


def test_saturated_independent_logits_have_probabilities_without_a_warning():
    aim = Aim(OutputSpec("independent_logits", (2,)), np.array([0]))
    np.testing.assert_array_equal(aim.probabilities(np.array([[-1e4, 1e4]])), [[0, 1]])


@pytest.mark.parametrize("spec", [OutputSpec("score", (3,)), OutputSpec("maps", (5, 8, 8))])
def test_a_network_without_classes_is_refused_as_an_attack_would_say_it(spec):
    """Not with a channel or a score as the better target: an attack takes neither."""
    model = TinyModel()
    model.output = spec
    with pytest.raises(crosslens.errors.TargetError, match="change its mind about a class, and this network gives"):
        crosslens.method("fgsm")(model, np.zeros((1, 3, 8, 8), np.float32))
