"""RNN, GRU and LSTM against torch's, in float64: values of every output and gradients of every input."""

import numpy as np
import pytest
import torch
from crosslens.backends.onnx import check_rule
from crosslens.errors import UnsupportedOperators
from onnx import helper, numpy_helper

STEPS, BATCH, WIDTH, HIDDEN = 4, 2, 3, 5
ORDER = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 3, 1, 2]}
"""Gates in the order of ONNX, by their index in torch."""


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
def test_gradients_of_a_recurrent_operator_are_those_of_torch(vjp_of_node, op, begun, directions):
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


def gru_that_resets_first(x, w, r, b):
    """Cho et al. 2014, equations 5 to 8, one step at a time; gates in the order update, reset, hidden."""
    (wz, wr, wh), (rz, rr, rh) = (m.chunk(3) for m in (w, r))
    (bz, br, bh), (cz, cr, ch) = (half.chunk(3) for half in b.chunk(2))
    h, outputs = torch.zeros(len(x[0]), HIDDEN, dtype=torch.float64), []
    for row in x:
        z = torch.sigmoid(row @ wz.T + bz + h @ rz.T + cz)
        reset = torch.sigmoid(row @ wr.T + br + h @ rr.T + cr)
        h = z * h + (1 - z) * torch.tanh(row @ wh.T + bh + (reset * h) @ rh.T + ch)
        outputs.append(h)
    return torch.stack(outputs)[:, None]


@pytest.mark.parametrize("bias", [True, False])
def test_a_gru_that_resets_before_the_product_has_the_gradient_of_the_papers_equations(vjp_of_node, bias):
    inputs = parameters("GRU", bias)
    exact = {n: torch.tensor(v, dtype=torch.float64) for n, v in inputs.items()}
    x = exact["x"].requires_grad_()
    b = exact["b"][0] if bias else torch.zeros(6 * HIDDEN, dtype=torch.float64)
    dy = rand(STEPS, 1, BATCH, HIDDEN, seed=3)
    (want,) = torch.autograd.grad(
        gru_that_resets_first(x, exact["w"][0], exact["r"][0], b), x, torch.tensor(dy).double()
    )
    constants = [n for n in inputs if n != "x"]
    got = vjp_of_node("GRU", inputs, {"y": dy}, wrt=["x"], constants=constants, hidden_size=HIDDEN)
    np.testing.assert_allclose(got["x"], want.numpy(), rtol=1e-4, atol=1e-6)


def test_a_reverse_lstm_with_all_lengths_equal_passes_the_gradient_check():
    inputs = parameters("LSTM") | {"s": np.full(BATCH, STEPS, np.int32)}
    check_rule(one_node("LSTM", inputs, direction="reverse"), {"x": inputs["x"]})  # an AssertionError if it is wrong


UNSUPPORTED = {
    "other activations": ({"activations": ["Sigmoid", "Relu", "Tanh"]}, {}),
    "a clip": ({"clip": 0.5}, {}),
    "sequences of different lengths": ({}, {"s": np.int32([STEPS, 2])}),
    "peepholes": ({}, {"s": None, "h": None, "c": None, "p": rand(1, 3 * HIDDEN)}),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported_forms_are_refused_by_name(case):
    how, more = UNSUPPORTED[case]
    inputs = parameters("LSTM") | more
    with pytest.raises(UnsupportedOperators, match=r"no derivative rule for LSTM \(opset 18\) at node 'node'"):
        check_rule(one_node("LSTM", inputs, **how), {"x": inputs["x"]})
