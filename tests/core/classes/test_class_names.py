"""Labels of data as a model's classes, and as what somebody types."""

import pytest
from crosslens.classes.class_names import chosen_classes, in_order, matching_notes, model_classes
from crosslens.errors import ParameterError

NAMES = ["tench, Tinca tinca", "great white shark", "crane", "crane", "7"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["tinca tinca", "Great_White_Shark", "dog"], (0, 1, -1)),
        (["crane", "tench"], (-1, 0)),
        (["0", "1", "3"], (0, 1, 3)),
        (["7", "tench"], (4, 0)),
        (["7", "5", "-1"], (4, -1, -1)),
        (["tench", "Tinca tinca"], (-1, -1)),
        (["٣", "x"], (-1, -1)),
    ],
    ids=[
        "names",
        "a name of two classes",
        "numbers",
        "a name of digits",
        "too large",
        "two labels of one class",
        "digits",
    ],
)
def test_labels_are_classes_by_name_or_by_number_and_never_by_both(labels, expected):
    assert model_classes(labels, NAMES, 5) == expected


def test_labels_that_may_count_from_one_are_told():
    labels = ["1", "2", "3"]
    assert any("count from 1" in note for note in matching_notes(labels, (1, 2, -1), [""] * 3, 3))
    assert not matching_notes(["0", "1", "2"], (0, 1, 2), [""] * 3, 3)


def test_numbers_that_have_names_are_told_with_one_of_them():
    notes = matching_notes(["0", "1"], (0, 1), ["tench, Tinca tinca", "shark"], 2)
    assert notes == ("labels are taken as numbers of the network's classes: '0' is 'tench, Tinca tinca'",)
    assert matching_notes(["0", "1"], (0, 1), ["0", "1"], 2) == ()


def test_labels_are_sorted_by_the_numbers_in_them():
    assert sorted(["b2", "b10", "b1", "10", "9", "²"], key=in_order) == ["9", "10", "b1", "b2", "b10", "²"]


LABELS = ["tabby, tabby cat", "tabby", "7", "a, b", "b", "a"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("7,tabby", (2, 1)),
        ("tabby, tabby cat,7", (2, 0)[::-1]),
        ("7,tabby, tabby cat", (2, 0)),
        ("tabby, tabby cat", (0,)),
        ("seven,a", (2, 5)),
    ],
)
def test_a_pair_is_read_at_the_comma_that_gives_two_classes(typed, expected):
    assert chosen_classes(typed.split(","), LABELS, ["", "", "seven", "", "", ""]) == expected


def test_what_can_be_read_in_two_ways_is_refused():
    with pytest.raises(ParameterError, match="can be read in 2 ways"):
        chosen_classes(["a", "b", "a"], ["a", "b,a", "a,b"], ["", "", ""])
