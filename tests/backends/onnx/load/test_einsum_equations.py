"""Einsum: equations that break the rules are refused in one line before onnx's own parser, which may never end."""

import numpy as np
import pytest
from crosslens import INPUT, OUTPUT, wrap
from crosslens.errors import ModelError
from onnx import TensorProto, helper, numpy_helper

W = np.eye(3, dtype=np.float32) * 2


def network(equation):
    nodes = [
        helper.make_node("Einsum", ["x", "w"], ["e"], equation=equation, name="mix"),
        helper.make_node("Flatten", ["e"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 8, 8))]
    made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", ends, made, [numpy_helper.from_array(W, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("equation", ["nchw,cd->ndhw", " n c h w , c d -> n d h w ", "...chw,cd->...dhw"])
def test_equations_that_keep_the_rules_pass(equation):
    x = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    model = wrap(network(equation), preprocess=None)
    y = model.forward(x)[OUTPUT]
    np.testing.assert_allclose(y, 2 * x.reshape(1, -1), rtol=1e-6)
    np.testing.assert_allclose(model.vjp(x, {OUTPUT: y}).gradients[INPUT], 4 * x, rtol=1e-6)


REFUSED = {
    "dots": ("." * 900 + ",cd->ndhw", "is not letters and at most one ellipsis"),
    "long": ("." * 3000 + ",cd->ndhw", "3,009 characters are more than 1,000"),
    "ellipses": ("..." * 200 + ",cd->ndhw", "is not letters and at most one ellipsis"),
    "terms": ("," * 500, "it has 501 terms and the node 2 inputs"),
    "letters": ("nchw" * 100 + ",cd->ndhw", "a term has 400 letters, more than 32"),
    "arrows": ("nchw,cd->ndhw->n", "is not letters and at most one ellipsis"),
    "output": ("nchw,cd->nnhw", "its output repeats a letter"),
    "unknown": ("nchw,cd->z", "its output repeats a letter, or has one that no input has"),
    "digits": ("1234,35->1534", "'1234' is not letters"),
    "no ASCII": ("nchw,cd->nd\u00e9", "is not letters"),
    "line": ("nchw,\ncd->ndhw", "is not letters"),
    "ellipsis": ("nchw,cd->...", "its output has an ellipsis and no input has"),
    "empty": ("", "it has 1 terms and the node 2 inputs"),
}


@pytest.mark.parametrize(("equation", "text"), REFUSED.values(), ids=REFUSED)
def test_equations_that_break_the_rules_are_one_line(equation, text):
    with pytest.raises(ModelError) as caught:
        wrap(network(equation), preprocess=None)
    said = str(caught.value)
    assert text in said
    assert said.startswith("Einsum 'mix' has the equation")
    assert "\n" not in said
    assert len(said) < 320
