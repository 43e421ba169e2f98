"""What `crosslens.wrap` itself refuses, whatever the backend."""

import os

import crosslens
import pytest
import torch
from crosslens.errors import ModelError
from crosslens.plugins.wrap import _ReadOptions, _refuse_unread
from torch import nn


@pytest.mark.parametrize("names", [[], ["cat"], ["cat", "dog", "emu"]])
def test_labels_that_are_not_as_many_as_the_classes_are_refused_with_both_numbers(names):
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(ModelError, match=f"{len(names)} labels for a model of 2 classes; give one label per class"):
        crosslens.wrap(net, preprocess=None, input_shape=(3, 2, 2), labels=names)


def test_labels_name_the_classes_and_may_be_missing():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 2, 2), labels=["cat", "dog"])
    assert list(model.labels) == ["cat", "dog"]
    assert crosslens.wrap(net, preprocess=None, input_shape=(3, 2, 2)).labels is None


def test_a_network_without_classes_takes_labels_for_nothing():
    maps = crosslens.wrap(nn.Conv2d(3, 4, 1), preprocess=None, input_shape=(3, 2, 2), labels=["sky", "sea"])
    assert tuple(maps.forward(torch.zeros(1, 3, 2, 2).numpy())[crosslens.OUTPUT].shape) == (1, 4, 2, 2)


def onnx_relu():
    from onnx import helper

    ends = [helper.make_tensor_value_info(name, 1, ["N", 3, 8, 8]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_an_option_that_a_backend_never_reads_is_refused():
    """What a backend has not looked at it cannot have obeyed."""
    options = _ReadOptions({"providers": ["CPU"], "inputs": {"mask": 1}, "trust": True, "device": None}, None)
    assert options["providers"] == ["CPU"]
    with pytest.raises(ModelError, match=r"backend of 'some' has no option inputs= for this network; leave it out"):
        _refuse_unread(options, "some")


def test_trust_may_be_left_unread():
    """It allows something and asks for nothing: one option for several models, some of which need it."""
    assert crosslens.wrap(onnx_relu(), trust=True).layers.keys() == crosslens.wrap(onnx_relu()).layers.keys()


@pytest.mark.parametrize("name", ["net.onnx", "net.pt2", "net.keras", "net"])
def test_a_pipe_is_refused_as_a_model_without_waiting_for_its_writer(name, tmp_path):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ModelError, match=rf"{name}' is a named pipe, not a regular file; give the model as a regular"):
        crosslens.wrap(tmp_path / name)


@pytest.mark.parametrize("name", ["n" * 300 + ".onnx", "n:" + "n" * 300, "net\0.onnx"])
def test_a_name_that_no_file_can_have_gets_one_line(name):
    with pytest.raises(ModelError, match="no model") as caught:
        crosslens.wrap(name)
    assert "\n" not in str(caught.value)
