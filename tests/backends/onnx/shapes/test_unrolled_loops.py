"""Loop and Scan whose number of steps is known: written out, they compute and differentiate as onnxruntime's own."""

import numpy as np
import onnxruntime as ort
import pytest
from crosslens import INPUT, OUTPUT, wrap
from crosslens.backends.onnx.ir.session import open_session
from crosslens.backends.onnx.shapes import loop_condition
from crosslens.errors import UnsupportedOperators
from onnx import TensorProto, helper, numpy_helper

node, info = helper.make_node, helper.make_tensor_value_info
X = np.random.default_rng(0).random((2, 3, 4, 5), dtype=np.float32)


def network(nodes, *, opset=18, **constants):
    ends = [info("x", 1, ("n", 3, 4, 5)), info("y", 1, None)]
    values = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def by_onnxruntime(model, x):
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def check(model, want, dx):
    """`want` of x in NumPy, `dx` of x and dy; and onnxruntime's own loop says the same."""
    made = wrap(model, preprocess=None)
    y = made.forward(X)[OUTPUT]
    np.testing.assert_allclose(y, want(X), rtol=1e-5)
    np.testing.assert_allclose(by_onnxruntime(model, X), y, rtol=1e-5)
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    np.testing.assert_allclose(made.vjp(X, {OUTPUT: dy}).gradients[INPUT], dx(X, dy), rtol=1e-4, atol=1e-5)


def powers(condition):
    """v <- v x, and each v is kept; step i also adds i."""
    return helper.make_graph(
        [
            node("Mul", ["v", "x"], ["w"], name="inner"),
            node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
            node("Add", ["w", "f"], ["v_out"]),
            node("ReduceSum", ["v_out", "axes"], ["kept"], keepdims=0),
            *condition,
        ],
        "body",
        [info("i", TensorProto.INT64, ()), info("c", TensorProto.BOOL, ()), info("v", 1, None)],
        [info("c_out", TensorProto.BOOL, ()), info("v_out", 1, None), info("kept", 1, None)],
        [numpy_helper.from_array(np.array([2, 3]), "axes")],
    )


CONDITIONS = {
    "as it was": [node("Identity", ["c"], ["c_out"])],
    "counted": [
        node("Constant", [], ["two"], value=numpy_helper.from_array(np.array(2))),
        node("Less", ["i", "two"], ["c_out"]),
    ],
}


@pytest.mark.parametrize(("condition", "most"), [("as it was", 3), ("counted", 9), ("counted", None)])
def test_a_loop_of_known_length_is_its_steps(condition, most):
    """x x, then (x x) x + 1, then that times x + 2; the values kept stand along a new first axis."""
    loop = node(
        "Loop", ["most" if most else "", "go", "x"], ["v", "all"], name="loop", body=powers(CONDITIONS[condition])
    )
    model = network([loop, node("Transpose", ["all"], ["t"], perm=[1, 0, 2]), node("Sin", ["v"], ["s"]),
                     node("ReduceSum", ["s", "last"], ["r"], keepdims=0), node("Unsqueeze", ["r", "one"], ["u"]),
                     node("Concat", ["t", "u"], ["y"], axis=1)],
                    most=np.array(most or 0), go=np.array(True), last=np.array([2, 3]), one=np.array([1]))  # fmt: skip

    def steps(x):
        a = x * x
        b = a * x + 1
        return a, b, b * x + 2

    def want(x):
        a, b, c = steps(x)
        return np.stack([t.sum((2, 3)) for t in (a, b, c, np.sin(c))], 1)

    def dx(x, dy):
        _, _, c = steps(x)
        da, db, dc, ds = (dy[:, i, :, None, None] for i in range(4))
        return da * 2 * x + db * 3 * x**2 + (dc + ds * np.cos(c)) * (4 * x**3 + 1)

    check(model, want, dx)


def test_a_scan_reads_slices_and_stacks_what_each_step_gives():
    """A running sum along rows, read from the last row on and written along the last axis."""
    body = helper.make_graph(
        [node("Add", ["s", "row"], ["s_out"]), node("Mul", ["s_out", "row"], ["given"])],
        "body", [info("s", 1, None), info("row", 1, None)], [info("s_out", 1, None), info("given", 1, None)],
    )  # fmt: skip
    scan = node("Scan", ["zero", "x"], ["last", "y"], body=body, num_scan_inputs=1, scan_input_axes=[2],
                scan_input_directions=[1], scan_output_axes=[3], scan_output_directions=[1])  # fmt: skip
    model = network([node("ReduceSum", ["x", "rows"], ["all"], keepdims=0), node("Sub", ["all", "all"], ["zero"]),
                     scan], rows=np.array([2]))  # fmt: skip

    def sums(x):
        return np.cumsum(x[:, :, ::-1], 2)[:, :, ::-1]

    def dx(x, dy):
        dy = np.swapaxes(dy, 2, 3)
        return dy * sums(x) + np.cumsum(dy * x, 2)

    check(model, lambda x: np.swapaxes(sums(x) * x, 2, 3), dx)


def test_a_loop_inside_a_loop_is_written_out_too():
    inner = helper.make_graph(
        [node("Mul", ["w", "x"], ["w_out"]), node("Identity", ["k"], ["k_out"])], "inner",
        [info("j", TensorProto.INT64, ()), info("k", TensorProto.BOOL, ()), info("w", 1, None)],
        [info("k_out", TensorProto.BOOL, ()), info("w_out", 1, None)],
    )  # fmt: skip
    outer = helper.make_graph(
        [node("Loop", ["two", "c", "v"], ["v_out"], body=inner), node("Identity", ["c"], ["c_out"])], "outer",
        [info("i", TensorProto.INT64, ()), info("c", TensorProto.BOOL, ()), info("v", 1, None)],
        [info("c_out", TensorProto.BOOL, ()), info("v_out", 1, None)],
    )  # fmt: skip
    model = network([node("Loop", ["two", "go", "x"], ["y"], body=outer)], two=np.array(2), go=np.array(True))
    check(model, lambda x: x**5, lambda x, dy: 5 * x**4 * dy)


def test_a_loop_that_hangs_on_the_image_runs_forward_and_is_named_backward():
    body = helper.make_graph(
        [node("Mul", ["v", "half"], ["v_out"]), node("ReduceMax", ["v_out"], ["m"], keepdims=0),
         node("Greater", ["m", "half"], ["c_out"])], "body",
        [info("i", TensorProto.INT64, ()), info("c", TensorProto.BOOL, ()), info("v", 1, None)],
        [info("c_out", TensorProto.BOOL, ()), info("v_out", 1, None)],
    )  # fmt: skip
    model = network(
        [node("Loop", ["", "go", "x"], ["y"], name="loop", body=body)], go=np.array(True), half=np.float32(0.5)
    )
    made = wrap(model, preprocess=None)
    np.testing.assert_allclose(made.forward(X)[OUTPUT], by_onnxruntime(model, X))
    with pytest.raises(UnsupportedOperators, match=r"Loop \(opset 18\) at node 'loop' \(the image decides how often"):
        made.vjp(X, {OUTPUT: X})


def counting(end):
    """v <- tanh(v) while a carried counter, which goes 0, 2, 4 and so on, is below `end` (a tensor outside)."""
    return helper.make_graph(
        [
            node("Tanh", ["v"], ["w"]),
            node("Add", ["k", "two"], ["next"]),
            node("Less", ["next", end], ["c_out"]),
        ],
        "body",
        [info("i", TensorProto.INT64, ()), info("c", TensorProto.BOOL, ()), info("k", 7, ()), info("v", 1, None)],
        [info("c_out", TensorProto.BOOL, ()), info("next", TensorProto.INT64, ()), info("w", 1, None)],
        [numpy_helper.from_array(np.array(2), "two")],
    )


def test_the_condition_of_all_steps_is_computed_by_one_session(monkeypatch):
    opened = []
    monkeypatch.setattr(loop_condition, "open_session", lambda *a, **k: opened.append(a) or open_session(*a, **k))
    loop = node("Loop", ["", "go", "start", "x"], ["k_end", "y"], body=counting("end"))
    model = network([loop], go=True, start=np.array(0), end=np.array(99))
    assert sum(each.op == "Tanh" for each in wrap(model, preprocess=None)._graph.nodes) == 50
    assert len(opened) == 1
    short = network([loop], go=True, start=np.array(0), end=np.array(5))
    tanh3 = lambda x: np.tanh(np.tanh(np.tanh(x)))  # noqa: E731
    slope = lambda y: 1 - y**2  # noqa: E731
    check(short, tanh3, lambda x, dy: dy * slope(tanh3(x)) * slope(np.tanh(np.tanh(x))) * slope(np.tanh(x)))


def test_a_loop_whose_condition_is_false_at_first_gives_what_it_was_given():
    loop = node("Loop", ["", "go", "start", "x"], ["k_end", "y"], body=counting("end"))
    model = network([loop], go=False, start=np.array(0), end=np.array(5))
    check(model, lambda x: x, lambda x, dy: dy)


def test_a_carried_value_that_comes_from_the_image_leaves_the_loop_as_it_is():
    loop = node("Loop", ["", "go", "start", "x"], ["k_end", "y"], body=counting("end"))
    size = [node("ReduceSum", ["x"], ["sum"], keepdims=0), node("Cast", ["sum"], ["start"], to=TensorProto.INT64)]
    model = network([*size, loop], go=True, end=np.array(5))
    assert [each.op for each in wrap(model, preprocess=None)._graph.nodes].count("Loop") == 1
