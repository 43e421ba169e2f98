"""TorchModel against autograd written by hand, on networks that trip naive hooks."""

import threading
from collections import namedtuple

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.errors import ImageError, LayerError, ModelError
from crosslens.model import InputSpec
from torch import nn
from torch.nn import functional

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


class Residual(nn.Module):
    """What breaks naive hooks: in-place ReLU after a layer, used twice, in-place sum, functional ReLU, Identity."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 2, padding=1, bias=False), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.shortcut = nn.Conv2d(4, 4, 3, padding=1), nn.Identity()
        self.tail = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.SiLU())
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(6, 5)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.conv2(x)
        y += self.shortcut(x)
        x = functional.relu(self.tail(self.relu(y)))
        return self.fc(self.drop(x.mean((2, 3))))

    def by_hand(self, x):
        """The same without modules' calls, without in-place: every layer's output, and the output."""
        found = {}
        found["conv1"] = x = functional.conv2d(x, self.conv1.weight, None, 2, 1)
        b = self.bn1
        found["bn1"] = x = (x - b.running_mean[:, None, None]) / torch.sqrt(b.running_var[:, None, None] + b.eps)
        found["relu"] = x = torch.clamp(x, min=0)
        found["conv2"] = y = functional.conv2d(x, self.conv2.weight, self.conv2.bias, 1, 1)
        found["shortcut"] = s = x * 1
        found["/add"] = y + s
        found["relu#2"] = x = torch.clamp(found["/add"], min=0)
        found["tail.0"] = x = functional.conv2d(x, self.tail[0].weight, self.tail[0].bias, 1, 1)
        found["tail.1"] = found["tail"] = x = x * torch.sigmoid(x)
        found["/relu"] = torch.clamp(x, min=0)
        found["/mean"] = found["/relu"].mean((2, 3))
        found["drop"] = x = found["/mean"] * 1
        found["fc"] = found[OUTPUT] = x @ self.fc.weight.T + self.fc.bias
        return found


LAYERS = ["conv1", "bn1", "relu", "conv2", "shortcut", "/add", "relu#2", "tail.0", "tail.1", "tail"]
LAYERS += ["/relu", "/mean", "drop", "fc"]


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Residual()
    net.bn1.running_mean.uniform_(-0.5, 0.5)
    return net.eval()


@pytest.fixture
def images():
    return np.random.default_rng(0).random((3, 3, 20, 16), np.float32)


def by_hand(net, images, cotangents, wrt):
    """Activations and gradients with autograd alone, on a network without hooks or in-place operations."""
    x = torch.from_numpy(images).requires_grad_()
    found = {INPUT: x, **net.by_hand((x - MEAN) / STD)}
    total = sum((found[name] * torch.from_numpy(c)).sum() for name, c in cotangents.items())
    gradients = torch.autograd.grad(total, [found[name] for name in wrt], allow_unused=True)
    zero = [torch.zeros_like(found[name]) if g is None else g for name, g in zip(wrt, gradients, strict=True)]
    return {name: a.detach().numpy() for name, a in found.items()}, dict(
        zip(wrt, (g.numpy() for g in zero), strict=True)
    )


def close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def cotangents_at(net, images, *names):
    rng = np.random.default_rng(1)
    shapes = {name: a.shape for name, a in net.by_hand(torch.from_numpy(images)).items()}
    return {name: rng.standard_normal(shapes[name]).astype(np.float32) for name in names}


def test_layers_are_in_the_order_in_which_they_finish_and_repeats_are_numbered(net):
    assert list(crosslens.wrap(net).layers) == [INPUT, *LAYERS, OUTPUT]


def test_activations_are_those_before_what_overwrites_them(net, images):
    expected, _ = by_hand(net, images, cotangents_at(net, images, OUTPUT), [INPUT])
    got = crosslens.wrap(net).forward(images, [*LAYERS, OUTPUT])
    for name, activation in got.items():
        close(activation, expected[name])


@pytest.mark.parametrize("fused", [True, False])
def test_gradients_at_every_layer_are_those_of_autograd_by_hand(net, images, fused):
    cotangents = cotangents_at(net, images, OUTPUT, "conv2", "relu")
    _, expected = by_hand(net, images, cotangents, [INPUT, *(name for name in LAYERS if name not in {"tail", "fc"})])
    model = crosslens.wrap(net)
    if fused:
        got = model.vjp(images, cotangents, wrt=expected).gradients
    else:
        with model.linearize(images, list(cotangents), wrt=expected) as at:
            got = at.vjp(cotangents)
    for name, gradient in got.items():
        close(gradient, expected[name])


def test_gradient_at_an_identity_leaves_out_what_bypasses_it(net, images):
    cotangents = cotangents_at(net, images, OUTPUT)
    gradients = crosslens.wrap(net).vjp(images, cotangents, wrt=["relu", "shortcut"]).gradients
    _, expected = by_hand(net, images, cotangents, ["relu", "shortcut"])
    close(gradients["shortcut"], expected["shortcut"])
    assert np.abs(gradients["relu"] - gradients["shortcut"]).max() > 1e-3


def test_linearization_answers_again_until_closed(net, images):
    first, second = cotangents_at(net, images, OUTPUT), cotangents_at(net, images, OUTPUT, "tail.0")
    with crosslens.wrap(net).linearize(images, [OUTPUT, "tail.0"]) as at:
        for cotangents in (first, second, first):
            _, expected = by_hand(net, images, cotangents, [INPUT])
            close(at.vjp(cotangents)[INPUT], expected[INPUT])


def test_changing_an_activation_handed_out_changes_no_gradient(net, images):
    cotangents = cotangents_at(net, images, OUTPUT)
    with crosslens.wrap(net).linearize(images, [OUTPUT, *LAYERS]) as at:
        for activation in at.activations.values():
            activation[...] = 0
        close(at.vjp(cotangents)[INPUT], by_hand(net, images, cotangents, [INPUT])[1][INPUT])


@pytest.mark.parametrize("layer", ["bn1", "relu", "shortcut", "tail"])
def test_replacing_runs_on_from_the_given_activation(net, images, layer):
    model = crosslens.wrap(net)
    given = np.random.default_rng(2).standard_normal(model.forward(images, [layer])[layer].shape).astype(np.float32)
    kept = given.copy()

    expected = patched_forward(net, (torch.from_numpy(images) - MEAN) / STD, layer, torch.from_numpy(given))
    got = model.forward(images, [layer, OUTPUT], replace={layer: given})
    close(got[OUTPUT], expected[OUTPUT].detach().numpy())
    np.testing.assert_array_equal(got[layer], given)
    np.testing.assert_array_equal(given, kept)


def patched_forward(net, x, layer, given):
    """By hand, with one layer's output exchanged."""
    b = net.bn1
    x = functional.conv2d(x, net.conv1.weight, None, 2, 1)
    x = (x - b.running_mean[:, None, None]) / torch.sqrt(b.running_var[:, None, None] + b.eps)
    x = given if layer == "bn1" else x
    x = given if layer == "relu" else torch.clamp(x, min=0)
    s = given if layer == "shortcut" else x
    x = torch.clamp(functional.conv2d(x, net.conv2.weight, net.conv2.bias, 1, 1) + s, min=0)
    x = functional.conv2d(x, net.tail[0].weight, net.tail[0].bias, 1, 1)
    x = given if layer == "tail" else x * torch.sigmoid(x)
    return {OUTPUT: torch.clamp(x, min=0).mean((2, 3)) @ net.fc.weight.T + net.fc.bias}


def test_gradient_at_a_replaced_layer_is_taken_there_and_the_image_gets_none(net, images):
    model = crosslens.wrap(net)
    cotangents = cotangents_at(net, images, OUTPUT)
    given = (
        np.random.default_rng(2).standard_normal(model.forward(images, ["relu#2"])["relu#2"].shape).astype(np.float32)
    )
    leaf = torch.from_numpy(given.copy()).requires_grad_()
    tail = functional.conv2d(leaf, net.tail[0].weight, net.tail[0].bias, 1, 1)
    y = torch.clamp(tail * torch.sigmoid(tail), min=0).mean((2, 3)) @ net.fc.weight.T + net.fc.bias
    (expected,) = torch.autograd.grad((y * torch.from_numpy(cotangents[OUTPUT])).sum(), leaf)
    got = model.vjp(images, cotangents, wrt=["relu#2", INPUT], replace={"relu#2": given}).gradients
    close(got["relu#2"], expected.numpy())
    assert not got[INPUT].any()


@pytest.mark.parametrize("preset", ["unit", "caffe", "raw255"])
def test_gradient_is_with_respect_to_the_image_before_preprocessing(net, images, preset):
    model = crosslens.wrap(net, preprocess=preset)
    x = torch.from_numpy(images).requires_grad_()
    prepared = {
        "unit": x,
        "raw255": 255 * x,
        "caffe": 255 * x[:, [2, 1, 0]] - torch.tensor([103.939, 116.779, 123.68])[:, None, None],
    }[preset]
    (expected,) = torch.autograd.grad(net.by_hand(prepared)[OUTPUT].sum(), x)
    got = model.vjp(images, {OUTPUT: np.ones((3, 5), np.float32)}).gradients[INPUT]
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-4, atol=1e-4 * np.abs(got).max())


def test_first_operation_in_place_overwrites_no_image(images):
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 2, 3)).eval()
    model = crosslens.wrap(net, preprocess=None)
    shifted = images - 0.5
    kept = shifted.copy()
    before = net[1](torch.relu(torch.from_numpy(shifted))).detach().numpy()
    close(model.forward(shifted)[OUTPUT], before)
    gradient = model.vjp(shifted, {OUTPUT: np.ones_like(before)}).gradients[INPUT]
    assert not gradient[shifted < 0].any()
    np.testing.assert_array_equal(shifted, kept)


def state_of(net):
    return (
        {name: (p.requires_grad, p.grad, p.detach().clone()) for name, p in net.named_parameters()},
        {name: b.clone() for name, b in net.named_buffers()},
        [m.training for m in net.modules()],
        [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in net.modules()],
    )


def same_state(before, after):
    for name, (requires_grad, grad, values) in after[0].items():
        assert (requires_grad, grad) == before[0][name][:2]
        assert torch.equal(values, before[0][name][2])
    assert all(torch.equal(values, before[1][name]) for name, values in after[1].items())
    assert after[2:] == before[2:]


def test_the_module_is_left_as_it_was_mixed_modes_and_frozen_parts_included(net, images):
    net.train()
    net.tail.eval()
    net.conv1.weight.requires_grad_(False)
    before = state_of(net)
    model = crosslens.wrap(net)
    model.forward(images, LAYERS)
    model.vjp(images, cotangents_at(net, images, OUTPUT), wrt=[INPUT, *LAYERS])
    model.modified(relu="guided").vjp(images, cotangents_at(net, images, OUTPUT))
    model.randomised(["fc", "conv1"], 0)
    same_state(before, state_of(net))


def test_a_module_in_train_mode_runs_as_in_eval_mode(net, images):
    expected = crosslens.wrap(net).forward(images)[OUTPUT]
    np.testing.assert_array_equal(crosslens.wrap(net.train()).forward(images)[OUTPUT], expected)


class Fragile(nn.Module):
    """Fails on images narrower than 16 pixels, after its first layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.drop = nn.Conv2d(3, 2, 3), nn.Dropout()

    def forward(self, x):
        x = self.drop(self.conv(x))
        if x.shape[-1] < 14:
            raise RuntimeError("too narrow")
        return x.mean((2, 3))


def test_after_an_error_no_hook_is_left_and_the_mode_is_restored():
    net = Fragile().train()
    model = crosslens.wrap(net)
    before = state_of(net)
    with pytest.raises(ImageError, match=r"not on images of shape \(1, 3, 8, 8\): too narrow") as caught:
        model.vjp(np.zeros((1, 3, 8, 8), np.float32), {OUTPUT: np.ones((1, 2), np.float32)}, wrt=["conv", INPUT])
    assert isinstance(caught.value.__cause__, RuntimeError)
    same_state(before, state_of(net))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradients_under_a_caller_that_has_switched_them_off(net, images, context):
    cotangents = cotangents_at(net, images, OUTPUT)
    _, expected = by_hand(net, images, cotangents, [INPUT, "bn1"])
    with context():
        model = crosslens.wrap(net)
        got = model.vjp(images, cotangents, wrt=[INPUT, "bn1"]).gradients
        with model.linearize(images, [OUTPUT]) as at:
            again = at.vjp(cotangents)[INPUT]
        assert not torch.is_grad_enabled()
    close(got["bn1"], expected["bn1"])
    close(got[INPUT], expected[INPUT])
    close(again, expected[INPUT])


def test_gradients_with_every_parameter_frozen(net, images):
    cotangents = cotangents_at(net, images, OUTPUT)
    _, expected = by_hand(net, images, cotangents, ["bn1", "tail"])
    model = crosslens.wrap(net.requires_grad_(False))
    close(model.vjp(images, cotangents, wrt=["bn1"]).gradients["bn1"], expected["bn1"])


def test_threads_on_one_module_do_not_mix_their_activations(net):
    model, other = crosslens.wrap(net), crosslens.wrap(net, preprocess="tf")
    inputs = [np.full((1, 3, 16, 16), k / 16, np.float32) for k in range(16)]
    expected = [m.forward(x, ["bn1"])["bn1"] for k, x in enumerate(inputs) for m in [(model, other)[k % 2]]]
    got = [None] * 16

    def work(k):
        for _ in range(5):
            got[k] = (model, other)[k % 2].forward(inputs[k], ["bn1"])["bn1"]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_a_pass_of_the_user_in_another_thread_is_not_recorded(images):
    class Interrupted(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other = nn.Conv2d(3, 2, 3), None

        def forward(self, x):
            y = self.conv(x)
            if self.other is not None and threading.current_thread() is threading.main_thread():
                thread = threading.Thread(target=self, args=(self.other,))
                thread.start()
                thread.join()
            return self.conv(x + y.mean()).mean((2, 3))

    net = Interrupted()
    model = crosslens.wrap(net)
    expected = model.forward(images, ["conv", "conv#2"])
    net.other = torch.zeros(1, 3, 8, 8)
    got = model.forward(images, ["conv", "conv#2"])
    for name, activation in expected.items():
        np.testing.assert_array_equal(got[name], activation)


def test_a_float64_module_answers_in_float64(net, images):
    net = net.double()
    model = crosslens.wrap(net)
    x = torch.from_numpy(images).double()
    gain, offset = (torch.from_numpy(v)[:, None, None].double() for v in model.preprocess.affine(3))
    x.requires_grad_()
    y = net.by_hand(gain * x + offset)[OUTPUT]
    (expected,) = torch.autograd.grad(y.sum(), x)
    pull = model.vjp(images, {OUTPUT: np.ones((3, 5), np.float32)}, capture=[OUTPUT])
    assert pull.gradients[INPUT].dtype == np.float64
    np.testing.assert_allclose(pull.gradients[INPUT], expected.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(pull.activations[OUTPUT], y.detach().numpy(), rtol=1e-12)


def test_a_bfloat16_module_answers_in_float32(net, images):
    expected = crosslens.wrap(net).forward(images)[OUTPUT]
    pull = crosslens.wrap(net.bfloat16()).vjp(images, {OUTPUT: np.ones((3, 5), np.float32)}, capture=[OUTPUT])
    assert pull.gradients[INPUT].dtype == pull.activations[OUTPUT].dtype == np.float32
    np.testing.assert_allclose(pull.activations[OUTPUT], expected, atol=0.05)


def test_cpu_tensors_are_taken_and_answered_with_numpy(net, images):
    model = crosslens.wrap(net)
    got = model.forward(torch.from_numpy(images), ["bn1"])["bn1"]
    assert isinstance(got, np.ndarray)
    np.testing.assert_array_equal(got, model.forward(images, ["bn1"])["bn1"])


Pair = namedtuple("Pair", "logits features")


class Several(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.conv, self.make = nn.Conv2d(3, 2, 3), shape

    def forward(self, x):
        x = self.conv(x)
        return self.make(x.mean((2, 3)), x.amax((2, 3)))


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda a, b: (a, b), ("0", "1")),
        (lambda a, b: {"logits": a, "features": b}, ("logits", "features")),
        (Pair, ("logits", "features")),
    ],
)
def test_one_of_several_outputs_is_chosen_by_name_or_position(images, make, names):
    net = Several(make)
    maps = net.conv((torch.from_numpy(images) - MEAN) / STD).detach().numpy()
    close(crosslens.wrap(net, output=names[1]).forward(images)[OUTPUT], maps.max(axis=(2, 3)))
    close(crosslens.wrap(net, output=0).forward(images)[OUTPUT], maps.mean(axis=(2, 3)))
    with pytest.raises(ModelError, match=rf"2 outputs, \['{names[0]}', '{names[1]}'\]; choose one: wrap\(net, output="):
        crosslens.wrap(net)
    with pytest.raises(ModelError, match="no output 'boxes'"):
        crosslens.wrap(net, output="boxes")
    with pytest.raises(ModelError, match="output 2 is out of range"):
        crosslens.wrap(net, output=2)


def test_a_single_output_in_a_container_needs_no_choice(images):
    assert crosslens.wrap(Several(lambda a, b: [a])).forward(images)[OUTPUT].shape == (3, 2)


def test_modules_that_return_tuples_or_have_no_batch_axis_are_no_layers():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.pair, self.table = (
                nn.Conv2d(3, 4, 8, 8),
                nn.LSTM(4, 4, batch_first=True),
                nn.Embedding(1, 4),
            )

        def forward(self, x):
            tokens = self.conv(x).flatten(2).transpose(1, 2)
            return self.pair(tokens + self.table(torch.zeros(1, dtype=torch.long)))[0]

    assert list(crosslens.wrap(Net()).layers) == [INPUT, "conv", "/flatten", "/transpose", "/add", OUTPUT]


def test_the_input_has_the_channels_of_the_first_convolution():
    assert crosslens.wrap(nn.Conv2d(1, 2, 3), preprocess=None).input == InputSpec((1, None, None))


def test_a_network_of_another_size_asks_for_its_input_shape():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 26 * 26, 10))
    with pytest.raises(ModelError, match=r"\(2, 1, 224, 224\): .* wrap\(net, input_shape=\(C, H, W\)\)"):
        crosslens.wrap(net, preprocess=None)
    model = crosslens.wrap(net, preprocess=None, input_shape=(1, 28, 28))
    assert model.forward(np.zeros((2, 1, 28, 28), np.float32))[OUTPUT].shape == (2, 10)


def test_a_generator_takes_codes_without_preprocessing():
    net = nn.Sequential(nn.ConvTranspose2d(8, 3, 4), nn.Tanh()).eval()
    model = crosslens.wrap(net, input_shape=InputSpec.latent((8, 1, 1)))
    code = np.random.default_rng(0).standard_normal((2, 8, 1, 1)).astype(np.float32)
    close(model.forward(code)[OUTPUT], net(torch.from_numpy(code)).detach().numpy())
    assert model.vjp(code, {OUTPUT: np.ones((2, 3, 4, 4), np.float32)}).gradients[INPUT].shape == (2, 8, 1, 1)


class Cut(nn.Module):
    def __init__(self, whole):
        super().__init__()
        self.conv, self.fc, self.whole = nn.Conv2d(3, 2, 3), nn.Linear(2, 2), whole

    def forward(self, x):
        with torch.no_grad():
            x = self.conv(x).mean((2, 3))
            if self.whole:
                return self.fc(x)
        return self.fc(x)


def test_a_network_that_hides_its_gradient_is_refused(images):
    cotangents = {OUTPUT: np.ones((3, 2), np.float32)}
    with pytest.raises(ModelError, match="no gradient gets from the output to the image"):
        crosslens.wrap(Cut(True)).vjp(images, cotangents)
    with pytest.raises(ModelError, match="runs layer 'conv' under torch"):
        crosslens.wrap(Cut(False)).vjp(images, cotangents, wrt=["conv"])


def test_an_output_overwritten_through_its_alias_is_refused_not_wrong(images):
    class Aliased(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.same = nn.Conv2d(3, 2, 3), nn.Identity()

        def forward(self, x):
            x = self.conv(x)
            y = self.same(x)
            x.relu_()
            return (x + y).mean((2, 3))

    net = Aliased()
    model = crosslens.wrap(net)
    expected = 2 * torch.relu(net.conv((torch.from_numpy(images) - MEAN) / STD)).mean((2, 3)).detach().numpy()
    close(model.forward(images, ["same", OUTPUT])[OUTPUT], expected)
    with pytest.raises(ModelError, match="overwrites the output of layer 'same' through another reference"):
        model.vjp(images, {OUTPUT: np.ones((3, 2), np.float32)}, wrt=["same"])


def test_a_layer_that_does_not_run_this_time_is_named(images):
    class Moody(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bright = nn.Conv2d(3, 2, 3), nn.ReLU()

        def forward(self, x):
            y = self.conv(x).mean((2, 3))
            return self.bright(y) if x.mean() < 0.2 else y

    with pytest.raises(ModelError, match=r"layers \['bright'\] did not run"):
        crosslens.wrap(Moody(), preprocess=None).forward(images, ["bright"])


@pytest.mark.parametrize(
    ("network", "options", "text"),
    [
        (torch.zeros(3), {}, "torch.Tensor is not a network; wrap an nn.Module"),
        (nn.LazyConv2d(2, 3), {}, "lazy layers without weights; call it once"),
        (nn.Conv2d(3, 2, 3, device="meta"), {}, "on the meta device and have no values"),
        (nn.Conv2d(3, 2, 3), {"providers": ["CPUExecutionProvider"]}, "providers are onnxruntime's"),
        (nn.Conv2d(3, 2, 3), {"device": "no such"}, "torch has no device 'no such' here"),
    ],
)
def test_what_torch_cannot_wrap_is_refused(network, options, text):
    with pytest.raises(ModelError, match=text):
        crosslens.wrap(network, **options)


@pytest.mark.filterwarnings("ignore:`torch.jit")  # deprecated
@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, torch.zeros(1, 3, 8, 8))])
def test_torchscript_shows_its_input_and_output(make, images):
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.SiLU(), nn.Flatten()).eval()
    model, eager = (crosslens.wrap(each, preprocess=None, input_shape=(3, 20, 16)) for each in (make(net), net))
    assert list(model.layers) == [INPUT, OUTPUT]
    cotangents = {OUTPUT: np.random.default_rng(1).standard_normal((3, 504)).astype(np.float32)}
    pulls = [each.vjp(images, cotangents, capture=[OUTPUT]) for each in (model, eager)]
    close(pulls[0].activations[OUTPUT], pulls[1].activations[OUTPUT])
    close(pulls[0].gradients[INPUT], pulls[1].gradients[INPUT])


def test_an_output_without_batch_axis_is_refused():
    class Scalar(nn.Module):
        def forward(self, x):
            return x.mean()

    with pytest.raises(ModelError, match=r"output has shape \(\) for 2 images"):
        crosslens.wrap(Scalar())


def test_weights_are_those_of_the_module_copied(net):
    model = crosslens.wrap(net)
    np.testing.assert_array_equal(model.weights("conv2")["kernel"], net.conv2.weight.detach().numpy())
    assert set(model.weights("bn1")) == {"scale", "offset", "mean", "variance"}
    np.testing.assert_array_equal(model.weights("bn1")["mean"], net.bn1.running_mean.numpy())
    assert not model.weights("relu#2")
    model.weights("fc")["bias"][...] = 7
    assert not (net.fc.bias == 7).any()


def test_a_transposed_kernel_is_out_by_in():
    """Checked at one pixel: output channel o gets sum_i kernel[o, i] x[g(o), i]."""
    net = nn.ConvTranspose2d(6, 4, 2, groups=2, bias=False).eval()
    model = crosslens.wrap(nn.Sequential(net), input_shape=InputSpec.latent((6, 1, 1)))
    x = np.random.default_rng(0).standard_normal((1, 6, 1, 1)).astype(np.float32)
    kernel = model.weights("0")["kernel"]
    assert kernel.shape == (4, 3, 2, 2)
    halves = [np.einsum("oihw,i->ohw", kernel[2 * g : 2 * g + 2], x[0, 3 * g : 3 * g + 3, 0, 0]) for g in (0, 1)]
    close(model.forward(x)[OUTPUT][0], np.concatenate(halves))


def test_randomised_weights_come_back_in_the_same_layout():
    net = nn.Sequential(nn.ConvTranspose2d(6, 4, 2, groups=2), nn.PReLU(4))
    model = crosslens.wrap(net, input_shape=InputSpec.latent((6, 3, 3)))
    kept = net[0].weight.detach().clone()
    other = model.randomised(["0", "1"], 3)
    again = other._with_weights({"0": model.weights("0"), "1": model.weights("1")})
    x = np.random.default_rng(0).standard_normal((2, 6, 3, 3)).astype(np.float32)
    assert np.abs(other.forward(x)[OUTPUT] - model.forward(x)[OUTPUT]).max() > 0.01
    np.testing.assert_array_equal(again.forward(x)[OUTPUT], model.forward(x)[OUTPUT])
    assert torch.equal(net[0].weight, kept)
    assert set(model.weights("1")) == {"slope"}


def test_computed_weights_can_be_read_but_not_set():
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 2, 3)))
    model = crosslens.wrap(net)
    np.testing.assert_array_equal(model.weights("0")["kernel"], net[0].weight.detach().numpy())
    with pytest.raises(ModelError, match="computes its 'kernel' from other parameters"):
        model.randomised(["0"], 0)


def test_a_compiled_module_is_seen_through(net):
    wrapped = torch.compile(net, backend="eager")
    assert list(crosslens.wrap(wrapped).layers) == [INPUT, *LAYERS, OUTPUT]


def test_an_unknown_layer_is_named_with_its_neighbours(net, images):
    with pytest.raises(LayerError, match=r"no layer 'relu#3'.*Did you mean 'relu#2'"):
        crosslens.wrap(net).forward(images, ["relu#3"])
