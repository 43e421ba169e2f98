"""Networks with several inputs: one is explained, the others hold what they are given; gradients as by autograd."""

import crosslens
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from crosslens import INPUT, OUTPUT
from crosslens.cli import cli
from crosslens.errors import ModelError
from torch import nn

TOKENS = np.array([3, 1, 4], np.int64)
MASK = np.random.default_rng(7).random((1, 16, 16), np.float32)


class Caption(nn.Module):
    """The next word's scores, from a picture and the words so far, by attention of the last word over the picture."""

    def __init__(self):
        super().__init__()
        self.eyes = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.SiLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.SiLU())
        self.words, self.cell, self.next = nn.Embedding(9, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(16, 9)

    def forward(self, image, tokens):
        maps = self.eyes(image)
        state = self.cell(self.words(tokens))[0][:, -1]
        weights = (maps * state[:, :, None, None]).sum(1).flatten(1).softmax(1)
        seen = (maps.flatten(2) * weights[:, None]).sum(2)
        return self.next(torch.cat([seen, state], 1))


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 5)

    def forward(self, x, mask, *, scale=1.0):
        return self.fc((self.conv(x).tanh() * mask * scale).mean((2, 3)))


class Keywords(Masked):
    def forward(self, pixel_values=None, mask=None, scale=1.0):
        return super().forward(pixel_values, mask, scale=scale)


class KeywordOnly(Masked):
    def forward(self, *, pixel_values, mask=None):
        return super().forward(pixel_values, 1.0 if mask is None else mask)


class Several(Masked):
    def forward(self, inputs: list):
        return super().forward(*inputs)


class Starred(Masked):
    def forward(self, *inputs):
        return super().forward(*inputs)


class Mapped(Masked):
    def forward(self, inputs: dict):
        return super().forward(inputs["x"], inputs["mask"])


class Second(Masked):
    """The image comes second, and floats among its inputs are one of each image."""

    def forward(self, weight, x):
        return super().forward(x * weight[:, None, None, None], torch.ones(()))


class Shared(Masked):
    """What is held has no batch axis at all."""

    def forward(self, x, grid):
        assert grid.shape == (16, 16)
        return super().forward(x, grid)


def made(kind):
    torch.manual_seed(0)
    return kind().eval()


@pytest.fixture
def images():
    return np.random.default_rng(0).random((3, 3, 16, 16), np.float32)


def batch(array, count=3):
    return torch.from_numpy(np.repeat(np.asarray(array)[None], count, 0))


CASES = {
    "tokens": (Caption, {"tokens": TOKENS}, lambda net, x: net(x, batch(TOKENS))),
    "tokens as a batch of one": (Caption, {"tokens": TOKENS[None]}, lambda net, x: net(x, batch(TOKENS))),
    "tokens as a list": (Caption, {"tokens": TOKENS.tolist()}, lambda net, x: net(x, batch(TOKENS))),
    "mask": (Masked, {"mask": MASK}, lambda net, x: net(x, batch(MASK))),
    "mask as a batch of one": (Masked, {"mask": MASK[None]}, lambda net, x: net(x, batch(MASK))),
    "float64 mask, and a number": (
        Masked,
        {"mask": MASK.astype(np.float64), "scale": 2.0},
        lambda net, x: net(x, batch(MASK), scale=2.0),
    ),
    "keywords": (Keywords, {"mask": MASK}, lambda net, x: net(pixel_values=x, mask=batch(MASK))),
    "keyword only": (KeywordOnly, {"mask": MASK}, lambda net, x: net(pixel_values=x, mask=batch(MASK))),
    "keyword only, alone": (KeywordOnly, None, lambda net, x: net(pixel_values=x)),
    "list": (Several, {"inputs": [None, MASK]}, lambda net, x: net([x, batch(MASK)])),
    "starred": (Starred, {"inputs": [None, MASK]}, lambda net, x: net(x, batch(MASK))),
    "mapping": (Mapped, {"inputs": {"x": None, "mask": MASK}}, lambda net, x: net({"x": x, "mask": batch(MASK)})),
    "image second": (Second, {"weight": np.float32([0.5])}, lambda net, x: net(batch(np.float32(0.5)), x)),
    "shared": (Shared, {"grid": MASK[0]}, lambda net, x: net(x, torch.from_numpy(MASK[0]))),
}


@pytest.mark.parametrize("name", CASES)
def test_one_input_is_explained_and_the_others_hold(images, name):
    kind, held, call = CASES[name]
    net = made(kind)
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16), inputs=held)
    x = torch.from_numpy(images).requires_grad_()
    y = call(net, x)
    cotangent = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    (gradient,) = torch.autograd.grad(y, x, torch.from_numpy(cotangent))
    pull = model.vjp(images, {OUTPUT: cotangent}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.activations[OUTPUT], y.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pull.gradients[INPUT], gradient.numpy(), rtol=1e-4, atol=1e-7)
    one = model.forward(images[:1])[OUTPUT]
    np.testing.assert_allclose(one, y[:1].detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")  # torch.export's, about its own GRU
@pytest.mark.parametrize("dynamic", [False, True])
def test_an_exported_program_holds_inputs_too(images, dynamic):
    net, count = made(Caption), torch.export.Dim("batch", min=1)
    shapes = {"image": {0: count}, "tokens": {0: count}} if dynamic else None
    program = torch.export.export(net, (torch.rand(2, 3, 16, 16), batch(TOKENS, 2)), dynamic_shapes=shapes)
    model = crosslens.wrap(program, preprocess=None, inputs={"tokens": TOKENS})
    expected = net(torch.from_numpy(images), batch(TOKENS)).detach().numpy()
    np.testing.assert_allclose(model.forward(images)[OUTPUT], expected, rtol=1e-5, atol=1e-6)
    assert "eyes.0" in model.layers


def test_grad_cam_of_the_next_word_is_the_papers_equation(images):
    """The picture is explained, the words so far are held, the next word's score is the target."""
    net = made(Caption)
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16), inputs={"tokens": TOKENS})
    values = crosslens.method("grad_cam", layer="eyes.3")(model, images[:1], target=5).values
    maps = net.eyes(torch.from_numpy(images[:1])).detach().requires_grad_()
    net.eyes.forward = lambda _: maps
    (gradient,) = torch.autograd.grad(net(None, batch(TOKENS, 1))[0, 5], maps)
    expected = (gradient.mean((2, 3), keepdim=True) * maps).sum(1).relu().detach().numpy()
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-7)


def test_occlusion_of_the_next_word_is_its_change_box_by_box(images):
    net = made(Caption)
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16), inputs={"tokens": TOKENS})
    values = crosslens.method("occlusion", window=8, stride=8, fill="black")(model, images[:1], target=5).values

    def score(x):
        return net(torch.from_numpy(x), batch(TOKENS, 1))[0, 5].item()

    for top in (0, 8):
        for left in (0, 8):
            hidden = images[:1].copy()
            hidden[:, :, top : top + 8, left : left + 8] = 0
            change = score(images[:1]) - score(hidden)
            np.testing.assert_allclose(values[0, top : top + 8, left : left + 8], change, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "held", "text"),
    [
        (Caption, None, r"takes 2 inputs, image, tokens; one is explained .*wrap\(net, inputs=\{'tokens': array\}\)"),
        (Masked, {"mask": MASK, "x": MASK}, "inputs= holds all of the network's inputs, mask, x; leave out"),
        (Masked, {"masc": MASK}, r"no input 'masc'; it takes x, mask, scale. Did you mean 'mask'\?"),
        (Several, None, r"It takes 'inputs', a list or mapping; give it with None for the image"),
        (Caption, {"tokens": np.zeros(3, np.float32)}, "arrays of shape \\(3,\\)"),
        (Masked, {"mask": object()}, "an input holds a object; give an array, a number"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_what_to_type(kind, held, text):
    with pytest.raises(ModelError, match=text) as caught:
        crosslens.wrap(made(kind), preprocess=None, input_shape=(3, 16, 16), inputs=held)
    assert "another size" not in str(caught.value)


def test_a_network_of_one_image_at_a_time_runs_image_by_image(images):
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 2, 3), nn.Linear(392, 4)

        def forward(self, x):
            return self.fc(self.conv(x).reshape(1, 392))

    net = made(Single)
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16))
    expected = torch.cat([net(torch.from_numpy(x[None])) for x in images]).detach().numpy()
    np.testing.assert_allclose(model.forward(images)[OUTPUT], expected, rtol=1e-5, atol=1e-6)


def test_integers_keep_their_type_and_floats_follow_the_network():
    kinds = {}

    class Notes(Masked):
        def forward(self, x, tokens, mask, flags):
            kinds.update(tokens=tokens.dtype, mask=mask.dtype, flags=flags.dtype)
            return super().forward(x, mask[:, None])

    held = {"tokens": np.int32([1, 2]), "mask": MASK[0].astype(np.float64), "flags": np.array([True])}
    crosslens.wrap(made(Notes).double(), preprocess=None, input_shape=(3, 16, 16), inputs=held)
    assert kinds == {"tokens": torch.int32, "mask": torch.float64, "flags": torch.bool}


def test_the_command_line_holds_an_array_of_a_file(tmp_path, monkeypatch):
    (tmp_path / "masked_net.py").write_text(
        "import torch\nfrom torch import nn\n\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.conv = nn.Conv2d(3, 2, 1)\n\n"
        "    def forward(self, x, mask):\n        return (self.conv(x) * mask).mean((2, 3))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    np.save(tmp_path / "mask.npy", MASK)
    command = ["layers", "masked_net:Net", "--input-shape", "3,16,16"]
    refused, done, wrong = (
        CliRunner().invoke(cli, [*command, *more])
        for more in ([], ["--hold", f"mask={tmp_path / 'mask.npy'}"], ["--hold", "mask=none.npy"])
    )
    assert refused.exit_code == 1
    assert "--hold mask=FILE.npy" in refused.output
    assert done.exit_code == 0, done.output
    assert OUTPUT in done.output
    assert wrong.exit_code == 1
    assert "none.npy" in wrong.output
