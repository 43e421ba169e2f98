"""What an output means is one thing on three frameworks: small networks of the same weights with every usual end."""

from functools import cache

import crosslens
import numpy as np
import pytest
from crosslens.comparison.compare import compare
from crosslens.errors import LayerError, ModelError, TargetError
from crosslens.objective import logit, output, probability
from crosslens.objective.target import resolve_target

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(0, 0.4, (4, 3, 3, 3)).astype(np.float32)
HEADS = {k: RNG.normal(0, 2.0, (k, 4)).astype(np.float32) for k in (1, 5)}
IMAGES = RNG.random((2, 3, 8, 8)).astype(np.float32)
BACKENDS = ("torch", "keras", "onnx")
ENDS = ("plain", "softmax", "log_softmax", "sigmoid")


def torch_net(end, classes, bias, flat=False):
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act, self.fc = nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Linear(4, classes)
            self.conv.weight.data = torch.from_numpy(KERNEL)
            self.fc.weight.data, self.fc.bias.data = torch.from_numpy(HEADS[classes]), torch.full((classes,), bias)

        def forward(self, x):
            y = self.fc(self.act(self.conv(x)).mean((2, 3)))
            y = {
                "plain": lambda: y,
                "softmax": lambda: torch.softmax(y, 1),
                "log_softmax": lambda: nn.functional.log_softmax(y, 1),
                "sigmoid": lambda: torch.sigmoid(y),
                "log_sigmoid": lambda: nn.functional.logsigmoid(y),
            }[end]()
            return y.squeeze(1) if flat else y

    return Net().eval()


def keras_net(end, classes, bias, flat=False):
    import keras
    from keras import layers

    x = keras.Input((8, 8, 3))
    y = layers.Activation("relu", name="act")(layers.Conv2D(4, 3, use_bias=False, name="conv")(x))
    y = layers.Dense(classes, name="fc")(layers.GlobalAveragePooling2D()(y))
    y = y if end == "plain" else layers.Activation(end, name="end")(y)
    net = keras.Model(x, layers.Reshape(())(y) if flat else y)
    net.get_layer("conv").set_weights([KERNEL.transpose(2, 3, 1, 0)])
    net.get_layer("fc").set_weights([HEADS[classes].T, np.full(classes, bias, np.float32)])
    return net


def onnx_net(end, classes, bias, flat=False):
    from onnx import TensorProto, helper, numpy_helper

    steps = [("Conv", ["image", "kernel"], "conv"), ("Relu", ["conv"], "act"), ("GlobalAveragePool", ["act"], "pool")]
    steps += [("Flatten", ["pool"], "flat"), ("Gemm", ["flat", "head", "bias"], "fc")]
    kinds = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "sigmoid": "Sigmoid"}
    steps += [(kinds[end], ["fc"], "end")] if end in kinds else []
    steps += [("Sigmoid", ["fc"], "shares"), ("Log", ["shares"], "end")] if end == "log_sigmoid" else []
    steps += [("Squeeze", [steps[-1][2], "one"], "squeezed")] if flat else []
    nodes = [helper.make_node(op, reads, [out], name=out) for op, reads, out in steps]
    nodes[4].attribute.append(helper.make_attribute("transB", 1))
    ends = [("image", ["N", 3, 8, 8]), (steps[-1][2], ["N"] if flat else ["N", classes])]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    weights = {"kernel": KERNEL, "head": HEADS[classes], "bias": np.full(classes, bias, np.float32)}
    weights |= {"one": np.array([1])} if flat else {}
    initial = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


NETS = {"torch": torch_net, "keras": keras_net, "onnx": onnx_net}


@cache
def model(backend, end="plain", classes=5, bias=0.0, flat=False, **options):
    net = NETS[backend](end, classes, np.float32(bias), flat)
    return crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8), **options)


def by_hand(classes, bias=0.0):
    """Logits, one position after the other."""
    kernel, maps = KERNEL.astype(float), np.zeros((2, 4, 6, 6))
    for y in range(6):
        for x in range(6):
            maps[:, :, y, x] = np.einsum("nchw,kchw->nk", IMAGES[:, :, y : y + 3, x : x + 3].astype(float), kernel)
    return np.maximum(maps, 0).mean((2, 3)) @ HEADS[classes].T.astype(float) + bias


def softmax(z):
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


def scores(net, target):
    return crosslens.method("gradient")(net, IMAGES, target).scores


@pytest.mark.parametrize(
    ("end", "classes", "kind"),
    [
        ("plain", 5, "logits"),
        ("softmax", 5, "probabilities"),
        ("log_softmax", 5, "log_probabilities"),
        ("sigmoid", 5, "independent"),
        ("sigmoid", 1, "independent"),
        ("plain", 1, "score"),
    ],
)
def test_the_end_of_a_network_says_what_its_output_is(backend, end, classes, kind):
    spec = model(backend, end, classes).output
    assert (spec.kind, spec.before) == (kind, None if end == "plain" else "fc")
    assert spec.binary == (end == "sigmoid" and classes == 1)


def test_a_logarithm_of_a_sigmoid_is_no_logit_of_a_softmax(backend):
    net, z = model(backend, "log_sigmoid", 5), by_hand(5)
    assert (net.output.kind, net.output.before) == ("log_probabilities", "fc")
    np.testing.assert_allclose(scores(net, probability(3)), sigmoid(z)[:, 3], rtol=1e-5)
    np.testing.assert_allclose(scores(net, 2), z[:, 2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("end", ENDS)
def test_a_class_means_its_logit_whatever_the_network_ends_in(backend, end):
    z = by_hand(5)
    net = model(backend, end)
    found = crosslens.method("gradient")(net, IMAGES, 2)
    np.testing.assert_allclose(found.scores, z[:, 2], rtol=1e-5, atol=1e-6)
    plain = crosslens.method("gradient")(model(backend), IMAGES, 2)
    np.testing.assert_allclose(found.values, plain.values, rtol=1e-4, atol=1e-6)
    assert found.notes == ()
    place = {"plain": "", "log_softmax": " at 'fc' (before the log softmax)"}.get(end, f" at 'fc' (before the {end})")
    assert found.provenance["objective"] == f"logit(2){place}"
    np.testing.assert_allclose(scores(net, None), z.max(1), rtol=1e-5)


@pytest.mark.parametrize("end", ENDS)
def test_a_probability_is_no_softmax_of_what_is_no_logit(backend, end):
    z = by_hand(5)
    expected = sigmoid(z) if end == "sigmoid" else softmax(z)
    np.testing.assert_allclose(scores(model(backend, end), probability(3)), expected[:, 3], rtol=1e-5)
    raw = {"plain": z, "log_softmax": np.log(softmax(z))}.get(end, expected)
    np.testing.assert_allclose(scores(model(backend, end), output(3)), raw[:, 3], rtol=1e-5)


def test_one_sigmoid_has_a_positive_and_a_negative_class(backend):
    net, z = model(backend, "sigmoid", 1, -3.0), by_hand(1, -3.0)[:, 0]
    for target, expected in [(1, z), (0, -z), ("positive", z), ("negative", -z), (None, z)]:
        np.testing.assert_allclose(scores(net, target), expected, rtol=1e-5)
    for target, expected in [(1, sigmoid(z)), (0, sigmoid(-z))]:
        np.testing.assert_allclose(scores(net, probability(target)), expected, rtol=1e-5)
    slopes = [crosslens.method("gradient")(net, IMAGES, f"probability:{k}").values for k in (0, 1)]
    assert np.abs(slopes[0]).max() > 0
    np.testing.assert_allclose(slopes[0], -slopes[1], rtol=1e-5)
    with pytest.raises(TargetError, match=r"target 2 is out of range; this model has 2 classes, 0 \(negative\) and 1"):
        scores(net, 2)


@pytest.mark.parametrize(("end", "kind"), [("sigmoid", "independent"), ("plain", "score")])
def test_one_number_for_each_image_is_taken_as_a_row_of_one(backend, end, kind):
    net, rows = model(backend, end, 1, flat=True), model(backend, end, 1)
    assert (net.layers[crosslens.OUTPUT].shape, net.output.kind) == ((None, 1), kind)
    np.testing.assert_allclose(net.forward(IMAGES)[crosslens.OUTPUT], rows.forward(IMAGES)[crosslens.OUTPUT], rtol=1e-5)
    for name in ("gradient", "grad_cam", "occlusion"):
        options = {"window": 4, "stride": 4} if name == "occlusion" else {}
        found, same = (crosslens.method(name, **options)(each, IMAGES) for each in (net, rows))
        np.testing.assert_allclose(found.values, same.values, rtol=1e-4, atol=1e-6)


def test_two_labels_or_one_name_the_classes_of_one_sigmoid(backend):
    z = by_hand(1)[:, 0]
    two = model(backend, "sigmoid", 1, labels=("benign", "malignant"))
    np.testing.assert_allclose(scores(two, "benign"), -z, rtol=1e-5)
    one = model(backend, "sigmoid", 1, labels=("tumour",))
    np.testing.assert_allclose(scores(one, "tumour"), z, rtol=1e-5)
    np.testing.assert_allclose(scores(one, "not tumour"), -z, rtol=1e-5)
    with pytest.raises(ModelError, match=r"3 labels for a model of 1 classes; .* two for one number"):
        model(backend, "sigmoid", 1, labels=("a", "b", "c"))


@pytest.mark.parametrize("name", ["insertion", "deletion"])
def test_a_curve_of_one_sigmoid_follows_its_probability(backend, name):
    net, p = model(backend, "sigmoid", 1, -3.0), sigmoid(by_hand(1, -3.0)[:, 0])
    found = crosslens.method(name, method="gradient", steps=4)(net, IMAGES)
    whole = found.values[:, 0, -1 if name == "insertion" else 0]
    np.testing.assert_allclose(whole, p, rtol=1e-4)
    assert found.series == ("probability",)


def test_a_regression_has_a_number_and_no_probability(backend):
    net, z = model(backend, "plain", 1, 0.7), by_hand(1, 0.7)[:, 0]
    for target in (None, 0, logit(0)):
        np.testing.assert_allclose(scores(net, target), z, rtol=1e-5)
    assert crosslens.method("gradient")(net, IMAGES).provenance["objective"] == "score"
    with pytest.raises(TargetError, match=r"one score, not a probability.*output_kind='logits'"):
        scores(net, probability(0))
    with pytest.raises(TargetError, match="target 1 is out of range; this model gives 1 score, target 0"):
        scores(net, 1)
    curve = crosslens.method("insertion", method="gradient", steps=4)(net, IMAGES)
    np.testing.assert_allclose(curve.values[:, 0, -1], z, rtol=1e-4)


def test_one_logit_of_two_classes_is_taken_for_one_where_the_user_says_so(backend):
    z = by_hand(1)[:, 0]
    for options in ({"output_kind": "logits"}, {"labels": ("benign", "malignant")}):
        net = model(backend, "plain", 1, **options)
        np.testing.assert_allclose(scores(net, 0), -z, rtol=1e-5)
        np.testing.assert_allclose(scores(net, probability(1)), sigmoid(z), rtol=1e-5)


@pytest.mark.parametrize(("end", "classes", "bias"), [("sigmoid", 1, -3.0), ("plain", 1, 0.7), ("softmax", 5, 0.0)])
def test_the_negation_of_a_network_does_not_compare_as_equal(backend, end, classes, bias):
    net = model(backend, end, classes, bias)
    changed = {"fc": {name: -values for name, values in net.weights("fc").items()}}
    found = compare([net, net._with_weights(changed)], crosslens.method("grad_cam"), IMAGES)
    assert found.predicted[0]["same_class"] == 0
    difference = found.predicted[0]["score_difference" if end == "plain" else "probability_difference"]
    z = by_hand(classes, bias)
    shares = {"plain": lambda z: z, "softmax": softmax, "sigmoid": lambda z: np.hstack([sigmoid(-z), sigmoid(z)])}[end]
    rows, best = [0, 1], shares(z).argmax(1)
    np.testing.assert_allclose(difference, np.abs(shares(z) - shares(-z))[rows, best].max(), rtol=1e-4)


@pytest.mark.parametrize(
    ("end", "classes", "kind", "message"),
    [
        ("plain", 5, "probabilities", "which no softmax gives"),
        ("plain", 5, "independent", "which no sigmoid gives"),
        ("softmax", 5, "logits", "the network ends in a softmax"),
        ("sigmoid", 1, "logits", "the network ends in a sigmoid"),
        ("plain", 5, "maps", r"the output has shape \(None, 5\), which is a vector"),
        ("plain", 5, "logit", "no output kind 'logit'.* Did you mean 'logits'"),
    ],
)
def test_an_output_kind_that_cannot_be_is_refused(backend, end, classes, kind, message):
    with pytest.raises(ModelError, match=message):
        model(backend, end, classes, output_kind=kind)


def test_several_scores_have_no_predicted_class(backend):
    net = model(backend, output_kind="score")
    with pytest.raises(TargetError, match="this network gives 5 scores and predicts no class; give target=0 to 4"):
        scores(net, None)
    np.testing.assert_allclose(scores(net, 3), by_hand(5)[:, 3], rtol=1e-5)


def test_a_preset_explains_what_the_network_gives_as_its_library_does(backend):
    found = crosslens.method("gradient", preset="captum")(model(backend, "softmax"), IMAGES, 2)
    np.testing.assert_allclose(found.scores, softmax(by_hand(5))[:, 2], rtol=1e-5)
    assert found.provenance["objective"] == "output(2)"


def test_an_objective_knows_its_derivative_in_every_unit(backend):
    """Central differences of the value, along one direction and so near that no unit's sign changes."""
    step = 1e-3 * np.sign(np.random.default_rng(5).standard_normal(IMAGES.shape)).astype(np.float32)
    for end, classes in [("softmax", 5), ("log_softmax", 5), ("sigmoid", 5), ("sigmoid", 1)]:
        net = model(backend, end, classes)
        for target in ("probability:0", "0", "output:0"):
            objective = resolve_target(target, net, 2)
            ends = [objective.value(net.forward(IMAGES + s * step, objective.layers)) for s in (1, -1)]
            slope = (crosslens.method("gradient")(net, IMAGES, target).values * step).sum((1, 2, 3))
            np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2, rtol=1e-2, atol=5e-6)


MAPS = RNG.normal(0, 1.0, (3, 4, 1, 1)).astype(np.float32)


def torch_maps(end):
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act, self.head = nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 3, 1, bias=False)
            self.conv.weight.data, self.head.weight.data = torch.from_numpy(KERNEL), torch.from_numpy(MAPS)

        def forward(self, x):
            y = self.head(self.act(self.conv(x)))
            return {"maps": y, "softmax maps": torch.softmax(y, 1), "tokens": y.flatten(2).transpose(1, 2)}[end]

    return Net().eval()


def keras_maps(end):
    import keras
    from keras import layers

    x = keras.Input((8, 8, 3))
    y = layers.Activation("relu", name="act")(layers.Conv2D(4, 3, use_bias=False, name="conv")(x))
    y = layers.Conv2D(3, 1, use_bias=False, name="head")(y)
    y = {"maps": lambda y: y, "softmax maps": layers.Softmax(axis=-1), "tokens": layers.Reshape((36, 3))}[end](y)
    net = keras.Model(x, y)
    net.get_layer("conv").set_weights([KERNEL.transpose(2, 3, 1, 0)])
    net.get_layer("head").set_weights([MAPS.transpose(2, 3, 1, 0)])
    return net


def onnx_maps(end):
    from onnx import TensorProto, helper, numpy_helper

    steps = [("Conv", ["image", "kernel"], "conv"), ("Relu", ["conv"], "act"), ("Conv", ["act", "one"], "head")]
    steps += {
        "maps": [],
        "softmax maps": [("Softmax", ["head"], "end")],
        "tokens": [("Reshape", ["head", "shape"], "flat"), ("Transpose", ["flat"], "end")],
    }[end]
    nodes = [helper.make_node(op, reads, [out], name=out) for op, reads, out in steps]
    attribute = {"softmax maps": ("axis", 1), "tokens": ("perm", [0, 2, 1])}.get(end)
    nodes[-1].attribute.extend([helper.make_attribute(*attribute)] if attribute else [])
    shape = ["N", 36, 3] if end == "tokens" else ["N", 3, 6, 6]
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in [("image", ["N", 3, 8, 8]), (steps[-1][2], shape)]
    ]
    weights = {"kernel": KERNEL, "one": MAPS, "shape": np.array([0, 3, 36])}
    initial = [
        numpy_helper.from_array(values, name) for name, values in weights.items() if name != "shape" or attribute
    ]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@cache
def maps_model(backend, end):
    net = {"torch": torch_maps, "keras": keras_maps, "onnx": onnx_maps}[backend](end)
    return crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8))


def maps_by_hand():
    """The maps of logits (N, 3, 6, 6), one position after the other."""
    kernel, found = KERNEL.astype(float), np.zeros((2, 3, 6, 6))
    for y in range(6):
        for x in range(6):
            inside = np.einsum("nchw,kchw->nk", IMAGES[:, :, y : y + 3, x : x + 3].astype(float), kernel)
            found[:, :, y, x] = np.maximum(inside, 0) @ MAPS[:, :, 0, 0].T.astype(float)
    return found


@pytest.mark.parametrize(
    ("end", "kind", "activation"),
    [("maps", "maps", None), ("softmax maps", "maps", "softmax"), ("tokens", "tensor", None)],
)
def test_maps_and_tokens_are_what_they_are(backend, end, kind, activation):
    spec = maps_model(backend, end).output
    assert (spec.kind, spec.activation, spec.before is None) == (kind, activation, activation is None)


@pytest.mark.parametrize("end", ["maps", "softmax maps"])
def test_a_mask_and_a_box_add_up_the_logits_of_a_class(backend, end, tmp_path):
    net, z = maps_model(backend, end), maps_by_hand()
    mask = RNG.random((6, 6)).round(2)
    np.save(tmp_path / "m.npy", mask)
    found = scores(net, f"mask:{tmp_path / 'm.npy'}:2")
    np.testing.assert_allclose(found, (z[:, 2] * mask).sum((1, 2)), rtol=1e-4, atol=1e-5)
    found = scores(net, "box:0:4:8:8:1")
    np.testing.assert_allclose(found, z[:, 1, 3:].sum((1, 2)), rtol=1e-4, atol=1e-5)
    with pytest.raises(TargetError, match="class 3 is out of range; this model's maps have 3 classes, 0 to 2"):
        scores(net, "box:0:4:8:8:3")
    with pytest.raises(ModelError, match=r"not \(N, classes\).* 'neuron:<output>:CLASS:Y:X', a painted region"):
        scores(net, None)
    slope = crosslens.method("gradient")(net, IMAGES, "box:0:0:1:1:1").values
    assert np.abs(slope[:, :, :3, :3]).max() > 0
    assert not slope[:, :, 4:].any()
    assert crosslens.method("occlusion", window=4, stride=4)(net, IMAGES, "box:0:4:8:8:1").values.any()


def test_one_score_of_tokens_is_a_unit_at_a_position(backend):
    net, z = maps_model(backend, "tokens"), maps_by_hand()
    np.testing.assert_allclose(scores(net, "neuron:<output>:2:7"), z[:, 2, 1, 1], rtol=1e-4, atol=1e-5)
    with pytest.raises(
        LayerError, match=r"position \(36,\) is out of range; layer '<output>' has positions .* 0 to 35"
    ):
        scores(net, "neuron:<output>:2:36")
    with pytest.raises(ModelError, match=r"one score, 'neuron:<output>:UNIT:POSITION'"):
        scores(net, 1)


def test_maps_compare_with_a_target(backend):
    net = maps_model(backend, "maps")
    found = compare([net, net], crosslens.method("gradient"), IMAGES, "box:0:4:8:8:1")
    assert found.images[0]["relative_l2"] < 1e-6
    assert found.predictions == ()
