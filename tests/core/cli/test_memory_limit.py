"""`--memory-limit`, which every command takes."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from crosslens.cli import cli
from crosslens.limits import memory

HUNGRY = """
import time
import numpy as np
def make():
    return [(np.ones(250_000), time.sleep(0.002)) for _ in range(10_000)]
"""


def commands(group, context, path=()):
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, click.Context(command, parent=context), (*path, name))
        else:
            yield " ".join([*path, name]), command


def test_every_command_takes_it():
    found = dict(commands(cli, click.Context(cli)))
    assert len(found) > 50
    assert [name for name, each in found.items() if not any("--memory-limit" in p.opts for p in each.params)] == []


def test_it_holds_while_the_command_runs(monkeypatch):
    monkeypatch.delenv(memory.ENVIRONMENT, raising=False)
    memory.set_memory_limit(None)
    seen = []
    monkeypatch.setattr("crosslens.cli._options.memory.set_memory_limit", seen.append)
    CliRunner().invoke(cli, ["plugins", "--memory-limit", "8GB"])
    assert seen == ["8GB", None]


@pytest.mark.parametrize("size", ["8XB", "-1", "", "nan"])
def test_what_is_no_size_is_refused(size):
    done = CliRunner().invoke(cli, ["plugins", "--memory-limit", size])
    assert done.exit_code == 1
    assert "write a size such as 8GB" in done.output


@pytest.mark.skipif(not memory.resident_memory(), reason="this system does not tell what a process has")
def test_work_beyond_it_ends_with_one_line_and_exit_code_1(tmp_path):
    (tmp_path / "hungry.py").write_text(HUNGRY)
    words = ["layers", "hungry:make", "--memory-limit", "1500MB"]
    done = subprocess.run(
        [sys.executable, "-m", "crosslens", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "stopped: this process took" in line] == [done.stderr.strip()]


def test_a_memory_error_is_one_line(monkeypatch):
    def fails():
        raise MemoryError("Unable to allocate 8.00 TiB\nfor an array")

    monkeypatch.setattr("crosslens.cli.plugins.command.callback", lambda **options: fails())
    done = CliRunner().invoke(cli, ["plugins"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: memory ran out: Unable to allocate 8.00 TiB for an array. Use smaller")
