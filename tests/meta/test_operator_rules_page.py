"""plugins.md, "Operator rules", followed to the letter: the error, the rule, its check, what a wrong rule is told."""

import os
import re
import subprocess
import sys

import pytest

from .tree import ROOT

PAGE = (ROOT / "plugins.md").read_text()
FILES = dict(
    re.findall(r"^`crosslens-inverse/([\w.]+)`:\n\n```\w*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL),
)
GRADIENT = """
import numpy as np, crosslens
from network import model as proto
model = crosslens.wrap(proto, preprocess=None)
x = np.random.default_rng(0).random((1, 3, 5, 5), dtype=np.float32) / 4 + np.eye(5, dtype=np.float32) / 2
y = np.linalg.inv(x).swapaxes(2, 3)
assert np.allclose(model.forward(x)["<output>"], y.swapaxes(2, 3), rtol=1e-4, atol=1e-4)
got = model.vjp(x, {"<output>": np.ones_like(x)}).gradients["<input>"]
np.testing.assert_allclose(got, -y @ np.ones_like(x) @ y, rtol=1e-3, atol=1e-3)
"""


def run(folder, *command, installed=None):
    path = os.pathsep.join(filter(None, [str(folder), installed and str(installed)]))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page's files as a reader writes them."""
    made = tmp_path_factory.mktemp("crosslens-inverse")
    for name, text in FILES.items():
        (made / name).write_text(text)
    return made


@pytest.fixture(scope="module")
def installed(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(folder)], check=True, capture_output=True)
    return target


def test_the_page_has_the_files_that_it_speaks_of():
    assert set(FILES) == {"network.py", "crosslens_inverse.py", "pyproject.toml", "test_inverse.py"}


def test_before_the_rule_the_error_is_the_page_s(folder, tmp_path):
    (tmp_path / "network.py").write_text(FILES["network.py"])
    done = run(tmp_path, "-c", "from crosslens.cli import main; main()", "doctor", "network:model")
    (said,) = re.findall(r"^(gradient +FAILS .*)$", PAGE, re.MULTILINE)
    assert done.returncode == 1
    assert said.split() in [line.split() for line in done.stdout.splitlines()], done.stdout + done.stderr


@pytest.fixture
def apart(tmp_path):
    """The page's network and test alone, so that the rule is the installed one."""
    for name in ("network.py", "test_inverse.py"):
        (tmp_path / name).write_text(FILES[name])
    return tmp_path


def test_with_the_rule_the_page_s_test_passes_and_networks_have_gradients(apart, installed):
    done = run(apart, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_inverse.py", installed=installed)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    done = run(apart, "-c", GRADIENT, installed=installed)
    assert not done.returncode, done.stderr


def test_a_wrong_rule_turns_the_page_s_test_red(apart, installed):
    source = (installed / "crosslens_inverse.py").read_text()
    assert 'g.op("Neg", ' in source
    (installed / "crosslens_inverse.py").write_text(source.replace('g.op("Neg", ', 'g.op("Identity", '))
    try:
        done = run(apart, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_inverse.py", installed=installed)
    finally:
        (installed / "crosslens_inverse.py").write_text(source)
    told = "the gradient of 'x' at (0, 0, 0, 0) is ... by the rule and ... by central differences"
    assert told in PAGE
    assert re.search(r"the gradient of 'x' at \(.*\) is \S+ by the rule and \S+ by central differences", done.stdout)
