"""Names from files and from the keyboard are printed so that they cannot act on a terminal."""

import pytest
from crosslens.errors import LayerError
from crosslens.printable import printable, shown

HOSTILE = {"escape": "\x1b[31mred", "lines": "a\nb\r", "turned": "\u202eabc", "bytes": "\udcff", "c1": "\x9b31m"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_acts_on_a_terminal_is_escaped(text):
    assert printable(text).isprintable()
    assert "\\" in printable(text)


@pytest.mark.parametrize("text", ["tabby, tabby cat", "Käse", "猫", "می\u200cخواهم"])
def test_words_of_any_language_stay(text):
    assert printable(text) == text


def test_a_long_text_keeps_its_ends():
    text = printable("a" * 100_000 + "z", 300)
    assert len(text) < 310
    assert text.startswith("aaa")
    assert text.endswith("z")
    assert "99733 characters left out" in text


def test_an_error_is_one_line_whatever_it_names():
    text = str(LayerError(f"no layer '\x1b[31m{'x' * 100_000}\n'; give a layer"))
    assert text.isprintable()
    assert len(text) < 2010
    assert text.endswith("\\n'; give a layer")


def test_a_value_whose_representation_fails_has_one():
    class Odd:
        def __repr__(self):
            raise ValueError

    assert shown(Odd()) == "a Odd"
