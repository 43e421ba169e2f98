"""Ctrl-C while the package is being imported: a command ends with one line, another program as Python has it."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
sys.argv = [{name!r}]

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "crosslens.data":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
signal.signal(signal.SIGINT, signal.default_int_handler)
import crosslens
"""


def interrupted(name):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["-m", "bin/crosslens"])
def test_a_command_that_starts_ends_with_one_line(name):
    done = interrupted(name)
    assert (done.returncode, done.stderr, done.stdout) == (130, "Interrupted\n", "")


def test_another_program_that_imports_the_package_is_interrupted_as_usual():
    assert interrupted("notebook.py").stderr.endswith("KeyboardInterrupt\n")
