import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from crosslens.cli import cli
from PIL import Image

TINY = "crosslens.testing:TinyModel"


@pytest.fixture
def command():
    """Run `crosslens ARGS` in this process; gives exit code, stdout and stderr apart."""

    def run(*args):
        return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="crosslens")

    return run


@pytest.fixture
def tiny():
    """A model of 5 classes for pictures of 8 x 8, as a user types it."""
    return TINY


@pytest.fixture
def picture(tmp_path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of the user's own; gives its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(code, name="users_own_models"):
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    yield write
    sys.modules.pop("users_own_models", None)
