import json

import crosslens
import numpy as np
import pytest
from crosslens.testing import TinyModel
from PIL import Image


def test_it_writes_the_picture_and_says_what_was_explained(command, tiny, picture, tmp_path):
    done = command("run", "grad_cam", tiny, picture, "--target", "3", "-o", tmp_path / "cam.png")
    assert done.exit_code == 0, done.output
    assert "explained: class 3 (class 3), probability 0." in done.stdout
    assert f"written: {tmp_path / 'cam.png'}" in done.stdout
    with Image.open(tmp_path / "cam.png") as written:
        assert written.size == (224, 224)


def test_the_values_are_those_of_the_python_call(command, tiny, picture, tmp_path):
    assert command("run", "gradient", tiny, picture, "--layer", "act1", "-o", tmp_path / "g.npz").exit_code == 0
    model = TinyModel()
    image = crosslens.load_image(picture, like=model)
    expected = crosslens.method("gradient", layer="act1")(model, image)
    with np.load(tmp_path / "g.npz") as saved:
        np.testing.assert_array_equal(saved["values"], expected.values)
        assert json.loads(str(saved["record"]))["parameters"]["layer"] == "act1"


def test_json_is_all_that_stands_on_stdout(command, tiny, picture):
    done = command("run", "grad_cam", tiny, picture, "--json")
    said = json.loads(done.stdout)
    model = TinyModel()
    output = model.forward(crosslens.load_image(picture, like=model))[crosslens.OUTPUT][0]
    shares = np.exp(output) / np.exp(output).sum()
    assert said["target"]["class"] == output.argmax()
    assert said["target"]["probability"] == pytest.approx(shares.max(), rel=1e-5)
    assert said["score"] == pytest.approx(output.max(), rel=1e-5)
    assert said["provenance"]["backend"] == "tiny"
    assert said["values"]["shape"] == [1, 8, 8]


def test_without_a_file_it_says_how_to_get_one(command, tiny, picture):
    assert "nothing written: -o FILE.png" in command("run", "grad_cam", tiny, picture).stdout


def test_a_class_without_labels_is_named_by_its_number(command, picture, module):
    name = module(
        "from crosslens.testing import TinyModel\n"
        "def unlabelled():\n    model = TinyModel()\n    model.labels = None\n    return model"
    )
    done = command("run", "grad_cam", f"{name}:unlabelled", picture, "--target", "2")
    assert "explained: class 2, probability" in done.stdout


def test_a_target_may_be_a_unit_of_a_layer(command, tiny, picture):
    done = command("run", "gradient", tiny, picture, "--target", "channel:conv2:3")
    assert "explained: channel('conv2', 3), score" in done.stdout


def test_a_method_without_a_target_explains_none(command, tiny, picture):
    assert "explained" not in command("run", "eigen_cam", tiny, picture).stdout


def test_notes_of_the_result_go_to_stderr(command, module, picture):
    name = module(
        "from crosslens.testing import TinyModel\n"
        "def dead():\n    model = TinyModel(relu=True)\n"
        "    model._parameters['conv2']['bias'] -= 100\n    return model"
    )
    done = command("run", "grad_cam", f"{name}:dead", picture)
    assert "Note: 1 of 1 maps" in done.stderr
    assert "Note" not in done.stdout


@pytest.mark.parametrize("name", crosslens.methods())
def test_every_method_shows_its_parameters_as_options(command, name):
    done = command("run", name, "--help")
    assert done.exit_code == 0, done.output
    from crosslens.method import parameters
    from crosslens.plugins import method_class

    for parameter in parameters(method_class(name)):
        assert f"--{parameter.name.replace('_', '-')}" in done.stdout


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["grad_can", "TINY", "PICTURE"], "no plugin named 'grad_can' among the methods. Did you mean 'grad_cam'"),
        (["grad_cam", "gone.onnx", "PICTURE"], "no model at 'gone.onnx': the file does not exist"),
        (["grad_cam", "crosslens.testing:TinyModle", "PICTURE"], "has no 'TinyModle'. Did you mean 'TinyModel'?"),
        (["grad_cam", "no_such_module:net", "PICTURE"], "no module 'no_such_module' to import"),
        (["grad_cam", "TINY", "gone.png"], "no picture at 'gone.png': the file does not exist"),
        (["grad_cam", "TINY", "TEXT"], "is not a picture that Pillow can read"),
        (["grad_cam", "TEXT", "PICTURE"], "ends in '.txt'; a model file ends in"),
        (
            ["grad_cam", "TINY", "PICTURE", "--layer", "conv3"],
            "no layer 'conv3' in this model (8 layers). Did you mean",
        ),
        (["grad_cam", "TINY", "PICTURE", "--layer", "fc"], "layer 'fc' gives (1, 5), not maps"),
        (
            ["grad_cam", "TINY", "PICTURE", "--target", "5"],
            "target 5 is out of range; this model has 5 classes, 0 to 4",
        ),
        (["grad_cam", "TINY", "PICTURE", "--target", "lion"], "no label 'lion' among this model's 5 classes"),
        (["grad_cam", "TINY", "PICTURE", "--preprocess", "tv"], "no preprocess preset 'tv'; there are imagenet, tf"),
        (
            ["grad_cam", "TINY", "PICTURE", "--labels", "gone.txt"],
            "no file of labels at 'gone.txt': the file does not exist",
        ),
        (["grad_cam", "TINY", "PICTURE", "--batch-size", "0"], "--batch-size is 0; it must be at least 1"),
        (
            ["grad_cam", "TINY", "PICTURE", "--output", "1", "--device", "cuda", "--input-shape", "3,9,9"],
            "is wrapped already, so that --input-shape, --output, --device would have no effect",
        ),
        (["grad_cam", "TINY", "PICTURE", "--preprocess", "caffe"], "so that --preprocess would have no effect"),
        (["grad_cam", "TINY", "PICTURE", "--input-range", "0,9"], "so that --input-range would have no effect"),
        (
            ["grad_cam", "TINY", "PICTURE", "--preprocess", '{"men": [0.5]}'],
            "preprocess has no men; it takes scale, mean",
        ),
        (["grad_cam", "TINY", "PICTURE", "--preprocess", '{"mean": "x"}'], "preprocess mean is 'x', where a number"),
        (
            ["grad_cam", "demo:qqq", "PICTURE"],
            "no demo network 'qqq'; there are dcgan_keras, dcgan_onnx, dcgan_torch, lite0_keras",
        ),
        (["grad_cam", "demo:nope_torch", "PICTURE"], "no demo network 'nope_torch'; there are "),
        (["gradient", "TINY", "PICTURE", "--labels", "TEXT"], "1 labels for a model of 5 classes"),
        (["occlusion", "TINY", "PICTURE", "--window", "0"], "window is 0; it must be a whole number"),
        (["grad_cam", "TINY", "PICTURE", "-o", "cam.gif"], "cannot write 'cam.gif': its name must end in .png or .jpg"),
        (["grad_cam", "TINY", "PICTURE", "-o", "gone/cam.png"], "the folder 'gone' does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_line_and_exit_code_1(command, tiny, picture, tmp_path, args, text):
    (tmp_path / "notes.txt").write_text("no picture, no model")
    places = {"TINY": tiny, "PICTURE": picture, "TEXT": tmp_path / "notes.txt"}
    done = command("run", *(places.get(arg, arg) for arg in args))
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert text in done.stderr


def test_a_file_that_cannot_be_written_is_refused_before_the_model_is_loaded(command, picture):
    done = command("run", "grad_cam", "gone.onnx", picture, "-o", "gone/cam.png")
    assert "cannot write 'gone/cam.png'" in done.stderr
    assert "gone.onnx" not in done.stderr


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["grad_cam", "TINY"], "Missing argument 'PICTURES...'"),
        (["grad_cam", "TINY", "PICTURE", "--colour", "red"], "No such option"),
        (["occlusion", "TINY", "PICTURE", "--window", "wide"], "'wide' is not integer"),
        (["grad_cam", "TINY", "PICTURE", "--input-shape", "big"], "'big' is not a shape; write 3,224,224"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_exit_code_2(command, tiny, picture, args, text):
    done = command("run", *({"TINY": tiny, "PICTURE": picture}.get(arg, arg) for arg in args))
    assert done.exit_code == 2
    assert text in done.stderr


def test_a_preset_is_followed_where_no_option_says_otherwise(command, tiny, picture, tmp_path):
    def values(*options):
        done = command("run", "smooth_grad", tiny, picture, *options, "-o", tmp_path / "s.npz")
        assert done.exit_code == 0, done.output
        with np.load(tmp_path / "s.npz") as saved:
            return saved["values"], json.loads(str(saved["record"]))

    image = crosslens.load_image(picture, like=TinyModel())
    found, record = values("--preset", "captum", "--samples", "3")
    expected = crosslens.method("smooth_grad", preset="captum", samples=3)(TinyModel(), image).values
    np.testing.assert_array_equal(found, expected)
    assert (record["parameters"]["samples"], record["parameters"]["statistic"]) == (3, "magnitude")
    assert record["provenance"]["preset"] == "captum"
    assert values()[1]["parameters"]["statistic"] == "mean"


def test_a_methods_page_lists_its_presets(command):
    assert "captum            rectified=False" in command("methods", "grad_cam").stdout
    presets = json.loads(command("methods", "gradient", "--json").stdout)["presets"]
    assert presets["xplique"]["steps"] == ["absolute value", "largest over channels"]
