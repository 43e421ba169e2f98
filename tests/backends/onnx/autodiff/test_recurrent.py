"""RNN, GRU and LSTM against torch's, in float64: values of every output and gradients of every input."""

import numpy as np
import pytest
import torch
from crosslens.backends.onnx import check_rule
from crosslens.errors import UnsupportedOperators
from onnx import helper, numpy_helper

STEPS, BATCH, WIDTH, HIDDEN = 4, 2, 3, 5
ORDER = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 3, 1, 2]}
"""Gates as ONNX has them, by their places in torch."""


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32) / 2


def as_onnx(op, module, name, directions):
    """A parameter of torch's, both directions together, its gates in ONNX' order."""
    values = [getattr(module, f"{name}_l0{end}").detach().numpy() for end in ("", "_reverse")[:directions]]
    gates = [np.split(value, len(ORDER[op])) for value in values]
    return np.stack([np.concatenate([parts[place] for place in ORDER[op]]) for parts in gates])


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("begun", [False, True], ids=["from zeros", "from a state"])
@pytest.mark.parametrize("op", ORDER)
def test_a_recurrent_operator_has_torch_gradients(vjp_of_node, op, begun, directions):
    torch.manual_seed(0)
    module = getattr(torch.nn, op)(WIDTH, HIDDEN, bidirectional=directions == 2)
    w, r, bw, br = (as_onnx(op, module, n, directions) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    inputs = {"x": rand(STEPS, BATCH, WIDTH), "w": w, "r": r, "b": np.concatenate([bw, br], 1), "s": None}
    inputs["h"] = rand(directions, BATCH, HIDDEN, seed=1) if begun else None
    if op == "LSTM":
        inputs["c"] = rand(directions, BATCH, HIDDEN, seed=2) if begun else None
    wrt = [n for n in "xhc" if inputs.get(n) is not None]
    exact = {n: torch.tensor(inputs[n], dtype=torch.float64, requires_grad=True) for n in wrt}
    state = tuple(exact[n] for n in wrt[1:])
    y, last = module.double()(exact["x"], (state if op == "LSTM" else state[0]) if begun else None)
    outputs = [y.unflatten(-1, (directions, HIDDEN)).transpose(1, 2), *(last if op == "LSTM" else [last])]
    dys = {name: rand(*t.shape, seed=3) for name, t in zip("yuv", outputs, strict=False)}
    want = torch.autograd.grad(outputs, list(exact.values()), [torch.tensor(dy).double() for dy in dys.values()])
    how = {"hidden_size": HIDDEN, "direction": "bidirectional" if directions == 2 else "forward"}
    how |= {"linear_before_reset": 1} if op == "GRU" else {}
    got = vjp_of_node(op, inputs, dys, wrt=wrt, constants=list("wrb"), **how)
    for name, gradient in zip(wrt, want, strict=True):
        np.testing.assert_allclose(got[name], gradient.numpy(), rtol=1e-4, atol=1e-6, err_msg=name)


def one_node(op, inputs, **attributes):
    infos = [helper.make_tensor_value_info(k, 1, v.shape) for k, v in inputs.items() if k == "x"]
    tensors = [numpy_helper.from_array(v, k) for k, v in inputs.items() if k != "x" and v is not None]
    names = [k if v is not None else "" for k, v in inputs.items()]
    nodes = [helper.make_node(op, names, ["y"], name="node", hidden_size=HIDDEN, **attributes)]
    graph = helper.make_graph(nodes, "one", infos, [helper.make_empty_tensor_value_info("y")], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def parameters(op, bias=True):
    gates = len(ORDER[op])
    inputs = {"x": rand(STEPS, BATCH, WIDTH), "w": rand(1, gates * HIDDEN, WIDTH), "r": rand(1, gates * HIDDEN, HIDDEN)}
    return inputs | ({"b": rand(1, 2 * gates * HIDDEN)} if bias else {})


@pytest.mark.parametrize("bias", [True, False])
def test_a_gru_that_resets_first_as_onnx_has_it_by_default(bias):
    check_rule(one_node("GRU", inputs := parameters("GRU", bias)), {"x": inputs["x"]})


def test_read_from_the_end_and_with_all_lengths_equal_to_the_number_of_steps():
    inputs = parameters("LSTM") | {"s": np.full(BATCH, STEPS, np.int32)}
    check_rule(one_node("LSTM", inputs, direction="reverse"), {"x": inputs["x"]})


RARE = {
    "activations of its own": ({"activations": ["Sigmoid", "Relu", "Tanh"]}, {}),
    "a clip": ({"clip": 0.5}, {}),
    "rows of different lengths": ({}, {"s": np.int32([STEPS, 2])}),
    "peepholes": ({}, {"s": None, "h": None, "c": None, "p": rand(1, 3 * HIDDEN)}),
}


@pytest.mark.parametrize("case", RARE)
def test_rarer_forms_are_refused_by_name(case):
    how, more = RARE[case]
    inputs = parameters("LSTM") | more
    with pytest.raises(UnsupportedOperators, match=r"no derivative rule for LSTM \(opset 18\) at node 'node'"):
        check_rule(one_node("LSTM", inputs, **how), {"x": inputs["x"]})
