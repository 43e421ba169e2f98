"""The judge of hostile cases sees what it is there to see."""

import json
import subprocess
import sys

import pytest

from tests.hostile.frame.false_cases import VERDICTS


@pytest.fixture(scope="module")
def verdicts():
    """In a process of its own, which has run no framework and can be forked."""
    words = [sys.executable, "-m", "tests.hostile.frame.false_cases"]
    return json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)


@pytest.mark.parametrize("name", VERDICTS)
def test_each_wrong_is_seen(name, verdicts):
    assert verdicts[name] == VERDICTS[name]
