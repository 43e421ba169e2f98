"""What all tests share: quiet frameworks, and folders that are no tests of this project."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

collect_ignore = [
    "example_plugin"
]  # a project of its own: tests/meta/test_example_plugin.py installs it and runs its test
