"""Labels from files, and the model's options."""

import json

import pytest
from crosslens.cli._options.files import read_labels
from crosslens.cli._options.models import Shape
from crosslens.errors import ModelError


@pytest.mark.parametrize(
    ("name", "text"), [("labels.json", json.dumps(["cat", "dog, hound"])), ("labels.txt", "cat\ndog, hound\n")]
)
def test_labels_are_a_json_list_or_one_a_line(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_labels(tmp_path / name) == ["cat", "dog, hound"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "are not JSON"), ('{"0": "cat"}', "are not a list of texts"), ("[1]", "are not a list of texts")],
)
def test_other_labels_are_refused(tmp_path, text, said):
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(ModelError, match=said):
        read_labels(tmp_path / "labels.json")


def test_labels_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="it is not text in UTF-8"):
        read_labels(tmp_path / "labels.txt")


def test_a_shape_may_leave_sides_open():
    assert Shape().convert("3,any,224", None, None) == (3, None, 224)
