"""What a user may give as a target."""

import numpy as np
import pytest
import tensorflow as tf
import torch
from crosslens import OUTPUT
from crosslens.errors import LayerError, ModelError, TargetError
from crosslens.objective import (
    channel,
    diversity,
    each,
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
        (None, logit()),
        (2, logit(2)),
        (np.int64(2), logit(2)),
        ("2", logit(2)),
        ("Tabby", logit(2)),
        ("cat", logit(1)),
        (["tabby", 0], logit([2, 0])),
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
        ("channel:conv1:1 + channel:conv1:2", channel("conv1", 1) + channel("conv1", 2)),
        ("tabby - 0.01 * total_variation:2", logit(2) - 0.01 * total_variation()),
        ("2 + 1e-3 * norm:1", logit(2) + 1e-3 * norm(1, centre=0.5)),
        ("(tench + 2) / 2", logit(0) / 2 + logit(2) / 2),
        ("-1 * channel:conv1:1", -channel("conv1", 1)),
        ("- (channel:conv1:1 - 0.5)", 0.5 - channel("conv1", 1)),
        ("1.0 + channel:conv1:1", 1 + channel("conv1", 1)),
        ("2 * (channel:conv1:1 + 3 * channel:conv1:2) / 4", 0.5 * channel("conv1", 1) + 1.5 * channel("conv1", 2)),
        ("281e-2 * channel:conv1:1", 2.81 * channel("conv1", 1)),
        ("0.5 * 2", 0.5 * logit(2)),
        ("4 / 2", logit(4) / 2),
        ("output:tabby", output(2)),
        ("neuron:fc:3", neuron("fc", 3)),
        ("channel:conv1:1 | tabby - norm:6", each([channel("conv1", 1), logit(2) - norm(6, centre=0.5)])),
    ],
)
def test_targets_mean_objectives(model, target, meant):
    assert resolve_target(target, model, 2) == meant


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        (5, TargetError, "target 5 is out of range; this model has 5 classes, 0 to 4"),
        (-1, TargetError, "target -1 is out of range"),
        ("conv2:3", TargetError, "no label 'conv2:3' .* For a unit of Conv 'conv2' write 'channel:conv2:3'"),
        ("taby", TargetError, "no label 'taby' among this model's 5 classes. Did you mean 'tabby'"),
        ("cardigan", TargetError, "label 'cardigan' belongs to the classes 3, 4; give one of these numbers"),
        ([0, 1, 2], TargetError, "3 targets for 2 images; give one, or one per image"),
        (1.5, TargetError, "target 1.5 is not a class"),
        (True, TargetError, "target True is not a class"),
        ([1.5, 2], TargetError, "target 1.5 is not a class; give a class number or a label for each image"),
        ([[0, 1]], TargetError, r"target \[0, 1\] is not a class; give a class number or a label for each image"),
        ([float("nan")], TargetError, "target nan is not a class"),
        ("1 | 2 | 3", TargetError, "3 targets for 2 images; give one, or one per image"),
        ("negative:conv1:x", TargetError, "'negative:conv1:x' is not of the form negative:LAYER:INDEX"),
        ("interpolate:conv1:1:2", TargetError, "is not of the form interpolate:LAYER:A:B:T"),
        ("channel:conv1:1.5", TargetError, "is not of the form channel:LAYER:INDEX"),
        ("(0 + 1", TargetError, r"target '\(0 \+ 1' has a '\(' without a '\)'"),
        ("0 + 1)", TargetError, r"has a '\)' without a '\('"),
        (
            "0 +",
            TargetError,
            r"^target '0 \+' lacks a class, an objective or a number next to an operator; write for example",
        ),
        ("0 + * 1", TargetError, "lacks a class, an objective or a number"),
        ("* 1", TargetError, "lacks a class, an objective or a number"),
        ("1.5", TargetError, "is a number and not a class; classes are whole numbers"),
        ("probability:", TargetError, "^target 'probability:' is not of the form probability:CLASS$"),
        ("0 + ", TargetError, "lacks a class, an objective or a number"),
        ("tench * tabby", TargetError, "multiplies or divides by an objective; only numbers can stand there"),
        ("1.0 / tabby", TargetError, "multiplies or divides by an objective"),
        ("tabby / 0", TargetError, "divides by 0"),
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
        ("region:conv1:1:no.png", TargetError, "cannot read a mask from 'no.png': .*does not exist"),
        ("norm:large", TargetError, "'norm:large' is not of the form norm:ALPHA"),
        ("channel:conv1", TargetError, "is not of the form channel:LAYER:INDEX"),
        ("channel:conv9:1", LayerError, "no layer 'conv9' in this model.*Did you mean"),
        ("channel:conv1:4", LayerError, "channel 4 is out of range; layer 'conv1' has 4 channels"),
    ],
)
def test_wrong_targets_are_refused_by_name(model, target, kind, message):
    with pytest.raises(kind, match=message):
        resolve_target(target, model, 2)


def test_a_label_needs_labels(model):
    model.labels = None
    with pytest.raises(TargetError, match="this model has no labels; give a class number, or labels="):
        resolve_target("tabby", model, 1)


def test_a_class_is_no_target_where_the_output_is_no_vector(model):
    maps = model.layers["conv1"].shape
    model.layers["<output>"] = type(model.layers["conv1"])("<output>", "Output", maps)
    with pytest.raises(ModelError, match=r"the output has shape \(None, 4, 8, 8\), not \(N, classes\)"):
        resolve_target(None, model, 1)


@pytest.mark.parametrize(
    "target",
    [
        np.asarray(2), np.float32(2), torch.tensor(2), torch.tensor(2.0), tf.constant(2), np.uint8(2), [2, 2], (2, 2),
        np.asarray([2, 2]), torch.tensor([2, 2]), tf.constant([2, 2]), [torch.tensor(2), "tabby"],
    ],
    ids=repr,
)  # fmt: skip
def test_a_class_number_is_taken_in_any_library_s_type(model, target):
    assert resolve_target(target, model, 2) in (logit(2), logit([2, 2]))


@pytest.mark.parametrize("target", [torch.tensor(True), np.bool_(1), torch.tensor(1.5), {2}, [torch.tensor(False)] * 2])
def test_what_is_no_class_number_is_refused_in_any_library_s_type(model, target):
    with pytest.raises(TargetError, match="is not a class; give a class number"):
        resolve_target(target, model, 2)


def test_labels_may_hold_operators_and_parentheses(model):
    model.labels = ["black - white", "crane (bird)", "(none)", "a / b", "x"]
    for text, n in [("black - white", 0), ("Crane (bird)", 1), ("(none)", 2), ("a / b", 3)]:
        assert resolve_target(text, model, 1) == logit(n)
        assert resolve_target(f"probability:{text}", model, 1) == probability(n)
    assert resolve_target("crane (bird) - x", model, 1) == logit(1) - logit(4)


def test_a_text_s_value_is_its_arithmetic(model):
    images = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    at = model.forward(images, ["conv1", OUTPUT])
    a, b = at["conv1"].mean((2, 3))[:, 1], at[OUTPUT][:, 2]
    for text, expected in {
        "(channel:conv1:1 + tabby) / 2 - 0.5": (a + b) / 2 - 0.5,
        "- 2 * (1.5 - channel:conv1:1)": -2 * (1.5 - a),
        "3 * tabby / 4 + channel:conv1:1 * 0.25": 0.75 * b + 0.25 * a,
    }.items():
        np.testing.assert_allclose(resolve_target(text, model, 2).value(at), expected, rtol=1e-5)


def test_a_direction_is_read_from_a_file(model, tmp_path):
    vector = np.random.default_rng(0).standard_normal(6)
    np.save(tmp_path / "smile.npy", vector)
    objective = resolve_target(f"direction:conv2:{tmp_path / 'smile.npy'}:2", model, None)
    assert (objective.layer, objective.power) == ("conv2", 2.0)
    np.testing.assert_array_equal(objective.vector, vector.astype(np.float32))
    (tmp_path / "no.npy").write_text("no array")
    for name in ("no.npy", "nowhere.npy"):
        with pytest.raises(TargetError, match=rf"cannot read a direction from '.*{name}': .*a .npy file of one number"):
            resolve_target(f"direction:conv2:{tmp_path / name}:0", model, None)


def test_what_was_meant_as_an_objective_is_answered_with_how_they_are_written(model):
    for labels in (None, model.labels):
        model.labels = labels
        with pytest.raises(TargetError, match=r"Objectives are written logit:CLASS, .*Did you mean 'diversity'\?"):
            resolve_target("diversty:elsewhere", model, None)
