"""One of several inputs is explained, the others are held: against torch with the same values."""

import io
import warnings

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens.errors import ModelError
from crosslens.model import INPUT, OUTPUT
from onnx import TensorProto, helper, numpy_helper
from torch import nn

IMAGES = np.random.default_rng(0).random((3, 3, 16, 16), np.float32)
WORDS = np.array([[4, 1, 7]])
MASK = np.random.default_rng(1).random((1, 1, 16, 16)).astype(np.float32)


class Captioner(nn.Module):
    """The score of each next word, of a picture and the words so far."""

    def __init__(self):
        super().__init__()
        self.conv, self.words = nn.Conv2d(3, 8, 3, 2, 1), nn.Embedding(12, 8)
        self.mix, self.out = nn.GRU(8, 8, batch_first=True), nn.Linear(16, 12)

    def forward(self, image, words):
        maps = self.conv(image).tanh()
        said = self.mix(self.words(words))[0][:, -1]
        look = (maps.flatten(2) * said[:, :, None]).sum(1).softmax(1)
        seen = (maps.flatten(2) * look[:, None]).sum(2)
        return self.out(torch.cat([seen, said], 1))


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 5, 3)

    def forward(self, image, mask):
        return self.conv(torch.cat([image, mask], 1)).tanh().mean((2, 3))


def exported(net, other, *, free=True, name="words"):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(), (torch.zeros(1, 3, 16, 16), torch.from_numpy(other)), buffer, dynamo=False,
            input_names=["image", name], dynamic_axes={"image": {0: "n"}, name: {0: "n"}} if free else None,
        )  # fmt: skip
    return onnx.load_from_string(buffer.getvalue())


CASES = {"captioner": (Captioner, WORDS, "words"), "mask": (Masked, MASK, "mask")}


@pytest.mark.parametrize("free", [True, False], ids=["any batch", "a batch of one"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("row", [True, False], ids=["with a row", "without"])
def test_scores_and_gradients_are_torch_s_with_the_other_input_held(case, free, row):
    torch.manual_seed(0)
    build, other, name = CASES[case]
    net = build()
    held = other if row else other[0]
    model = crosslens.wrap(exported(net, other, free=free, name=name), preprocess=None, inputs={name: held})
    image = torch.tensor(IMAGES, requires_grad=True)
    y = net(image, torch.from_numpy(np.repeat(other, 3, 0)))
    dy = np.random.default_rng(2).standard_normal(tuple(y.shape)).astype(np.float32)
    (want,) = torch.autograd.grad(y, image, torch.from_numpy(dy))
    np.testing.assert_allclose(model.forward(IMAGES)[OUTPUT], y.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.vjp(IMAGES, {OUTPUT: dy}).gradients[INPUT], want.numpy(), rtol=1e-3, atol=1e-6)


def test_the_next_word_is_explained_by_grad_cam_and_occlusion():
    torch.manual_seed(0)
    net = Captioner()
    model = crosslens.wrap(exported(net, WORDS), preprocess=None, inputs={"words": WORDS})
    image = torch.tensor(IMAGES[:1], requires_grad=True)
    result = crosslens.method("grad_cam", layer="/conv/Conv", rectified=False)(model, IMAGES[:1], target=5)
    kept = []
    net.conv.register_forward_hook(lambda m, i, o: kept.append(o))
    score = net(image, torch.from_numpy(WORDS))[0, 5]
    (gradient,) = torch.autograd.grad(score, kept[0])
    want = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1).detach().numpy()
    assert result.scores[0] == pytest.approx(score.item(), rel=1e-4)
    np.testing.assert_allclose(result.values, want, rtol=1e-3, atol=1e-6)
    covered = IMAGES[:1].copy()
    covered[:, :, :8, :8] = 0
    hidden = net(torch.from_numpy(covered), torch.from_numpy(WORDS))[0, 5].item()
    drops = crosslens.method("occlusion", window=8, stride=8, fill="black")(model, IMAGES[:1], target=5).values
    assert drops[0, 0, 0] == pytest.approx(score.item() - hidden, rel=1e-2, abs=1e-5)


def two(first="n", words="n", elem=TensorProto.INT64):
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["m"], keepdims=0),
        helper.make_node("Cast", ["words"], ["w"], to=1),
        helper.make_node("ReduceMean", ["w", "one"], ["s"], keepdims=1),
        helper.make_node("Add", ["m", "s"], ["y"]),
    ]
    info = helper.make_tensor_value_info
    ends = [info("image", 1, [first, 3, 8, 8]), info("words", elem, [words, 4])]
    tensors = [numpy_helper.from_array(np.array(v), k) for k, v in {"axes": [2, 3], "one": [1]}.items()]
    graph = helper.make_graph(nodes, "two", ends, [info("y", 1, None)], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (None, r"the network has 2 inputs: 'image' float \(any, 3, 8, 8\), 'words' int64 \(any, 4\); one is explained, "
               r"give values for the others: inputs=\{'words': array\}"),
        ({"word": [1]}, r"inputs= names 'word'; the network's inputs are image, words. Did you mean 'words'\?"),
        ({"words": [[1, 2, 3]]}, r"inputs\['words'\] has shape \(1, 3\); the network takes int64 \(any, 4\): give one"),
        ({"words": np.ones((2, 4), int)}, r"inputs\['words'\] has shape \(2, 4\); the network takes int64 \(any, 4\)"),
        ({"words": [[1, 2, 3, 0.5]]}, r"inputs\['words'\] has float64 values that int64 cannot represent; give int64"),
        ({"words": [1, 2, 3, 4], "image": IMAGES}, r"inputs= gives values for all inputs, .*; leave out"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_held_inputs_is_said(inputs, text):
    with pytest.raises(ModelError, match=text):
        crosslens.wrap(two(), preprocess=None, inputs=inputs)


@pytest.mark.parametrize(("first", "words"), [("n", "n"), ("n", "other"), ("n", 1), (1, 1), (2, 2)])
def test_one_row_is_held_whatever_the_batch_is_called(first, words):
    model = crosslens.wrap(two(first, words), preprocess=None, inputs={"words": [1, 2, 3, 4]})
    x = np.random.default_rng(0).random((3, 3, 8, 8), np.float32)
    np.testing.assert_allclose(model.forward(x)[OUTPUT], x.mean((2, 3)) + 2.5, rtol=1e-6)
    assert "words" not in model.layers


def test_the_words_can_be_explained_where_they_are_floats():
    model = crosslens.wrap(
        two(elem=1), inputs={"image": IMAGES[:1, :, :8, :8]}, input_shape=crosslens.InputSpec.latent((4,))
    )
    words = np.random.default_rng(0).random((2, 4), np.float32)
    want = IMAGES[:1, :, :8, :8].mean((2, 3)) + words.mean(1, keepdims=True)
    np.testing.assert_allclose(model.forward(words)[OUTPUT], want, rtol=1e-5)
