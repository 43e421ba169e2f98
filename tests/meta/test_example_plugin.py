"""The example plugin is a distribution of its own: installed beside crosslens, listed, checked by the kit, and run."""

import os
import re
import subprocess
import sys

import pytest

from .tree import ROOT

EXAMPLE = ROOT / "tests" / "example_plugin"
PAGE = (ROOT / "plugins.md").read_text()
FENCED = re.compile(r"^`([\w./]+)`:\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the plugin installed in it, and the environment of a process that sees it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for path in EXAMPLE.rglob("*"):
        if path.suffix in {".py", ".toml"}:
            copy = source / path.relative_to(EXAMPLE)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True, capture_output=True)
    return source, {**os.environ, "PYTHONPATH": str(target)}


def run(installed, *command):
    folder, environment = installed
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


def test_plugins_md_shows_the_files_that_are_tested():
    shown = dict(FENCED.findall(PAGE))
    files = {path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.rglob("*") if path.suffix in {".py", ".toml"}}
    assert {name for name in shown if not name.startswith(("backends/", "tests/"))} == files
    for name, text in shown.items():
        path = ROOT / name if name.startswith(("backends/", "tests/")) else EXAMPLE / name
        assert text == path.read_text(), f"plugins.md shows another {name}"


def test_the_example_keeps_its_promises_as_plugins_md_says(installed):
    (folder, _) = installed
    out = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "test_example.py"))
    (said,) = re.findall(r"\d+ passed, \d+ skipped", PAGE.partition("\n## A data-set method\n")[0])
    assert re.findall(r"\d+ passed, \d+ skipped", out) == [said]


def test_it_shows_up_in_the_listing_as_plugins_md_says(installed):
    code = "from crosslens.cli import main; main()"
    lines = run(installed, "-c", code, "plugins").splitlines()
    listed = [line.split() for line in lines if "crosslens-example" in line]
    assert listed == [line.split() for line in PAGE.splitlines() if "crosslens-example  0.1.0" in line]


def test_its_parameters_are_options_as_plugins_md_says(installed):
    out = run(installed, "-c", "from crosslens.cli import main; main()", "methods", "fade")
    assert "how far pixels fade; 1 is all the way to the mean" in out


def test_its_method_runs_on_every_backend(installed):
    out = run(
        installed,
        "-c",
        f"""
import sys
from importlib import import_module
import numpy as np, crosslens
from pathlib import Path

tests = Path({str(ROOT / "tests")!r})
sys.path.insert(0, str(tests))
plans = import_module("conformance.plans")
from crosslens_example.nano import Nano
values = []
for path in sorted((tests / "zoo").glob("*.py")):
    net = import_module("zoo." + path.stem).build(plans.plan("smooth"), plans.SHAPE)
    model = crosslens.wrap(net, preprocess=None, input_shape=plans.SHAPE)
    values.append(crosslens.method("fade")(model, plans.images(), target=2).values)
    np.testing.assert_allclose(values[-1], values[0], rtol=1e-4, atol=1e-6 * abs(values[0]).max())
    print(model.backend, *values[-1].shape)
x = np.full((1, 3, 6, 6), 0.25, np.float32)
print(crosslens.wrap(Nano()).backend, *crosslens.method("gradient")(crosslens.wrap(Nano()), x, 1).values.shape)
""",
    )
    ran = [line.split() for line in out.splitlines()]
    assert ["nano", "1", "3", "6", "6"] in ran
    assert len([line for line in ran if line[1:] == ["2", "18", "18"]]) >= 3


def test_its_source_is_read_and_is_data_on_the_shell(installed):
    out = run(
        installed,
        "-c",
        """
import pickle
import crosslens
from crosslens.testing import TinyModel
source, model = crosslens.data("crosslens_example.stripes:Stripes"), TinyModel()
once, parts = source.read(0, 36, model), [source.read(start, start + 9, model) for start in (27, 0, 9, 18)]
assert (parts[1].images == once.images[:9]).all() and parts[0].ids == once.ids[27:] and len(set(source.ids)) == 36
model.input.check(once.images, strict=True)
assert pickle.loads(pickle.dumps(source)).digest == source.digest
print(once, [record["label"] for record in once.records[:36:9]])
print(len(crosslens.method("mean_activation", layer="conv2")(model, source)), "means")
""",
    )
    assert out.startswith("<Samples: 36 images, (36, 3, 8, 8)> ['|', '/', '-', '\\\\']")
