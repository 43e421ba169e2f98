"""The raw networks, run by their own frameworks on channels-first arrays, and the pictures to run them on."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from crosslens.image.io import load_image


@pytest.fixture(scope="session")
def raw():
    """raw(network, where) -> a function of channels-first arrays; `where` is torch, keras or an ONNX exporter."""

    @cache
    def runner(network, where):
        run = {"torch": _torch, "keras": _keras}.get(where)
        return run(network) if run else _onnx(network, where)

    return runner


@pytest.fixture(scope="session")
def relative():
    """max |a - b| / max |a|."""

    def figure(a, b):
        assert a.shape == b.shape
        return float(np.abs(a - b).max() / np.abs(a).max())

    return figure


@pytest.fixture(scope="session")
def photographs():
    """Foolbox's 20 ImageNet photographs, (20, 3, 224, 224), and their labels, which stand in the file names."""
    folder = Path(find_spec("foolbox").submodule_search_locations[0])
    paths = sorted(folder.glob("data/imagenet_*.jpg"))
    images = np.concatenate([load_image(path, size=(224, 224)) for path in paths])
    return images, np.array([int(path.stem.split("_")[-1]) for path in paths])


def _torch(network):
    import torch
    from crosslens.backends.zoo import torch_nets

    module = getattr(torch_nets, network)()

    @torch.no_grad()
    def run(x):
        return module(torch.tensor(x)).numpy()

    return run


def _keras(network):
    from crosslens.backends.zoo import keras_nets

    model = getattr(keras_nets, network)()
    as_given = (lambda x: [x]) if isinstance(model.input, list) else (lambda x: x)
    return lambda x: np.moveaxis(model(as_given(np.moveaxis(x, 1, -1)), training=False).numpy(), -1, 1)


def _onnx(network, exporter):
    import onnx
    import onnxruntime
    from crosslens.backends.zoo import onnx_files

    proto = getattr(onnx_files, network)(exporter)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def run(x):
        last = given.shape[1] != x.shape[1]
        (y,) = session.run(None, {given.name: np.moveaxis(x, 1, -1) if last else x})
        return np.moveaxis(y, -1, 1) if last else y

    return run
