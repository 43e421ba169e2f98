"""The folders of a survey's methods, by the words that tell them apart."""

import crosslens
import pytest
from crosslens.store.entries import entries_with


@pytest.mark.parametrize(
    ("pair", "folder"),
    [
        ((4, 9), "class_statistics-pair=4,9"),
        (("cat",), "class_statistics-pair=cat"),
        (("a b", "c"), "class_statistics-pair=a-b,c"),
    ],
)
def test_several_values_stand_in_a_folders_name_as_they_are_typed(pair, folder):
    methods = [crosslens.method("class_statistics"), crosslens.method("class_statistics", pair=pair)]
    entries, _ = entries_with([], methods)
    assert [each.folder for each in entries] == ["class_statistics", folder]
