"""Options of `wrap` for demo networks and for models: obeyed or refused."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import ModelError
from crosslens.model import OUTPUT
from crosslens.plugins import DemoNetwork, wrap
from crosslens.testing import TinyModel

IMAGE = np.full((1, 3, 224, 224), 0.5, np.float32)


def test_what_a_user_gives_goes_before_what_the_network_brings():
    own = crosslens.wrap("demo:lite0_onnx")
    asked = crosslens.wrap("demo:lite0_onnx", preprocess="imagenet", labels=[f"class {n}" for n in range(1000)])
    assert own.preprocess != asked.preprocess
    assert asked.preprocess == crosslens.PRESETS["imagenet"]
    assert asked.labels[3] == "class 3"
    assert np.abs(own.forward(IMAGE)[OUTPUT] - asked.forward(IMAGE)[OUTPUT]).max() > 0.1


@pytest.mark.parametrize(
    "option", [{"preprocess": None}, {"labels": ["a"] * 5}, {"bounds": (0, 255)}, {"batch_size": 2}]
)
def test_options_for_a_model_that_is_wrapped_already_are_refused(option):
    model = TinyModel()
    with pytest.raises(ModelError, match=f"this is a model that is wrapped already, so that {next(iter(option))}="):
        crosslens.wrap(model, **option)
    assert crosslens.wrap(model) is model


def test_a_framework_that_is_not_installed_is_named(monkeypatch):
    def build():
        raise ImportError("No module named 'acme'")

    network = DemoNetwork("net_acme", "net", "acme", "acme", build, lambda folder: folder)
    monkeypatch.setattr(wrap, "demo_network", lambda name: network)
    with pytest.raises(ModelError, match=r"'demo:net' cannot be built: No module named 'acme'; pip install"):
        crosslens.wrap("demo:net")
