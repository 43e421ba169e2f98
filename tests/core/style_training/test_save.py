"""What saving a style network refuses; nothing is written then."""

import numpy as np
import pytest
from crosslens.errors import ModelError, ParameterError, PluginError
from crosslens.plugins.registry import Plugin
from crosslens.style_network.architecture import weight_shapes
from crosslens.style_network.spec import StyleSpec
from crosslens.style_training import save
from crosslens.style_training.save import save_style_network

SPEC = StyleSpec(width=2, blocks=0)
WEIGHTS = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(SPEC).items()}


@pytest.mark.parametrize(
    ("name", "weights", "error", "message"),
    [
        ("net.h5", WEIGHTS, ParameterError, "a style network's file ends in .keras, .onnx, .pt2"),
        ("net.onnx", WEIGHTS | {"extra": np.ones(2)}, ModelError, r"'extra' has shape \(2,\), and None is wanted"),
        ("net.onnx", {}, ModelError, r"'enter.convolution.weight' has shape None, and \(2, 3, 9, 9\) is wanted"),
        ("net.onnx", WEIGHTS | {"enter.norm.bias": np.array([1, np.nan])}, ModelError, "hold NaN or infinity"),
    ],
)
def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path, name, weights, error, message):
    with pytest.raises(error, match=message):
        save_style_network(SPEC, weights, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_extra_to_install_is_named_where_the_writer_cannot_be_imported(tmp_path, monkeypatch):
    missing = Plugin("crosslens.style_files", ".onnx", "no_such_framework.files", "crosslens", "1")
    monkeypatch.setattr(save, "plugin", lambda group, name: missing)
    with pytest.raises(PluginError, match=r"No module named 'no_such_framework'.*pip install 'crosslens\[style\]'"):
        save_style_network(SPEC, WEIGHTS, tmp_path / "net.onnx")
