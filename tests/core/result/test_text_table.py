"""Tables on a terminal."""

from crosslens.result.text_table import text_table


def test_columns_stand_below_each_other_where_characters_take_two_columns_or_none():
    """As terminals draw them: each of the two characters takes two columns, the combining accent none."""
    lines = text_table(["name", "n"], [["硬币", 1], ["cafe\u0301", 2], ["photo", 3]]).splitlines()
    assert lines == ["name   n", "硬币   1", "cafe\u0301   2", "photo  3"]
