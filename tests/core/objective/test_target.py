"""Targets that are not text: none, class numbers of any library, labels, objectives, one for each image."""

import re

import numpy as np
import pytest
import tensorflow as tf
import torch
from crosslens.errors import ModelError, TargetError
from crosslens.objective import (
    logit,
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
    ],
)
def test_targets_mean_objectives(model, target, meant):
    assert resolve_target(target, model, 2) == meant


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        (5, TargetError, "target 5 is out of range; this model has 5 classes, 0 to 4"),
        (-1, TargetError, "target -1 is out of range"),
        ("taby", TargetError, "no label 'taby' among this model's 5 classes. Did you mean 'tabby'"),
        ("cardigan", TargetError, "label 'cardigan' belongs to the classes 3, 4; give one of these numbers"),
        ([0, 1, 2], TargetError, "3 targets for 2 images; give one, or one per image"),
        (1.5, TargetError, "target 1.5 is not a class"),
        (True, TargetError, "target True is not a class"),
        ([1.5, 2], TargetError, "target 1.5 is not a class; give a class number or a label for each image"),
        ([[0, 1]], TargetError, r"target \[0, 1\] is not a class; give a class number or a label for each image"),
        ([float("nan")], TargetError, "target nan is not a class"),
        ("1 | 2 | 3", TargetError, "3 targets for 2 images; give one, or one per image"),
    ],
)
def test_what_is_not_a_class_is_refused(model, target, kind, message):
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


@pytest.mark.parametrize(
    ("text", "colons"),
    [
        ("channel(nope,3)", "channel:nope:3 (channel:LAYER:INDEX)"),
        ("channel('conv1', 3)", "channel:conv1:3 (channel:LAYER:INDEX)"),
        ("2 * layer(conv1)", "layer:conv1 (layer:LAYER)"),
    ],
)
def test_an_objective_as_python_writes_it_is_refused_with_the_text_that_means_it(text, colons):
    with pytest.raises(TargetError, match=re.escape(f"is written with colons as text: {colons}")):
        resolve_target(text, TinyModel(), 1)
