"""Images of integers: the network gets the pixels that it takes, gradients pass the rounding as if it were none."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import ModelError
from crosslens.model import INPUT, OUTPUT
from onnx import TensorProto, helper, numpy_helper

W = np.random.default_rng(1).standard_normal((5, 3, 3, 3)).astype(np.float32)
IMAGES = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
IMAGES[:, :, :4, :4] = 0  # black, where the type ends
IMAGES[:, :, 4:, 4:] = 1


def network(elem, offset=0.0, last=False):
    """tanh(conv((pixels + offset) / 255)) averaged."""
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=1),
        helper.make_node("Add", ["f", "offset"], ["o"]),
        helper.make_node("Div", ["o", "most"], ["s"]),
        *([helper.make_node("Transpose", ["s"], ["t"], perm=[0, 3, 1, 2])] if last else []),
        helper.make_node("Conv", ["t" if last else "s", "w"], ["c"], name="conv"),
        helper.make_node("Tanh", ["c"], ["h"], name="tanh"),
        helper.make_node("ReduceMean", ["h", "axes"], ["y"], keepdims=0),
    ]
    tensors = [numpy_helper.from_array(W, "w"), numpy_helper.from_array(np.array([2, 3]), "axes")]
    tensors += [numpy_helper.from_array(np.float32(v), n) for n, v in (("offset", offset), ("most", 255))]
    info = helper.make_tensor_value_info
    sizes = ["n", 8, 8, 3] if last else ["n", 3, 8, 8]
    graph = helper.make_graph(nodes, "pixels", [info("x", elem, sizes)], [info("y", 1, ["n", 5])], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def by_torch(pixels):
    image = torch.tensor(pixels, requires_grad=True)
    y = torch.conv2d(image, torch.from_numpy(W)).tanh().mean((2, 3))
    dy = np.random.default_rng(2).standard_normal(tuple(y.shape)).astype(np.float32)
    return y.detach().numpy(), dy, torch.autograd.grad(y, image, torch.from_numpy(dy))[0].numpy()


CASES = {
    "uint8": (TensorProto.UINT8, 0.0), "int8": (TensorProto.INT8, 128.0), "int32": (TensorProto.INT32, 0.0),
    "uint16": (TensorProto.UINT16, 0.0), "float16": (TensorProto.FLOAT16, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("name", CASES)
def test_pixels_reach_the_network_and_gradients_come_back(name, last):
    elem, offset = CASES[name]
    how = {"preprocess": "raw255"} if name == "float16" else {}
    model = crosslens.wrap(network(elem, offset, last), **how)
    y, dy, gradient = by_torch(IMAGES if name == "float16" else np.round(IMAGES * 255) / np.float32(255))
    tolerance = 5e-3 if name == "float16" else 1e-4
    np.testing.assert_allclose(model.forward(IMAGES)[OUTPUT], y, atol=tolerance)
    got = model.vjp(IMAGES, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_allclose(got, gradient, atol=tolerance * np.abs(gradient).max())


def test_images_in_the_type_s_own_range_are_taken_as_they_are():
    model = crosslens.wrap(network(TensorProto.UINT8), bounds=(0, 255), preprocess=None)
    y, dy, gradient = by_torch(np.round(IMAGES * 255) / np.float32(255))
    np.testing.assert_allclose(model.forward(IMAGES * 255)[OUTPUT], y, atol=1e-4)
    got = model.vjp(IMAGES * 255, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_allclose(got, gradient / 255, atol=1e-4 * np.abs(gradient).max() / 255)


def test_doctor_says_that_gradients_pass_the_rounding_straight_through():
    model = crosslens.wrap(network(TensorProto.UINT8))
    assert ("approximate", None, "QuantizeLinear: straight through") in list(model.diagnosis())


def test_a_preprocessing_that_gives_no_pixels_is_refused():
    with pytest.raises(
        ModelError,
        match=r"the input 'x' is of uint8 and holds pixels from 0 to 255; preprocess= gives -1 to 1: leave it out, or "
        r"give preprocess='raw255'",
    ):
        crosslens.wrap(network(TensorProto.UINT8), preprocess="tf")


def test_an_input_that_no_image_has_is_refused():
    with pytest.raises(ModelError, match="the input 'x' is of bool; an image is of floats or of integers"):
        crosslens.wrap(network(TensorProto.BOOL))


def test_results_say_that_gradients_pass_the_rounding():
    result = crosslens.method("gradient")(crosslens.wrap(network(TensorProto.UINT8)), IMAGES, target=1)
    (note,) = (note for note in result.notes if "gradients" in note)
    assert note == (
        "gradients are approximate: they pass QuantizeLinear straight through, as if values were not rounded "
        "(Bengio et al. 2013)"
    )
    floats = crosslens.wrap(network(TensorProto.FLOAT), preprocess="raw255")
    assert not floats.caveats()
