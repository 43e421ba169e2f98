"""`crosslens.methods` is a function and a package; so is `crosslens.backends`."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("name", "module"), [("methods", "crosslens.methods.gradient.gradient"), ("backends", "crosslens.backends.zoo")]
)
def test_listing_works_before_and_after_the_package_is_imported(name, module):
    code = (
        f"import crosslens; a = crosslens.{name}(); import {module} as m; assert crosslens.{name}() == a; print(len(a))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
