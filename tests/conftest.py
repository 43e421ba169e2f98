"""What all tests share: quiet frameworks, and folders that are no tests of this project."""

import os
import sys
from pathlib import Path

# Tests look at the networks in benchmarks/; at the end, so that metadata left in the root hides no installed ones.
sys.path.append(str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

collect_ignore = [
    "example_plugin"
]  # a project of its own: tests/meta/test_example_plugin.py installs it and runs its test
