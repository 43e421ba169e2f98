"""plugins.md, "A data-set method", followed to the letter: from an empty folder to a passing kit, a run and a sweep."""

import os
import re
import subprocess
import sys

import crosslens
import numpy as np
import pytest
from crosslens.testing import TinyModel

from .tree import ROOT

PAGE = (ROOT / "plugins.md").read_text().partition("\n## A data-set method\n")[2].partition("\n## ")[0]
FILES = dict(re.findall(r"^`crosslens-peak/([\w.]+)`:\n\n```\w*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
IMAGES = np.random.default_rng(0).random((5, 3, 8, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page's files as a reader writes them into an empty folder, and some pictures."""
    made = tmp_path_factory.mktemp("crosslens-peak")
    for name, text in FILES.items():
        (made / name).write_text(text)
    (made / "photos").mkdir()
    for n, image in enumerate(IMAGES[:3]):
        crosslens.save_image(image, made / "photos" / f"{n}.png")
    return made


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """Runs a command of the page where its first one, `pip install -e .`, has installed the plugin."""
    target = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(folder)], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def command(text):
        program, *words = text.split()
        if program == "crosslens":
            words = ["-c", "from crosslens.cli import main; main()", *words]
        done = subprocess.run(
            [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert not done.returncode, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    return command


def loaded():
    """The page's module, in this process."""
    names = {"__name__": "crosslens_peak"}
    sys.modules.setdefault("crosslens_peak", type(sys)("crosslens_peak"))
    exec(compile(FILES["crosslens_peak.py"], "crosslens_peak.py", "exec", dont_inherit=True), names)
    return names


def test_the_page_has_the_files_that_it_speaks_of():
    assert set(FILES) == {"crosslens_peak.py", "pyproject.toml", "test_peak.py"}
    assert COMMANDS[:2] == ["pip install -e .", "python -m pytest -q"]


def test_the_kit_passes_as_the_page_says(run):
    out = run("python -m pytest -q -p no:cacheprovider")
    (said,) = re.findall(r"\d+ passed, \d+ skipped", PAGE)
    assert re.findall(r"\d+ passed, \d+ skipped", out) == [said]


def test_the_commands_of_the_page_run(run, folder):
    pytest.importorskip("onnxruntime")
    for text in COMMANDS[2:]:
        run(text)
    table = crosslens.load(folder / "peak.npz")
    assert table["largest"].shape == (1280,)
    assert set(table["image"]) <= {"0.png", "1.png", "2.png"}
    assert crosslens.load(folder / "survey" / "peak" / "result.npz")["image"].tolist() == table["image"].tolist()


@pytest.mark.parametrize("layer", ["conv1", "tokens", "pool"])
def test_peak_is_the_largest_value_and_the_first_image_that_has_it(layer):
    images = np.concatenate([IMAGES, IMAGES])  # each value twice
    model = TinyModel(tokens=True)
    table = loaded()["Peak"](layer=layer)(model, images)
    values = model.forward(images, [layer])[layer]
    values = values.transpose(0, 2, 1) if layer == "tokens" else values
    largest = values.reshape(10, values.shape[1], -1).max(axis=-1)
    assert table["largest"].tolist() == largest.max(axis=0).tolist()
    assert table["image"].tolist() == [str(n) for n in largest.argmax(axis=0)]
    assert max(map(int, table["image"])) < 5
