"""Files that torch wrote: what could run code opens with consent only, and a file of something else says what it is."""

import io
import json
import zipfile
from pathlib import Path

import crosslens
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from crosslens import OUTPUT
from crosslens.cli import cli
from crosslens.errors import ModelError
from torch import nn

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 3, 8, 8), np.float32)


def pickled(net, path):
    torch.save(net, path)


def old_pickled(net, path):
    torch.save(net, path, _use_new_zipfile_serialization=False)


def scripted(net, path):
    torch.jit.script(net).save(path)


def traced(net, path):
    torch.jit.trace(net, torch.zeros(1, 3, 8, 8)).save(path)


@pytest.mark.parametrize(
    ("write", "name", "text"),
    [
        (pickled, "net.pt", "is a pickle of torch.nn.modules.container.Sequential, which runs code"),
        (old_pickled, "net.pth", "is a pickle of torch.nn.modules.container.Sequential, which runs code"),
        (scripted, "net.ts", "is a TorchScript file, which is code"),
        (traced, "net.pt", "is a TorchScript file, which is code"),
    ],
)
def test_files_that_run_code_open_with_consent_only(net, images, tmp_path, write, name, text):
    path = tmp_path / name
    write(net, path)
    with pytest.raises(ModelError, match=rf"{text}.*wrap\(path, trust=True\)$"):
        crosslens.wrap(path)
    model = crosslens.wrap(path, preprocess=None, input_shape=(3, 8, 8), trust=True)
    found = model.forward(images)[OUTPUT]
    np.testing.assert_allclose(found, net(torch.from_numpy(images)).detach().numpy(), rtol=1e-5)


def test_a_renamed_exported_program_opens_without_consent(net, images, tmp_path):
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3, 8, 8),)), tmp_path / "net.pt2")
    path = (tmp_path / "net.pt2").rename(tmp_path / "net.pt")
    found = crosslens.wrap(path, preprocess=None).forward(images)[OUTPUT]
    np.testing.assert_allclose(found, net(torch.from_numpy(images)).detach().numpy(), rtol=1e-5)


def test_consent_opens_what_a_program_holds_beyond_tensors(net, tmp_path):
    program = torch.export.export(net, (torch.zeros(2, 3, 8, 8),))
    torch.export.save(program, tmp_path / "net.pt2", extra_files={"note with spaces": "x"})
    with pytest.raises(ModelError, match="could run code; if you trust the file, open it with wrap"):
        crosslens.wrap(tmp_path / "net.pt2")
    assert OUTPUT in crosslens.wrap(tmp_path / "net.pt2", trust=True).layers


@pytest.mark.parametrize("write", [torch.save, lambda thing, path: path.write_bytes(script_with_a_pickle(thing))])
def test_without_consent_nothing_is_unpickled(tmp_path, write):
    mark, path = tmp_path / "ran", tmp_path / "net.pt"
    write({"weight": Bomb(mark)}, path)
    with pytest.raises(ModelError, match="trust=True"):
        crosslens.wrap(path)
    assert not mark.exists()


def script_with_a_pickle(thing):
    """An archive whose table of contents is TorchScript's, with a pickle in it."""
    content = io.BytesIO()
    torch.save(thing, content)
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("archive/constants.pkl", b"")
    return content.getvalue()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            nn.Module.state_dict,
            r"holds weights only \(a state_dict of 4 tensors\), no network; build the module, load_st",
        ),
        (
            lambda net: {"epoch": 3, "model": net.state_dict()},
            r"holds a checkpoint: weights only \('model', a state_dict of 4",
        ),
        (lambda net: torch.zeros(2, 3), r"holds a tensor of shape \(2, 3\), no network"),
        (lambda net: [1, 2], "holds a list, no network"),
        (lambda net: {"a": 1, "b": 2}, "holds a dict of a, b, no network"),
    ],
)
@pytest.mark.parametrize("trust", [False, True])
def test_a_file_without_a_network_says_what_it_holds(net, tmp_path, make, text, trust):
    torch.save(make(net), tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=text):
        crosslens.wrap(tmp_path / "weights.pth", trust=trust)


def test_a_dict_with_a_network_says_where_it_is(net, tmp_path):
    torch.save({"epoch": 3, "ema": net}, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=r"a dict with a network under 'ema'; wrap\(torch.load\(path, weights_only=Fa"):
        crosslens.wrap(tmp_path / "net.pt", trust=True)


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.ts"])
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut off"])
def test_other_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=r"not a file that torch wrote, or is truncated|is empty"):
        crosslens.wrap(tmp_path / name, trust=True)


@pytest.mark.parametrize("keep", [0, 7])
def test_a_program_with_a_short_weight_is_refused_as_truncated(net, tmp_path, keep):
    """torch reads zeros where a weight's file is empty."""
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3, 8, 8),)), tmp_path / "net.pt2")
    with zipfile.ZipFile(tmp_path / "net.pt2") as old, zipfile.ZipFile(tmp_path / "short.pt2", "w") as new:
        config = json.loads(old.read("net/data/weights/model_weights_config.json"))["config"]["4.bias"]["path_name"]
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[:keep] if name.endswith(config) else content)
    with pytest.raises(ModelError, match=rf"is truncated: it holds {keep} of the 12 bytes of '4.bias'"):
        crosslens.wrap(tmp_path / "short.pt2")


def test_the_command_line_takes_consent(net, tmp_path):
    scripted(net, tmp_path / "net.ts")
    layers = ["layers", str(tmp_path / "net.ts"), "--input-shape", "3,8,8"]
    refused, done = (CliRunner().invoke(cli, [*layers, *more]) for more in ([], ["--trust"]))
    assert refused.exit_code == 1
    assert "--trust" in refused.output
    assert done.exit_code == 0, done.output
    assert OUTPUT in done.output
