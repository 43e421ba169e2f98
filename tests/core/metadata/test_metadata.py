"""What a model's file says: JSON with a version, and one clear error for anything else."""

import json

import pytest
from crosslens.errors import ModelError
from crosslens.metadata.metadata import Metadata, metadata_from_json
from crosslens.metadata.side_file import read_side_file, side_file

EXAMPLE = {
    "crosslens_metadata": 1,
    "preprocess": {"scale": 1, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "order": "RGB"},
    "labels": ["cat", "dög"],
    "bounds": [0, 1],
    "input_shape": [3, 224, None],
    "output_kind": "logits",
    "style": {"kind": "feed_forward", "norm": "instance", "styles": 1, "width": 32, "blocks": 5},
}


def test_the_documented_example_is_read_and_written_as_the_same():
    read = metadata_from_json(EXAMPLE, "'net.onnx'")
    assert read.labels == ("cat", "dög")
    assert read.input_shape == (3, 224, None)
    assert json.loads(read.to_json()) == EXAMPLE
    assert metadata_from_json(json.loads(read.to_json()), "") == read


def test_what_is_left_out_or_null_says_nothing():
    assert metadata_from_json({"crosslens_metadata": 1, "labels": None}, "") == Metadata()
    assert Metadata().options() == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], 'it has no "crosslens_metadata": 1'),
        ({"preprocess": "tf"}, 'it has no "crosslens_metadata": 1'),
        ({"crosslens_metadata": 2}, "it has version 2 and this crosslens reads 1"),
        (EXAMPLE | {"lables": []}, "it has 'lables', and only preprocess, labels, .* Did you mean 'labels'"),
        (EXAMPLE | {"labels": ["cat", 1]}, "its labels are not a list of texts"),
        (EXAMPLE | {"labels": "cat"}, "its labels are not a list of texts"),
        (EXAMPLE | {"bounds": [1, 0]}, "its bounds are not two numbers, the lower one first"),
        (EXAMPLE | {"bounds": [0, float("inf")]}, "its bounds are not two numbers"),
        (EXAMPLE | {"input_shape": [224, 224]}, r"its input_shape is not of the form \[3, 224, null\]"),
        (EXAMPLE | {"output_kind": 1}, "its output_kind is not a text"),
        (EXAMPLE | {"preprocess": "/etc/passwd.json"}, "its preprocess names another file; write the numbers"),
        (EXAMPLE | {"preprocess": {"men": 1}}, "its preprocess is wrong .preprocess has no men"),
        (EXAMPLE | {"preprocess": 3}, "its preprocess is neither a text nor an object"),
    ],
)
def test_anything_else_is_refused_in_a_line_that_says_what_to_type(content, message):
    with pytest.raises(ModelError, match=message) as refused:
        metadata_from_json(content, "'net.onnx'")
    assert "'net.onnx' holds no metadata that can be read" in str(refused.value)
    assert "crosslens attach" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_side_file_lies_beside_a_file_and_within_a_folder(tmp_path):
    assert side_file(tmp_path / "net.keras") == tmp_path / "net.keras.crosslens.json"
    assert side_file(tmp_path) == tmp_path / "crosslens.json"
    assert read_side_file(tmp_path / "net.keras") is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'"' + b" " * (1 << 24) + b'"'])
def test_a_damaged_or_endless_side_file_is_one_clear_error(tmp_path, content):
    (tmp_path / "net.keras.crosslens.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read what '.*json' says of '.*net.keras': it is"):
        read_side_file(tmp_path / "net.keras")
