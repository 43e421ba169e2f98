"""A notebook as a person works with it: pictures, tables and the bar are in its outputs; day.ipynb is that notebook."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
for _needed in ("nbclient", "ipykernel", "onnxruntime"):
    pytest.importorskip(_needed)

NOTEBOOK = Path(__file__).with_name("day.ipynb")
BEFORE = """
import warnings
warnings.filterwarnings("error", module="crosslens")
from crosslens.execution import notebook_bar
notebook_bar.DELAY = 0.0
"""
"""Warnings of ours are errors, and the bar is shown however fast the machine is."""
EXECUTE = """
import sys
import nbclient, nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

class ThisInterpreter(KernelSpecManager):
    def get_kernel_spec(self, kernel_name):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")

notebook = nbformat.read("day.ipynb", as_version=4)
manager = AsyncKernelManager(kernel_spec_manager=ThisInterpreter())
nbclient.NotebookClient(notebook, timeout=120, km=manager).execute()
nbformat.write(notebook, "executed.ipynb")
"""
"""The kernel is that of the interpreter that runs the test; none need be installed by name."""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with its outputs."""
    folder = tmp_path_factory.mktemp("jupyter")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(BEFORE, id="before"))
    nbformat.write(notebook, folder / "day.ipynb")
    own = {name: str(folder) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    run = subprocess.run(
        [sys.executable, "-c", EXECUTE], cwd=folder, env=os.environ | own, check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return nbformat.read(folder / "executed.ipynb", as_version=4)


def outputs(notebook, source):
    """What the cell with this text shows, by MIME type."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and source in cell.source]
    cell = min(cells, key=lambda cell: cell.source != source)
    return [output.get("data", {}) for output in cell.outputs]


@pytest.mark.parametrize(
    "source",
    [
        "result[0]",
        "steps=32",
        '"grad_cam")(model, images[:1])',
        '"occlusion"',
        "activation_maximisation",
        '"insertion"',
    ],
)
def test_the_last_line_shows_a_picture(executed, source):
    assert "image/png" in outputs(executed, source)[-1]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("crosslens.wrap(network(), **options)", "(3, 64, 64), values from 0 to 1"),
        ("model.layers", "GlobalAveragePool"),
        ("crosslens.compare(", "original"),
        ("crosslens.align(", "exported"),
        ("crosslens.diverge(", "exported parts from original"),
        ("mean_activation", "unit"),
    ],
)
def test_the_last_line_shows_a_table(executed, source, said):
    html = outputs(executed, source)[-1]["text/html"]
    assert "<table" in html
    assert said in html


@pytest.mark.parametrize("source", ["steps=32", "crosslens.compare(", "crosslens.align(", "crosslens.diverge("])
def test_long_work_shows_one_bar_that_is_complete_at_the_end(executed, source):
    bars = [each for each in outputs(executed, source) if "<progress" in each.get("text/html", "")]
    assert len(bars) == 1
    assert 'value="1.000"' in bars[0]["text/html"]
    assert ", done after" in bars[0]["text/plain"]


def test_an_objective_is_its_words(executed):
    assert outputs(executed, "contrast")[-1]["text/plain"].startswith("<Objective logit(")
