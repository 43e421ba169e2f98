"""The commands on the three kinds of file, good and bad, as a user meets them."""

import json
import subprocess
import sys
import warnings
from types import SimpleNamespace

import crosslens as library
import keras
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from crosslens.cli import cli
from PIL import Image


class Net(torch.nn.Module):
    """conv - ReLU - global average pooling - linear, on 16 px."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.act, self.fc = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(self.act(self.conv(x)).mean((2, 3)))


def keras_twin(net):
    """The same network in Keras."""
    image = keras.Input((16, 16, 3))
    maps = keras.layers.ReLU(name="act")(keras.layers.Conv2D(4, 3, padding="same", name="conv")(image))
    output = keras.layers.Dense(5, name="fc")(keras.layers.GlobalAveragePooling2D()(maps))
    twin = keras.Model(image, output)
    conv, fc = net.conv, net.fc
    twin.get_layer("conv").set_weights([conv.weight.detach().permute(2, 3, 1, 0).numpy(), conv.bias.detach().numpy()])
    twin.get_layer("fc").set_weights([fc.weight.detach().T.numpy(), fc.bias.detach().numpy()])
    return twin


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    net = Net().eval()
    example = (torch.zeros(2, 3, 16, 16),)
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    torch.export.save(torch.export.export(net, example, dynamic_shapes=shapes), folder / "net.pt2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            net, example, folder / "net.onnx", dynamo=True, external_data=False, verbose=False, dynamic_shapes=shapes
        )
    keras_twin(net).save(folder / "net.keras")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(folder / "cat.png")
    return SimpleNamespace(
        folder=folder, picture=folder / "cat.png", models=[folder / f"net.{s}" for s in ("pt2", "keras", "onnx")]
    )


def crosslens(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="crosslens")


@pytest.mark.parametrize("kind", ["pt2", "keras", "onnx"])
def test_run_explains_a_picture_by_each_kind_of_file(files, kind, tmp_path):
    out = tmp_path / "cam.png"
    done = crosslens(
        "run", "grad_cam", files.folder / f"net.{kind}", files.picture, "--target", 2, "--preprocess", "unit", "-o", out
    )
    assert done.exit_code == 0, done.output
    with Image.open(out) as picture:
        assert picture.size == (224, 224)


def test_preprocessing_in_numbers_is_typed_as_json(files):
    model = files.folder / "net.onnx"
    wished = {"mean": [0.2, 0.3, 0.4], "std": [0.5, 0.6, 0.7]}
    done = crosslens(
        "run", "gradient", model, files.picture, "--json", "--target", 1, "--preprocess", json.dumps(wished)
    )
    wrapped = library.wrap(model, preprocess=wished)
    score = wrapped.forward(library.load_image(files.picture, like=wrapped))["<output>"][0, 1]
    np.testing.assert_allclose(json.loads(done.stdout)["score"], score, rtol=1e-5)


@pytest.mark.parametrize("command", [["run", "gradient"], ["compare", "gradient"], ["doctor"], ["layers"]])
def test_advice_on_preprocessing_is_spelled_as_an_option_by_each_command(files, command):
    model, many = files.folder / "net.onnx", command[0] == "compare"
    rest = [] if len(command) == 1 else [*([model] if many else []), files.picture]
    done = crosslens(*command, model, *rest, "--preprocess", '{"mean": [0, 0], "std": [1]}')
    assert done.exit_code == 1
    assert "give --preprocess none or" in done.stdout + done.stderr


def test_tensorflow_says_nothing_on_the_command_line(files):
    code = "import sys; from crosslens.cli import main; sys.argv[0] = 'crosslens'; main()"
    arguments = [sys.executable, "-c", code, "layers", str(files.folder / "net.keras"), "--preprocess", "unit"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "conv" in done.stdout
    assert done.stderr == "preprocessing: none (given)\n"


def test_doctor_names_what_to_type_where_images_are_normalised_twice(tmp_path):
    layers = [keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255, name="scale"), keras.layers.Conv2D(2, 3)]
    keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D()]).save(tmp_path / "net.keras")
    done = crosslens("doctor", tmp_path / "net.keras")
    assert done.stdout.count("(layer 'scale') and --preprocess imagenet does too; --preprocess raw255\n") == 1
    assert "does too" not in crosslens("doctor", tmp_path / "net.keras", "--preprocess", "raw255").stdout


def test_compare_finds_the_three_files_alike(files, tmp_path):
    report, figures = tmp_path / "report.html", tmp_path / "figures.json"
    done = crosslens("compare", "grad_cam", *files.models, "--image", files.picture, "-o", report, "-o", figures)
    assert done.exit_code == 0, done.output
    rows = json.loads(figures.read_text())["figures"]
    assert len(rows) == 3
    assert max(row["max_relative_difference"] for row in rows) < 1e-4
    assert "<html" in report.read_text()


@pytest.mark.parametrize("kind", ["pt2", "keras", "onnx"])
def test_a_truncated_file_is_one_clear_line(files, kind, tmp_path):
    broken = tmp_path / f"broken.{kind}"
    broken.write_bytes((files.folder / f"net.{kind}").read_bytes()[:700])
    assert_one_line(crosslens("layers", broken), f"broken.{kind}")


@pytest.mark.parametrize("kind", ["pt2", "keras", "h5", "onnx"])
def test_a_text_file_with_a_models_suffix_is_one_clear_line(kind, tmp_path):
    text = tmp_path / f"text.{kind}"
    text.write_text("these are not the weights you are looking for")
    assert_one_line(crosslens("layers", text), f"text.{kind}")


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path):
    assert_one_line(crosslens("layers", tmp_path / "none.onnx"), "the file does not exist")


@pytest.mark.parametrize("kind", ["pt2", "keras", "onnx"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", "akt"], "no layer 'akt' in this model"),
        (["--layer", "fc"], r"not maps (N, C, H, W)"),
        (["--target", "5"], "target 5 is out of range; this model has 5 classes, 0 to 4"),
        (["--target", "tabby"], "this model has no labels"),
        (["--preprocess", "imagnet"], "Did you mean 'imagenet'"),
    ],
)
def test_wrong_options_are_one_clear_line_on_each_backend(files, kind, options, message):
    done = crosslens("run", "grad_cam", files.folder / f"net.{kind}", files.picture, *options)
    assert_one_line(done, message)


def test_a_picture_that_is_none_is_one_clear_line(files):
    assert_one_line(
        crosslens("run", "gradient", files.models[2], files.models[1]), "is not a picture that Pillow can read"
    )


@pytest.mark.parametrize("kind", ["pt2", "keras", "onnx"])
def test_an_output_that_is_no_vector_of_classes_is_one_clear_line(files, kind, tmp_path):
    path = tmp_path / f"maps.{kind}"
    maps = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1)).eval()
    example = (torch.zeros(2, 3, 16, 16),)
    if kind == "pt2":
        torch.export.save(torch.export.export(maps, example), path)
    elif kind == "onnx":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations
            torch.onnx.export(maps, example, path, dynamo=True, external_data=False, verbose=False)
    else:
        keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3)]).save(path)
    assert_one_line(crosslens("run", "gradient", path, files.picture), "not (N, classes)")


def assert_one_line(done, message):
    assert done.exit_code == 1, done.output
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, done.stderr
    assert message in errors[0]
    assert "Traceback" not in done.output


class Heads(Net):
    """Two answers about the same maps: five classes, or three."""

    def __init__(self):
        super().__init__()
        self.second = torch.nn.Linear(4, 3)

    def forward(self, x):
        pooled = self.act(self.conv(x)).mean((2, 3))
        return self.fc(pooled), self.second(pooled)


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """One network of two outputs as three files, and the torch module."""
    folder = tmp_path_factory.mktemp("heads")
    net = Heads().eval()
    example = (torch.zeros(2, 3, 16, 16),)
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    torch.export.save(torch.export.export(net, example, dynamic_shapes=shapes), folder / "net.pt2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            net, example, folder / "net.onnx", dynamo=True, external_data=False, verbose=False, dynamic_shapes=shapes,
            output_names=["five", "three"],
        )  # fmt: skip
    one = keras_twin(net)
    pooled = one.get_layer("fc").input
    two = keras.Model(one.input, [one.output, keras.layers.Dense(3, name="second")(pooled)])
    second = net.second
    two.get_layer("second").set_weights([second.weight.detach().T.numpy(), second.bias.detach().numpy()])
    two.save(folder / "net.keras")
    return SimpleNamespace(folder=folder, net=net)


@pytest.mark.parametrize("kind", ["pt2", "keras", "onnx"])
@pytest.mark.parametrize(("output", "target"), [(0, 4), (1, 2)])
def test_run_explains_the_output_that_is_asked_for(heads, files, kind, output, target, tmp_path):
    out = tmp_path / "gradient.npz"
    file = heads.folder / f"net.{kind}"
    options = ["--preprocess", "unit", "--output", output, "--target", target, "-o", out]
    done = crosslens("run", "gradient", file, files.picture, *options)
    assert done.exit_code == 0, done.output
    with np.load(out) as saved:
        x = torch.from_numpy(saved["images"]).requires_grad_()
        heads.net(x)[output][0, target].backward()
        np.testing.assert_allclose(saved["values"], x.grad.numpy(), rtol=1e-4, atol=1e-7)


def test_an_output_may_be_named(heads, files):
    options = ["--preprocess", "unit", "--target", 2, "--json"]
    done = crosslens("run", "gradient", heads.folder / "net.onnx", files.picture, "--output", "three", *options)
    assert json.loads(done.stdout)["target"]["class"] == 2
    wrong = crosslens("run", "gradient", heads.folder / "net.onnx", files.picture, "--output", "tree", *options)
    assert_one_line(wrong, "it has five, three, and tensors inside can be named too. Did you mean 'three'?")


@pytest.mark.parametrize("kind", ["pt2", "keras", "onnx"])
@pytest.mark.parametrize(("options", "message"), [([], "2 outputs"), (["--output", "2"], "output")])
def test_several_outputs_ask_for_one_of_them(heads, files, kind, options, message):
    done = crosslens("run", "gradient", heads.folder / f"net.{kind}", files.picture, *options)
    assert_one_line(done, message)
    assert "2" in done.stderr


def test_compare_asks_each_network_for_the_same_output(heads, files, tmp_path):
    figures = tmp_path / "figures.json"
    networks = [heads.folder / f"net.{kind}" for kind in ("pt2", "keras", "onnx")]
    options = ["--image", files.picture, "--preprocess", "unit", "--output", 1, "-o", figures]
    done = crosslens("compare", "gradient", *networks, *options, "--fail-over", "relative_l2=1e-4")
    assert done.exit_code == 0, done.output
    found = json.loads(figures.read_text())
    assert len(found["figures"]) == 3
    assert all(len(p["class"]) == 1 and p["class"][0] < 3 for p in found["predictions"])
