"""Examples in docstrings and in Markdown run; doctests by the modules' real names, never by path."""

import doctest
import importlib
import os
import re
import subprocess
import sys

import pytest
from crosslens.plugins import METHODS, image_methods, plugins

from .tree import FOLDERS, ROOT, modules, real_name

WITH_EXAMPLES = [path for path in modules(*FOLDERS) if ">>>" in (ROOT / path).read_text()]
PAGES = ("README.md", "plugins.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/RESULTS.md", "benchmarks/NOTES.md")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples_in_docstrings_are_true(path):
    module = importlib.import_module(real_name(path))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.attempted, "no example was found: is it in a public docstring?"
    assert not result.failed


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with a virtual environment in it, as `make demo` leaves a clone."""
    (tmp_path / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_the_blocks_of_the_readme_run_in_order(clone):
    """Python in one namespace, commands in one shell each; `make` alone is left to the gate."""
    namespace = {"__name__": "page"}
    ran = []
    for kind, block in FENCED.findall((ROOT / "README.md").read_text()):
        if kind == "python":
            exec(compile(block, f"README.md, block {len(ran)}", "exec"), namespace)
            ran.append(kind)
        elif kind == "console" and "$ make " not in block:
            lines = [line.removeprefix("$ ") for line in block.splitlines()]
            done = subprocess.run(["bash", "-ec", "\n".join(lines)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{block}\n{done.stderr[-2000:]}"
            ran.append(kind)
        elif not kind and ran[-1] == "console":
            assert _without_numbers(block) in _without_numbers(done.stdout), "the README shows another output"
    assert ran.count("python") >= 3
    assert ran.count("console") >= 2
    assert {"cat-cam.png", "dream.png", "report.html", "channel.png"} <= {path.name for path in clone.iterdir()}


def _without_numbers(text: str) -> str:
    """Errors differ from processor to processor."""
    return " ".join(re.sub(r"\d\.\d+e[-+]\d+", "x", text).split())


@pytest.mark.parametrize("page", PAGES)
def test_python_in_markdown_is_python(page):
    """The files that plugins.md shows are compared and run by test_example_plugin.py."""
    for number, block in enumerate(BLOCK.findall((ROOT / page).read_text())):
        compile(block, f"{page} block {number}", "exec")


def test_links_in_markdown_lead_somewhere():
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")
    targets = [(page, target) for page in PAGES for target in link.findall((ROOT / page).read_text())]
    assert not [f"{page}: {target}" for page, target in targets if not (ROOT / page).parent.joinpath(target).exists()]


def test_what_the_code_calls_its_test_is_a_file():
    named = [
        (path, name)
        for path in modules(*FOLDERS)
        for name in re.findall(r"\btests/[a-z0-9_/]+\.py\b", (ROOT / path).read_text())
    ]
    assert len(named) > 3
    assert not [f"{path}: {name}" for path, name in named if not (ROOT / name).exists()]


def test_the_support_table_has_a_row_for_every_method():
    page = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \| (?:reference|transformers) \|", page, re.MULTILINE)
    registered = image_methods()
    assert sorted(listed) == sorted(registered), "run python -m benchmarks.support_table"


def test_the_readme_is_short_and_names_every_method():
    page = (ROOT / "README.md").read_text()
    assert len(page.splitlines()) <= 250
    registered = [p.name for p in plugins(METHODS) if p.distribution == "crosslens"]
    assert not [name for name in registered if f"`{name}`" not in page]
