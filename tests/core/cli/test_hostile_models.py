"""MODELs that are no names, and factories that fail: one line, exit code 1."""

import sys

import pytest
from click.testing import CliRunner
from crosslens.cli import TRACEBACK, cli

FACTORIES = """
import sys
def raises(): raise KeyError("x")
def ends(): sys.exit(0)
def recurses(): return recurses()
def wants(x): return x
def nothing(): return None
"""


def layers(model, env=None):
    return CliRunner().invoke(cli, ["layers", model], env=env)


@pytest.mark.parametrize("model", [":", "::", "a:", ":b", ".a:b", "a b:c", "a:b:c", "sys:exit"])
def test_what_names_nothing_is_one_line(model):
    done = layers(model)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", r"KeyError: 'x' (line 3 of failing.py)"),
        ("ends", "it ends the program (sys.exit(0))"),
        ("recurses", "RecursionError"),
        ("wants", "TypeError: wants() missing 1 required positional argument"),
        ("nothing", "no backend wraps a builtins.NoneType"),
    ],
)
def test_a_factory_that_fails_is_one_line_which_says_where(name, said, tmp_path, monkeypatch):
    (tmp_path / "failing.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "failing", raising=False)
    done = layers(f"failing:{name}")
    assert done.exit_code == 1
    assert said in done.output
    assert done.output.count("\n") == 1


def test_a_fault_is_one_line_and_the_environment_shows_where(monkeypatch):
    def fails(**options):
        raise IndexError("no such\nrow")

    monkeypatch.delenv(TRACEBACK, raising=False)
    monkeypatch.setattr("crosslens.cli.layers.command.callback", fails)
    done = layers("x.onnx")
    assert done.exit_code == 1
    assert "a fault of crosslens, or of a plugin: IndexError: no such row (line " in done.output
    assert done.output.count("\n") == 1
    assert isinstance(layers("x.onnx", {TRACEBACK: "1"}).exception, IndexError)
