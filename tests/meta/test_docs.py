"""Examples in docstrings and in Markdown run; doctests by the modules' real names, never by path."""

import doctest
import importlib
import re
from pathlib import Path

import pytest
from crosslens.plugins import image_methods

from .tree import FOLDERS, ROOT, modules, real_name

WITH_EXAMPLES = [path for path in modules(*FOLDERS) if ">>>" in (ROOT / path).read_text()]
PAGES = [name for name in ("README.md", "plugins.md") if (ROOT / name).exists()]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples_in_docstrings_are_true(path):
    module = importlib.import_module(real_name(path))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.attempted, "no example was found: is it in a public docstring?"
    assert not result.failed


def test_python_in_the_readme_runs(tmp_path, monkeypatch):
    """All blocks, in order, in one namespace, in a folder that holds only pictures, cat.jpg and cat.png."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    assert blocks
    monkeypatch.chdir(tmp_path)
    for name in ("cat.jpg", "cat.png"):
        _picture(tmp_path / name)
    namespace = {"__name__": "page"}
    for number, block in enumerate(blocks):
        exec(compile(block, f"README.md block {number}", "exec"), namespace)


def _picture(path: Path) -> None:
    import numpy as np
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)).save(path)


@pytest.mark.parametrize("page", PAGES)
def test_python_in_markdown_is_python(page):
    """The files that plugins.md shows are compared and run by test_example_plugin.py."""
    for number, block in enumerate(BLOCK.findall((ROOT / page).read_text())):
        compile(block, f"{page} block {number}", "exec")


def test_links_in_markdown_lead_somewhere():
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")
    targets = [(page, target) for page in PAGES for target in link.findall((ROOT / page).read_text())]
    assert not [f"{page}: {target}" for page, target in targets if not (ROOT / target).exists()]


def test_the_readmes_table_has_a_row_for_every_method():
    listed = re.findall(r"^\| `(\w+)` \| (?:reference|transformers) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    registered = image_methods()
    assert sorted(listed) == sorted(registered), "run python -m benchmarks.support_table"
