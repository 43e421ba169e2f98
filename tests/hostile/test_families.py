"""A few cases of each family: no code run, no file lost, bounded memory, no traceback, one clear line."""

import json
import subprocess
import sys

import pytest

from tests.hostile.families import FAMILIES

SEED = 21
SHORT = [each for each in FAMILIES if sum(each.quick)]


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """Of all families, by one process of its own, which has run no framework and can be forked."""
    file = tmp_path_factory.mktemp("hostile") / "figures.json"
    words = [sys.executable, "-m", "tests.hostile", "--quick", "--seed", str(SEED), "--json", str(file)]
    done = subprocess.run(
        [*words, "--keep", str(file.parent / "findings")], capture_output=True, text=True, check=False
    )
    assert file.exists(), done.stderr
    return json.loads(file.read_text())


@pytest.mark.parametrize("family", SHORT, ids=lambda each: each.name)
def test_hostile_input_ends_well(family, figures):
    figure = figures[family.name]
    assert not figure["findings"]
    assert sum(figure["kinds"].values()) >= 1
