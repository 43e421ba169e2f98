"""Options that are given twice: obeyed or refused, never dropped."""

import pytest
from click.testing import CliRunner
from crosslens.cli import cli


@pytest.mark.parametrize(
    "words",
    [
        ("run", "gradient", "demo:tiny", "x.png", "-o", "a.npz", "-o", "b.png"),
        ("run", "occlusion", "demo:tiny", "x.png", "--target", "1", "--target", "2"),
        ("sweep", "demo:tiny", "photos", "unit_statistics", "-o", "a", "--out", "b"),
        ("shapes", "-o", "a", "-o", "b"),
    ],
)
def test_an_option_that_takes_one_value_is_refused_where_it_is_given_twice(words):
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert "is given 2 times; it takes one value" in result.output


def test_options_that_take_several_and_flags_may_be_repeated():
    assert CliRunner().invoke(cli, ["methods", "--json", "--json"]).exit_code == 0
    result = CliRunner().invoke(cli, ["compare", "demo:nope", "-o", "a.html", "-o", "b.json"])
    assert "times" not in result.output
