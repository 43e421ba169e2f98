"""Layers given as the framework's own objects: the module or Keras layer means what its name means."""

import copy

import crosslens
import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.objective import channel, logit

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch.onnx", "ignore:.*ONNX export:DeprecationWarning"
)
IMAGES = np.random.default_rng(0).random((2, 3, 16, 16), dtype=np.float32)
SHAPE = (3, 16, 16)


@pytest.fixture(scope="module")
def net():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = torch.nn.Conv2d(3, 4, 3, padding=1)
            self.conv2 = torch.nn.Conv2d(4, 4, 3, padding=1)
            self.relu = torch.nn.ReLU()
            self.block = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 1), torch.nn.ReLU())
            self.fc = torch.nn.Linear(4, 5)
            self.unused = torch.nn.Linear(2, 2)

        def forward(self, x):
            x = self.block(self.relu(self.conv2(self.relu(self.conv1(x)))))
            return self.fc(x.mean((2, 3)))

    return Net().eval()


@pytest.fixture(scope="module")
def model(net):
    return crosslens.wrap(net, input_shape=SHAPE)


def test_a_module_is_its_layer_in_methods_and_results_record_the_name(net, model):
    by_object = crosslens.method("grad_cam", layer=net.conv2)(model, IMAGES, 1)
    by_name = crosslens.method("grad_cam", layer="conv2")(model, IMAGES, 1)
    np.testing.assert_array_equal(by_object.values, by_name.values)
    assert by_object.parameters["layer"] == "conv2"
    assert by_object.provenance["layers"] == ["conv2"]
    assert not by_object.provenance["default_layer"]
    assert crosslens.method("grad_cam", layer=net.conv2) == crosslens.method("grad_cam", layer=net.conv2)


def test_modules_are_layers_of_objectives(net, model):
    found = crosslens.method("gradient")(model, IMAGES, channel(net.conv2, 1) - 2 * logit(1))
    named = crosslens.method("gradient")(model, IMAGES, channel("conv2", 1) - 2 * logit(1))
    np.testing.assert_array_equal(found.values, named.values)
    assert found.provenance["objective"] == named.provenance["objective"] == "channel('conv2', 1) + -2 * logit(1)"


def test_several_layers_are_a_list_of_modules(net, model):
    picture = IMAGES[:1]
    textures = [
        crosslens.method("texture_synthesis", texture_layers=layers, steps=1)(model, picture)
        for layers in ([net.conv1, "conv2"], ["conv1", "conv2"])
    ]
    assert textures[0].provenance["layers"] == textures[1].provenance["layers"] == ["conv1", "conv2"]


def test_the_contract_takes_modules_wherever_it_takes_names(net, model):
    by_name = model.forward(IMAGES, ["conv2", "fc"])
    by_object = model.forward(IMAGES, [net.conv2, net.fc])
    np.testing.assert_array_equal(by_object[net.conv2], by_name["conv2"])
    replaced = model.forward(IMAGES, replace={net.conv2: by_name["conv2"] * 2})
    np.testing.assert_array_equal(
        replaced["<output>"], model.forward(IMAGES, replace={"conv2": by_name["conv2"] * 2})["<output>"]
    )
    seeds = np.ones_like(by_name["fc"])
    pull = model.vjp(IMAGES, {net.fc: seeds}, wrt=[net.conv2], capture=[net.conv1])
    expected = model.vjp(IMAGES, {"fc": seeds}, wrt=["conv2"])
    np.testing.assert_array_equal(pull.gradients[net.conv2], expected.gradients["conv2"])
    with model.linearize(IMAGES, [net.fc], wrt=[net.conv2]) as at:
        np.testing.assert_array_equal(at.vjp({net.fc: seeds})[net.conv2], expected.gradients["conv2"])
    assert model.layer_name(net.block) == model.layer(net.block).name == "block"
    assert model.weights(net.conv1)["kernel"].shape == (4, 3, 3, 3)


def test_a_changed_copy_of_the_model_knows_the_modules_too(net, model):
    changed = model.randomised([net.fc], 0)
    named = model.randomised(["fc"], 0)
    assert changed.layer_name(net.conv2) == "conv2"
    np.testing.assert_array_equal(changed.forward(IMAGES)["<output>"], named.forward(IMAGES)["<output>"])
    assert model.modified(relu="guided").layer_name(net.conv2) == "conv2"


def test_a_module_of_one_model_is_translated_in_compare(net, model, tmp_path):
    import torch

    pytest.importorskip("onnxruntime")
    path = tmp_path / "net.onnx"
    torch.onnx.export(net, torch.zeros(2, *SHAPE), path, dynamo=False)
    onnx = crosslens.wrap(path)
    models = {"onnx": onnx, "torch": model}
    made = crosslens.compare(models, crosslens.method("grad_cam", layer=net.conv2), IMAGES, channel(net.block, 2))
    (layer,) = made.results["grad_cam", "onnx"].provenance["layers"]
    found = onnx.forward(IMAGES, [layer])[layer]
    np.testing.assert_allclose(found, model.forward(IMAGES, ["conv2"])["conv2"], rtol=1e-3, atol=1e-5)
    assert made.rows()[0]["relative_l2"] < 1e-4
    with pytest.raises(LayerError, match=r"a torch\.nn\..*Conv2d is no part of the network that this model \(onnx\)"):
        crosslens.method("grad_cam", layer=net.conv2)(onnx, IMAGES, 1)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda net: net.relu, r"ReLU runs 2 times in this network; name one of 'relu', 'relu#2'"),
        (lambda net: net.unused, r"Linear of this network is no layer: it does not run, or"),
        (
            lambda net: copy.deepcopy(net).conv2,
            r"Conv2d is no part of the network .* \(torch\) wraps; .* not of a copy",
        ),
    ],
)
def test_what_is_not_one_layer_is_refused(net, model, part, message):
    for call in (
        lambda: crosslens.method("grad_cam", layer=part(net))(model, IMAGES, 1),
        lambda: model.forward(IMAGES, [part(net)]),
        lambda: crosslens.method("gradient")(model, IMAGES, channel(part(net), 1)),
    ):
        with pytest.raises(LayerError, match=message):
            call()


def test_one_object_is_no_list_of_layers(net, model):
    for one in (net.conv2, net.block):
        with pytest.raises(LayerError, match=r"a list of names, not as one object: \[layer\]"):
            model.forward(IMAGES, one)


def test_compiled_and_parallel_networks_know_the_modules_inside(net):
    import torch

    parallel = crosslens.wrap(torch.nn.DataParallel(net), input_shape=SHAPE)
    assert parallel.layer_name(net.conv2) == "module.conv2"
    assert crosslens.wrap(torch.compile(net, backend="eager"), input_shape=SHAPE).layer_name(net.conv2) == "conv2"


def test_keras_layers_and_functional_tensors_are_layers():
    pytest.importorskip("tensorflow")
    import keras

    image = keras.Input((16, 16, 3))
    first, shared = keras.layers.Conv2D(4, 3, name="first", activation="relu"), keras.layers.ReLU(name="shared")
    maps = shared(keras.layers.Conv2D(4, 3, name="second")(first(image)))
    negated = keras.ops.negative(maps)
    net = keras.Model(image, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(shared(negated))))
    model = crosslens.wrap(net)
    second = net.get_layer("second")
    assert model.layer_name(second) == model.layer_name(second.output) == "second"
    assert model.layer_name(negated) == "negative"
    assert crosslens.method("grad_cam", layer=first)(model, IMAGES, 1).parameters["layer"] == "first"
    assert model.forward(IMAGES, [negated])[negated].shape == (2, 4, 12, 12)
    with pytest.raises(LayerError, match=r"ReLU runs 2 times in this network; name one of 'shared', 'shared#2'"):
        model.layer_name(shared)
    with pytest.raises(LayerError, match=r"Conv2D is no part of the network that this model \(tensorflow\) wraps"):
        model.layer_name(keras.layers.Conv2D(4, 3))
