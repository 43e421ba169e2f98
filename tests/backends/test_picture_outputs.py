"""Networks that give pictures get no preprocessing by default, on any backend; maps of three classes keep theirs."""

import logging

import crosslens
import numpy as np
import pytest
from click.testing import CliRunner
from crosslens.cli import cli
from crosslens.errors import ModelError, ParameterError
from crosslens.execution.notices import forget_notices
from crosslens.model import OUTPUT, InputSpec
from crosslens.model.output.picture_output import could_be_picture

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
nn = torch.nn
X = np.random.default_rng(0).random((1, 3, 16, 16), dtype=np.float32)


class Then(nn.Module):
    """A function of what a network gives, and perhaps of the image."""

    def __init__(self, net, f):
        super().__init__()
        self.net, self.f = net, f

    def forward(self, x):
        return self.f(self.net(x), x)


def convolutions(out=3, channels=3, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, out, 3, padding=1)).eval()


def enlarged(x):
    return nn.functional.interpolate(x, scale_factor=2)


PICTURES = {
    "sigmoid": lambda: nn.Sequential(convolutions(), nn.Sigmoid()),
    "function": lambda: Then(convolutions(), lambda y, x: torch.sigmoid(y)),
    "tanh brought to [0, 1]": lambda: Then(convolutions(), lambda y, x: (torch.tanh(y) + 1) / 2),
    "tanh brought to bytes": lambda: Then(convolutions(), lambda y, x: torch.tanh(y) * 150 + 255 / 2),
    "clip": lambda: Then(convolutions(), lambda y, x: torch.clamp(y, 0, 1)),
    "bytes without an end": lambda: Then(convolutions(), lambda y, x: 120 + 100 * y),
    "residual": lambda: Then(convolutions(), lambda y, x: x + 0.1 * y),
    "twice the size": lambda: Then(
        nn.Sequential(convolutions(12), nn.PixelShuffle(2)), lambda y, x: enlarged(x) + 0.1 * y
    ),
    "half the size": lambda: Then(convolutions(), lambda y, x: nn.functional.avg_pool2d(x + 0.1 * y, 2)),
}
MAPS = {
    "logits": convolutions,
    "softmax": lambda: nn.Sequential(convolutions(), nn.Softmax(1)),
    "four classes": lambda: nn.Sequential(convolutions(4), nn.Sigmoid()),
    "one class": lambda: nn.Sequential(convolutions(1), nn.Sigmoid()),
    "another size": lambda: nn.Sequential(convolutions(), nn.AvgPool2d(5), nn.Sigmoid()),
}


@pytest.fixture(autouse=True)
def told_anew():
    forget_notices()


def wrapped(net, **options):
    return crosslens.wrap(net.eval(), **{"input_shape": (3, 16, 16), **options})


def plain(net, x=X):
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("name", PICTURES)
def test_a_network_that_gives_pictures_gets_the_pixels_as_they_are_and_it_is_told(name, caplog):
    net = PICTURES[name]()
    with caplog.at_level(logging.INFO, "crosslens"):
        model = wrapped(net)
    assert model.output.kind == "image"
    np.testing.assert_allclose(model.forward(X)[OUTPUT], plain(net), rtol=1e-5, atol=1e-5)
    (said,) = [record.message for record in caplog.records]
    assert "preprocess= is not given, and its output is a picture" in said
    assert "none is taken" in said
    assert 'preprocess="imagenet"' in said
    assert not model.takes_default_preprocessing


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_classes_keep_the_default_and_three_of_the_images_size_say_how_they_were_told_apart(name, caplog):
    with caplog.at_level(logging.INFO, "crosslens"):
        model = wrapped(MAPS[name]())
    assert model.output.kind == "maps"
    assert model.takes_default_preprocessing
    (said,) = [record.message for record in caplog.records]
    assert '"imagenet" is taken' in said
    assert ('if it is a picture and not maps of 3 classes, output_kind="image"' in said) == (
        name in {"logits", "softmax"}
    )


def test_what_the_user_says_counts():
    picture, maps = PICTURES["sigmoid"](), MAPS["logits"]()
    assert wrapped(picture, preprocess="imagenet").preprocess == crosslens.PRESETS["imagenet"]
    assert wrapped(picture, preprocess="imagenet").output.kind == "image"
    for said in ({"output_kind": "maps"}, {"labels": ("a", "b", "c")}):
        assert wrapped(picture, **said).takes_default_preprocessing
        assert wrapped(picture, **said).output.kind == "maps"
    told = wrapped(maps, output_kind="image")
    assert told.preprocess.identity
    assert told.output.kind == "image"
    with pytest.raises(ModelError, match="which is maps of another size or number of channels than the image"):
        wrapped(MAPS["four classes"](), output_kind="image")
    with pytest.raises(ModelError, match=r"which is a vector"):
        wrapped(nn.Sequential(nn.Flatten(), nn.Linear(768, 5)), output_kind="image")


def test_a_grey_picture_s_network_needs_no_preprocessing_either_and_other_channels_still_ask_for_one():
    grey = nn.Sequential(convolutions(1, 1), nn.Sigmoid())
    model = wrapped(grey, input_shape=(1, 16, 16))
    np.testing.assert_allclose(model.forward(X[:, :1])[OUTPUT], plain(grey, X[:, :1]), rtol=1e-5)
    assert wrapped(nn.Sequential(convolutions(3, 1), nn.Sigmoid()), input_shape=(1, 16, 16)).output.kind == "image"
    for net in (convolutions(1, 1), nn.Sequential(nn.Flatten(), nn.Linear(256, 5))):
        with pytest.raises(ParameterError, match='preprocess "imagenet" is for 3 channels'):
            wrapped(net, input_shape=(1, 16, 16))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One network, two convolutions and a sigmoid, as a file of each kind."""
    keras = pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("pictures")
    net = PICTURES["sigmoid"]()
    torch.export.save(torch.export.export(net, (torch.from_numpy(X),)), folder / "net.pt2")
    first, second = net[0][0], net[0][2]
    twin = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, padding="same", activation="tanh"),
            keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid"),
        ]
    )
    weights = [v.detach().numpy() for v in (first.weight, first.bias, second.weight, second.bias)]
    twin.set_weights([w.transpose(2, 3, 1, 0) if w.ndim == 4 else w for w in weights])
    twin.save(folder / "net.keras")
    twin.export(folder / "saved", verbose=False)
    w1, b1, w2, b2 = (onnx.numpy_helper.from_array(w, f"w{n}") for n, w in enumerate(weights))
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["x", "w0", "w1"], ["a"], pads=[1] * 4),
        make("Tanh", ["a"], ["b"]),
        make("Conv", ["b", "w2", "w3"], ["c"], pads=[1] * 4),
        make("Sigmoid", ["c"], ["y"]),
    ]
    ends = [onnx.helper.make_tensor_value_info(name, 1, ("n", 3, "h", "w")) for name in "xy"]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], [w1, b1, w2, b2])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "net.onnx")
    return net, twin, folder


@pytest.mark.parametrize("file", ["net.pt2", "net.keras", "saved", "net.onnx", "object"])
def test_files_and_objects_of_all_frameworks_get_none(files, file):
    net, twin, folder = files
    model = crosslens.wrap(twin if file == "object" else folder / file)
    assert model.output.kind == "image"
    np.testing.assert_allclose(np.asarray(model.forward(X)[OUTPUT]), plain(net), rtol=1e-4, atol=1e-5)


def test_the_shell_tells_it_and_takes_both_kinds(files):
    path = str(files[2] / "net.onnx")
    told = CliRunner().invoke(cli, ["doctor", path], prog_name="crosslens")
    assert "preprocess: none (the default: the output is a picture; --preprocess changes it)" in told.stderr
    assert "a picture" in told.stdout
    told = CliRunner().invoke(cli, ["doctor", path, "--output-kind", "maps"], prog_name="crosslens")
    assert "preprocess: imagenet (the default" in told.stderr


def test_shapes_of_pictures():
    spec = InputSpec((3, None, 64))
    assert could_be_picture(spec, (3, None, None))
    assert could_be_picture(spec, (3, 40, 64))
    assert could_be_picture(InputSpec((4, 8, 8)), (4, 16, 16))
    for other, shape in [
        (spec, (3, None, 65)),
        (spec, (4, None, 64)),
        (spec, (1, None, 64)),
        (spec, (3, 64)),
        (InputSpec((3, 8, 8)), (3, 16, 8)),
        (InputSpec.latent((3, 8, 8)), (3, 8, 8)),
        (InputSpec((3, 8, 8, 8)), (3, 8, 8, 8)),
    ]:
        assert not could_be_picture(other, shape)
