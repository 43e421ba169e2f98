"""Part of the cases of lost outputs, in each test run; all of them: `python -m tests.hostile.output_cases`."""

import pytest

from tests.hostile.output_cases import cases, failure, make_desk

EVERY = 8
"""One case of so many."""
QUICK = [case for n, case in enumerate(cases()) if n % EVERY == 0]


@pytest.mark.parametrize("case", QUICK, ids=[case.name for case in QUICK])
def test_nothing_is_lost_and_one_line_says_why(case, tmp_path):
    make_desk(tmp_path)
    assert failure(case, tmp_path) == ""
