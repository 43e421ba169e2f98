"""What all tests share: quiet frameworks, a run without frameworks, and folders that hold no tests of this project."""

import os
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

from tests.meta.tree import FRAMEWORKS

# Tests look at the networks in benchmarks/; at the end, so that metadata left in the root hides no installed ones.
sys.path.append(str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Threads of torch that wait for each other sleep: where other processes use the cores too, they would spin for most of
# the time, 22 times the processor time of the small networks here. Their number is what a user has.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

collect_ignore = [
    "example_plugin"
]  # a project of its own: tests/meta/test_example_plugin.py installs it and runs its test


def pytest_addoption(parser):
    parser.addoption("--without-frameworks", action="store_true", help="skip every test that imports a framework")


def pytest_configure(config):
    if config.getoption("--without-frameworks"):
        sys.meta_path.insert(0, SkipFrameworks())


class SkipFrameworks(MetaPathFinder):
    """Skips the test, or the file, that imports a framework."""

    def find_spec(self, name, path, target=None):
        if name in FRAMEWORKS:
            pytest.skip(f"imports {name}", allow_module_level=True)
