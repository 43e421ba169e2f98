"""After `pip install -e .`, type checkers see crosslens from a script anywhere."""

import re
import subprocess
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from zipfile import ZipFile

import pytest
from crosslens.editable_install import PTH, add_file

SCRIPT = """
import crosslens
from crosslens.objective import logit

model: crosslens.Model = crosslens.wrap("net.onnx")
path: crosslens.Attribution = model
reveal_type(crosslens.method("grad_cam", layer="conv1")(model, None))
reveal_type(crosslens.method("ig", steps=8)(model, None).maps)
reveal_type(crosslens.method("deep_dream"))
reveal_type(crosslens.method("localise", method=1)(model, None))
reveal_type(crosslens.method("mean_activation")(model, "photos"))
reveal_type(crosslens.method("of_a_plugin", anything=1))


class Plugin(crosslens.Method):
    name = "plugin"

    def run(self, model: crosslens.Model, images: object, objective: object, progress: object) -> crosslens.Table:
        raise NotImplementedError


reveal_type(Plugin()(model))
"""
REVEALED = [
    "attribution.Attribution", "def () -> Any", "deep_dream.DeepDream", "localise.Localisation", "table.Table", "Any",
    "table.Table",
]  # fmt: skip
"""The ends of the types of a script's expressions, in order."""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path / "script.py"


def test_the_types_are_part_of_the_editable_install():
    """The build may leave metadata of its own in the repository, which names other files."""
    installed = distributions(name="crosslens")
    (path,) = (each for found in installed for each in found.files or () if each.name == PTH)
    folder = Path(path.locate().read_text().strip())
    assert (folder / "crosslens-stubs" / "__init__.pyi").resolve() == Path(find_spec("crosslens").origin)


def revealed(output):
    """The types that a checker tells, by their last two names."""
    types = re.findall(r'(?:Revealed type is|Type of ".*" is) "([^"]*)"', output)
    return [".".join(each.split(".")[-2:]) for each in types]


def test_mypy_checks_a_script_outside_the_repository(script):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", script.parent / "cache", script]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 1, done.stdout
    assert "script.py:6" in errors[0]
    assert 'expression has type "Model", variable has type "Attribution"' in errors[0]
    assert revealed(done.stdout) == REVEALED


@pytest.mark.skipif(which("pyright") is None, reason="pyright is not installed; its wheel needs Node.js")
def test_pyright_checks_a_script_outside_the_repository(script):
    command = ["pyright", "--pythonpath", sys.executable, script]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if " - error: " in line]
    assert len(errors) == 1, done.stdout
    assert '"Model" is not assignable to declared type "Attribution"' in errors[0]
    assert revealed(done.stdout)[0] == "Attribution"


def test_a_file_added_to_a_wheel_stands_in_its_record(tmp_path):
    wheel = tmp_path / "x-1-py3-none-any.whl"
    with ZipFile(wheel, "w") as packed:
        packed.writestr("x-1.dist-info/RECORD", "x-1.dist-info/RECORD,,\n")
    add_file(wheel, "x.pth", "hello")
    with ZipFile(wheel) as packed:
        assert packed.read("x.pth") == b"hello"
        # printf hello | openssl dgst -sha256 -binary | base64 | tr +/ -_ | tr -d =
        line = "x.pth,sha256=LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ,5\n"
        assert packed.read("x-1.dist-info/RECORD").decode() == line + "x-1.dist-info/RECORD,,\n"
