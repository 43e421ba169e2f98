"""`crosslens attach` on a real file, and where other commands show what the file says."""

import json

import onnx
import pytest
from onnx import helper


@pytest.fixture
def network(tmp_path):
    x, y = (helper.make_tensor_value_info(n, 1, ["N", 3, *s]) for n, s in (("x", (8, 8)), ("y", ())))
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "net", [x], [y])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "net.onnx"
    )
    return tmp_path / "net.onnx"


def test_what_is_attached_is_used_and_shown_by_every_command(command, network, picture, tmp_path):
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    done = command("attach", network, "--preprocess", "mean=.5,std=.25", "--labels", tmp_path / "labels.txt")
    assert done.exit_code == 0, done.output
    assert f"{network} carries preprocess mean=0.5,std=0.25; 3 labels (red, green, blue)" in done.stdout
    assert f"written: {network}" in done.stdout
    run = command("run", "gradient", network, picture, "--json")
    assert run.stderr == ""
    said = json.loads(run.stdout)
    assert said["provenance"]["preprocess"]["mean"] == [0.5]
    assert said["provenance"]["preprocess_from"] == "file"
    assert said["target"]["label"] in {"red", "green", "blue"}
    shown = f"mean=0.5,std=0.25 (from '{network}')"
    assert f"preprocessing: {shown}" in command("layers", network).stderr
    assert shown in command("doctor", network).stdout


def test_without_options_it_shows_what_the_file_carries(command, network):
    assert "carries nothing: --preprocess and --labels write something" in command("attach", network).stdout
    command("attach", network, "--preprocess", "tf", "--input-range", "0,255")
    said = json.loads(command("attach", network, "--json").stdout)
    assert said["written"] is None
    assert said["carries"]["bounds"] == [0, 255]
    assert said["carries"]["preprocess"]["std"] == [1]
    assert "carries nothing" in command("attach", network, "--clear").stdout


def test_what_is_given_wins_and_one_line_says_so(command, network, picture):
    command("attach", network, "--preprocess", "tf")
    done = command("run", "gradient", network, picture, "--preprocess", "caffe")
    assert done.stderr == f"Note: preprocess: as given, although '{network}' says otherwise\n"


def test_the_default_is_one_line_and_the_table_says_so(command, network, picture):
    done = command("run", "gradient", network, picture)
    assert done.stderr == "preprocess: imagenet (the default; --preprocess changes it)\n"
    assert "the default: none was given, and the model carries none" in command("doctor", network).stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "LABELS"], "Error: 1 labels for a model of 3 classes"),
        (["--preprocess", "mean=.5,sdt=1"], "Error: preprocess has no 'sdt'"),
        (["--batch-size", "2"], "Error: there is nothing to attach: give --preprocess"),
        (["--clear", "--preprocess", "mean=1/2"], "Error: preprocess mean has 2 numbers; this model's images have 3"),
    ],
)
def test_what_does_not_fit_is_one_line_and_exit_code_1(command, network, tmp_path, options, message):
    (tmp_path / "labels.txt").write_text("one\n")
    done = command("attach", network, *(str(tmp_path / "labels.txt") if o == "LABELS" else o for o in options))
    assert done.exit_code == 1
    assert done.stderr.startswith(message)
    assert "carries nothing" in command("attach", network).stdout


def test_a_model_that_is_not_there_is_named(command, tmp_path):
    done = command("attach", tmp_path / "nothing.onnx", "--preprocess", "tf")
    assert done.exit_code == 1
    assert "nothing.onnx': the file does not exist" in done.stderr


@pytest.mark.parametrize("text", ["mean=.25,std=.5", '{"mean": [0.25], "std": 0.5}', "FILE"])
def test_every_option_for_a_preprocessing_takes_every_form(command, network, picture, tmp_path, text):
    (tmp_path / "prep.json").write_text('{"mean": 0.25, "std": 0.5}')
    text = str(tmp_path / "prep.json") if text == "FILE" else text
    one = command("compare", "gradient", network, network, "--image", picture, "--preprocess", text, "--json")
    assert [p["preprocess"]["mean"] for p in json.loads(one.stdout)["provenance"].values()] == [[0.25], [0.25]]
    same = ("diverge", network, network, "--image", picture, "--preprocess", "mean=.25,std=.5", "--json")
    two = json.loads(command(*same, "--preprocess-of-model", text).stdout)
    assert two == json.loads(command(*same).stdout)
