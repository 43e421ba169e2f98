"""Targets as text: each objective as it is written, and what is refused."""

import numpy as np
import pytest
from crosslens.errors import LayerError, TargetError
from crosslens.objective import (
    channel,
    diversity,
    interpolate,
    layer,
    logit,
    neuron,
    norm,
    output,
    probability,
    random_direction,
    total_variation,
)
from crosslens.objective.target import resolve_target
from crosslens.testing import TinyModel


@pytest.fixture
def model():
    made = TinyModel()
    made.labels = ["tench", "tiger cat, cat", "tabby", "cardigan", "cardigan"]
    return made


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("probability:tabby", probability(2)),
        ("logit:3", logit(3)),
        ("channel:conv1:3", channel("conv1", 3)),
        ("neuron:conv1:3:4:5", neuron("conv1", 3, 4, 5)),
        ("layer:conv1", layer("conv1")),
        ("negative:conv1:2", -channel("conv1", 2)),
        ("interpolate:conv1:0:3:0.25", interpolate("conv1", 0, 3, 0.25)),
        ("random_direction:conv2:7", random_direction("conv2", 7)),
        ("cosine:conv2:7:2", random_direction("conv2", 7, 2.0)),
        ("diversity:conv2", diversity("conv2")),
        ("norm:6", norm(6, centre=0.5)),
        ("total_variation:1.5", total_variation(1.5)),
        ("output:tabby", output(2)),
        ("neuron:fc:3", neuron("fc", 3)),
    ],
)
def test_a_text_means_its_objective(model, target, meant):
    assert resolve_target(target, model, 2) == meant


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        ("conv2:3", TargetError, "no label 'conv2:3' .* For a unit of Conv 'conv2' write 'channel:conv2:3'"),
        ("negative:conv1:x", TargetError, "'negative:conv1:x' is not of the form negative:LAYER:INDEX"),
        ("interpolate:conv1:1:2", TargetError, "is not of the form interpolate:LAYER:A:B:T"),
        ("channel:conv1:1.5", TargetError, "is not of the form channel:LAYER:INDEX"),
        ("probability:", TargetError, "^target 'probability:' is not of the form probability:CLASS$"),
        (
            "neuron:conv1:1:2",
            TargetError,
            r"not of the form neuron:LAYER:CHANNEL:Y:X; layer 'conv1' gives \(None, 4, 8, 8\)",
        ),
        ("neuron:conv1:1:2:8", LayerError, r"position \(2, 8\) is out of range; .* 0 to 7 and 0 to 7"),
        ("neuron:conv9:1:2:3", LayerError, "no layer 'conv9'"),
        (
            "mask:no.png:1",
            TargetError,
            r"needs a network whose output is maps of classes .*write region:LAYER:CHANNEL:FILE.png",
        ),
        ("region:conv1:1:no.png", TargetError, "no mask at 'no.png': the file does not exist"),
        ("norm:large", TargetError, "'norm:large' is not of the form norm:ALPHA"),
        ("channel:conv1", TargetError, "is not of the form channel:LAYER:INDEX"),
        ("channel:conv9:1", LayerError, "no layer 'conv9' in this model.*Did you mean"),
        ("channel:conv1:4", LayerError, "channel 4 is out of range; layer 'conv1' has 4 channels"),
    ],
)
def test_what_is_written_wrongly_is_answered_with_the_right_form(model, target, kind, message):
    with pytest.raises(kind, match=message):
        resolve_target(target, model, 2)


def test_labels_may_contain_operators_and_parentheses(model):
    model.labels = ["black - white", "crane (bird)", "(none)", "a / b", "x"]
    for text, n in [("black - white", 0), ("Crane (bird)", 1), ("(none)", 2), ("a / b", 3)]:
        assert resolve_target(text, model, 1) == logit(n)
        assert resolve_target(f"probability:{text}", model, 1) == probability(n)
    assert resolve_target("crane (bird) - x", model, 1) == logit(1) - logit(4)


def test_a_direction_is_read_from_a_file(model, tmp_path):
    vector = np.random.default_rng(0).standard_normal(6)
    np.save(tmp_path / "smile.npy", vector)
    objective = resolve_target(f"direction:conv2:{tmp_path / 'smile.npy'}:2", model, None)
    assert (objective.layer, objective.power) == ("conv2", 2.0)
    np.testing.assert_array_equal(objective.vector, vector.astype(np.float32))
    (tmp_path / "no.npy").write_text("no array")
    for name, said in (
        ("no.npy", "cannot read a direction from '.*no.npy': .*a .npy file of one number"),
        ("nowhere.npy", "no direction at '.*nowhere.npy': the file does not exist"),
    ):
        with pytest.raises(TargetError, match=said):
            resolve_target(f"direction:conv2:{tmp_path / name}:0", model, None)


def test_what_was_meant_as_an_objective_is_answered_with_how_they_are_written(model):
    for labels in (None, model.labels):
        model.labels = labels
        with pytest.raises(TargetError, match=r"Objectives are written logit:CLASS, .*Did you mean 'diversity'\?"):
            resolve_target("diversty:elsewhere", model, None)
