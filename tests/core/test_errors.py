"""The texts of errors: what was received, what would be right, the nearest name."""

import pytest
from crosslens import errors
from crosslens.errors import CrosslensError, unknown_name


def test_every_error_is_a_crosslens_error_and_stands_in_the_tree():
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert all(issubclass(each, CrosslensError) for each in classes)
    assert [each.__name__ for each in classes if each.__name__ not in errors.__doc__] == []


@pytest.mark.parametrize(
    ("text", "arguments", "keywords"),
    [
        ("no mask 'x'; there are gaussian, single", ("mask", "x", ["gaussian", "single"]), {}),
        ("no fill 3; there are black, and an array", ("fill", 3, ["black"]), {"also": "an array"}),
        ("cam has no preset 'captum'; it has none", ("preset", "captum", {}), {"of": "cam"}),
        (
            "no mask 'singel'; there are both, single. Did you mean 'single'?",
            ("mask", "singel", ["both", "single"]),
            {},
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_known_ones_and_the_nearest(text, arguments, keywords):
    assert unknown_name(*arguments, **keywords) == text
