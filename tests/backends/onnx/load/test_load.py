"""What is taken for a network, and what each wrong thing is told."""

import threading

import numpy as np
import onnx
import pytest
from crosslens import INPUT, OUTPUT, wrap
from crosslens.backends.onnx import stops, vjp
from crosslens.backends.onnx.autodiff.registry import _RULES
from crosslens.backends.onnx.ir.module_names import module_aliases
from crosslens.backends.onnx.load.load import graph_of
from crosslens.errors import LayerError, ModelError, ParameterError, UnsupportedOperators
from crosslens.model import InputSpec
from onnx import helper, numpy_helper


def weights(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def proto(
    nodes,
    *,
    shape=("n", 3, 8, 8),
    constants=None,
    outputs=("y",),
    inputs=("x",),
    opset=18,
    elem=1,
    domains=(),
    out=None,
):
    infos = [helper.make_tensor_value_info(name, elem, shape) for name in inputs]
    graph = helper.make_graph(
        nodes, "g", infos, [helper.make_tensor_value_info(o, elem if elem == 10 else 1, out) for o in outputs],
        [numpy_helper.from_array(v, k) for k, v in (constants or {}).items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def conv_net(**how):
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="conv"),
        node("Relu", ["c"], ["r"]),
        node("GlobalAveragePool", ["r"], ["p"]),
        node("Flatten", ["p"], ["y"]),
    ]
    return proto(nodes, constants={"w": weights(4, 3, 3, 3)}, **how)


def images(n=2, shape=(3, 8, 8)):
    return np.random.default_rng(0).random((n, *shape), dtype=np.float32)


def numerical_gradient(model, x, dy, at, step=1e-2):
    """Central differences of <dy, output> at one pixel."""
    ends = []
    for sign in (1, -1):
        moved = x.copy()
        moved[at] += sign * step
        ends.append(float((model.forward(moved)[OUTPUT] * dy).sum()))
    return (ends[0] - ends[1]) / (2 * step)


def test_a_text_file_is_told_to_be_none(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_text("this is not a network\n")
    with pytest.raises(ModelError, match=r"net\.onnx' is not an ONNX file, or it is truncated") as caught:
        wrap(path)
    assert "\n" not in str(caught.value)


def test_an_empty_file_is_told_to_be_none(tmp_path):
    path = tmp_path / "net.onnx"
    path.touch()
    with pytest.raises(ModelError, match=r"net\.onnx' is empty \(0 bytes\)"):
        wrap(path)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_file_that_is_cut_off_is_told_to_be(tmp_path, share):
    path = tmp_path / "net.onnx"
    content = conv_net().SerializeToString()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match="not an ONNX file, or it is truncated") as caught:
        wrap(path)
    assert "\n" not in str(caught.value)


def test_an_invalid_graph_is_told_why():
    broken = onnx.shape_inference.infer_shapes(conv_net())
    broken.graph.node[1].input[0] = "nowhere"
    with pytest.raises(ModelError, match=r"the ModelProto is not a valid ONNX model: .*nowhere"):
        wrap(broken)


def test_weights_in_a_file_beside_it_are_read_and_missed(tmp_path):
    path = tmp_path / "net.onnx"
    whole = conv_net()
    x = images()
    want = wrap(whole).forward(x)[OUTPUT]
    onnx.save(whole, path, save_as_external_data=True, location="net.data", size_threshold=0)
    np.testing.assert_array_equal(wrap(path).forward(x)[OUTPUT], want)
    (tmp_path / "net.data").unlink()
    with pytest.raises(ModelError, match=r"net\.onnx' .*net\.data"):
        wrap(path)


def test_several_inputs_are_named():
    two = proto([helper.make_node("Add", ["x", "style"], ["y"])], inputs=["x", "style"])
    with pytest.raises(ModelError, match=r"the network has 2 inputs: 'x' float \(any, 3, 8, 8\), 'style'"):
        wrap(two)


def test_several_inputs_are_held_as_the_message_says():
    two = proto([helper.make_node("Mul", ["x", "style"], ["y"])], inputs=["x", "style"])
    with pytest.raises(ModelError, match=r"give values for the others: inputs=\{'style': array\}"):
        wrap(two)
    style = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    dy = np.ones((2, 3, 8, 8), np.float32)
    dx = wrap(two, preprocess=None, inputs={"style": style}).vjp(dy, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_allclose(dx, np.broadcast_to(style, dy.shape), rtol=1e-6)


def test_several_outputs_are_named_and_one_can_be_chosen():
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    two = proto(nodes, outputs=["y", "z"])
    with pytest.raises(ModelError, match="the network has 2 outputs: y, z; choose one with output="):
        wrap(two)
    x = images()
    for output in ("z", 1, -1):
        np.testing.assert_array_equal(wrap(two, output=output, preprocess=None).forward(x)[OUTPUT], -x)
    with pytest.raises(ModelError, match="the network has no output 'q'; it has y, z"):
        wrap(two, output="q")
    with pytest.raises(ModelError, match="output is 2; the network has 2: y, z"):
        wrap(two, output=2)


@pytest.mark.parametrize("shape", [("n", 7, 8, 8), ("n", 3, 8, 3), ("n", "c", "h", "w"), ("n", "c")])
def test_a_shape_that_does_not_say_where_channels_are_asks_for_it(shape):
    with pytest.raises(ModelError, match=r"does not say .* Give input_shape=\(C, H, W\), .*or InputSpec\.latent"):
        wrap(proto([helper.make_node("Relu", ["x"], ["y"])], shape=shape))


def test_input_shape_decides_and_contradictions_are_told():
    free = proto([helper.make_node("Relu", ["x"], ["y"])], shape=("n", "c", "h", "w"))
    assert wrap(free, input_shape=(3, None, None)).input.shape == (3, None, None)
    with pytest.raises(
        ModelError, match=r"input_shape is \(3, 9, 9\), but the network's input 'x' is float \(any, 3, 8, 8\)"
    ):
        wrap(conv_net(), input_shape=(3, 9, 9))


@pytest.mark.parametrize("shape", [(12,), (12, 1, 1)])
def test_a_latent_code_is_an_input_too(shape):
    node = helper.make_node("Tanh", ["x"], ["y"])
    model = wrap(proto([node], shape=("n", *shape)), input_shape=InputSpec.latent(shape))
    z = weights(2, *shape)
    dy = weights(2, *shape, seed=1)
    np.testing.assert_allclose(model.vjp(z, {OUTPUT: dy}).gradients[INPUT], (1 - np.tanh(z) ** 2) * dy, rtol=1e-5)


def test_an_input_of_one_axis_is_a_latent_code_without_being_told():
    model = wrap(proto([helper.make_node("Tanh", ["x"], ["y"])], shape=("n", 12)))
    assert model.input == InputSpec.latent((12,))


def test_an_input_of_truth_values_is_told():
    with pytest.raises(ModelError, match=r"the input 'x' is of bool; an image is of floats or of integers"):
        wrap(proto([helper.make_node("Cast", ["x"], ["y"], to=1)], elem=9))


def test_a_device_is_refused():
    with pytest.raises(ModelError, match="device is 'cuda'; onnxruntime computes where providers= says"):
        wrap(conv_net(), device="cuda")


def test_training_mode_is_refused():
    node = helper.make_node("Dropout", ["x", "r", "t"], ["y"])
    constants = {"r": np.float32(0.5), "t": np.array(True)}
    with pytest.raises(ModelError, match=r"exported in training mode: Dropout .*eval\(\)"):
        wrap(proto([node], constants=constants))


def test_operators_without_a_rule_are_named_all_at_once_with_opset_and_node():
    nodes = [helper.make_node("Inverse", ["x"], ["i"], name="first", domain="com.microsoft"),
             helper.make_node("SampleOp", ["i"], ["y"], name="second", domain="com.microsoft")]  # fmt: skip
    model = wrap(proto(nodes))
    x = images()
    dy = model.forward(x)[OUTPUT]
    both = r"com\.microsoft\.Inverse \(opset 1\) at node 'first'; com\.microsoft\.SampleOp \(opset 1\) at node 'second'"
    with pytest.raises(UnsupportedOperators, match=both):
        model.vjp(x, {OUTPUT: dy})


def test_an_operator_without_a_rule_off_the_path_does_no_harm():
    nodes = [helper.make_node("Inverse", ["x"], ["i"], domain="com.microsoft"),
             helper.make_node("Relu", ["x"], ["r"], name="r"), helper.make_node("Add", ["r", "i"], ["y"])]  # fmt: skip
    model = wrap(proto(nodes), preprocess=None)
    x = images()
    pull = model.vjp(x, {OUTPUT: x}, wrt=["r"])
    np.testing.assert_array_equal(pull.gradients["r"], x)


def test_a_rule_from_outside_makes_an_operator_differentiable(monkeypatch):
    """Det: d det(A) = det(A) tr(A^-1 dA); for 2 x 2 the adjugate times the cotangent."""

    monkeypatch.setitem(_RULES, ("", "Det"), [])

    @vjp("Det")
    def det(g, node, dy):
        perm = g.op("Gather", g.op("Gather", node.inputs[0], g.ints([1, 0]), axis=-1), g.ints([1, 0]), axis=-2)
        adjugate = g.op("Mul", g.op("Transpose", perm, perm=[0, 1, 2, 3]), g.const([[1, -1], [-1, 1]], np.float32))
        return [g.op("Mul", adjugate, g.op("Unsqueeze", dy, g.ints([-1, -2])))]

    model = wrap(proto([helper.make_node("Det", ["x"], ["y"])], shape=("n", 3, 2, 2)), preprocess=None)
    x = images(shape=(3, 2, 2))
    dy = weights(2, 3)
    want = dy[..., None, None] * np.linalg.det(x)[..., None, None] * np.linalg.inv(x).swapaxes(-1, -2)
    np.testing.assert_allclose(model.vjp(x, {OUTPUT: dy}).gradients[INPUT], want, rtol=1e-3)


def test_a_gradient_stops_at_what_is_not_differentiable():
    nodes = [helper.make_node("Floor", ["x"], ["f"]), helper.make_node("Mul", ["x", "f"], ["y"])]
    model = wrap(proto(nodes), preprocess=None)
    x = images() * 4
    np.testing.assert_array_equal(model.vjp(x, {OUTPUT: x}).gradients[INPUT], x * np.floor(x))
    assert callable(stops)


@pytest.mark.parametrize(
    ("op", "opset"), [("Mish", 18), ("Celu", 18), ("ThresholdedRelu", 18), ("MeanVarianceNormalization", 18)]
)
def test_an_operator_that_onnx_defines_by_others_needs_no_rule(op, opset):
    model = wrap(proto([helper.make_node(op, ["x"], ["y"])], opset=opset), preprocess=None)
    x, dy = images() - 0.5, weights(2, 3, 8, 8)
    got = model.vjp(x, {OUTPUT: dy}).gradients[INPUT]
    for at in [(0, 0, 0, 0), (1, 2, 3, 4), (0, 1, 7, 7)]:
        assert got[at] == pytest.approx(numerical_gradient(model, x, dy, at), rel=2e-2, abs=2e-3)


def test_an_image_with_channels_last_is_seen_channels_first():
    """A network on (N, H, W, C), as tf2onnx writes it, against the same one on (N, C, H, W)."""
    node = helper.make_node
    body = [node("Conv", ["a", "w"], ["c"], name="conv"), node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
            node("Add", ["t", "b"], ["s"], name="add"), node("Tanh", ["s"], ["h"], name="tanh"),
            node("ReduceMean", ["h", "axes"], ["y"], keepdims=0)]  # fmt: skip
    constants = {"w": weights(4, 3, 3, 3), "b": weights(4), "axes": np.array([1, 2])}
    last = wrap(
        proto([node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]), *body], shape=("n", 8, 9, 3), constants=constants)
    )
    first = wrap(proto([node("Identity", ["x"], ["a"]), *body], shape=("n", 3, 8, 9), constants=constants))
    assert last.input.shape == (3, 8, 9)
    assert last.layers["tanh"].shape == (None, 4, 6, 7)
    x, dy = images(shape=(3, 8, 9)), weights(2, 4)
    want = first.vjp(x, {OUTPUT: dy}, wrt=[INPUT, "tanh", "conv"], capture=["add", OUTPUT])
    got = last.vjp(x, {OUTPUT: dy}, wrt=[INPUT, "tanh", "conv"], capture=["add", OUTPUT])
    for name in want.gradients:
        np.testing.assert_allclose(got.gradients[name], want.gradients[name], rtol=1e-5)
    np.testing.assert_allclose(got.activations["add"], want.activations["add"], rtol=1e-5)
    given = weights(2, 4, 6, 7)
    for model in (last, first):
        np.testing.assert_allclose(
            model.forward(x, replace={"tanh": given})[OUTPUT], given.mean((2, 3)), rtol=1e-5, atol=1e-6
        )


def test_preprocessing_is_applied_with_its_adjoint():
    model = wrap(
        proto([helper.make_node("Identity", ["x"], ["i"]), helper.make_node("Neg", ["i"], ["y"])]), preprocess="caffe"
    )
    x, dy = images(), weights(2, 3, 8, 8)
    mean = np.array([103.939, 116.779, 123.68], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(model.forward(x)[OUTPUT], mean - 255 * x[:, ::-1], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(model.vjp(x, {OUTPUT: dy}).gradients[INPUT], -255 * dy[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize("old", [7, 9, 10, 11, 12, 13, 16])
def test_old_opsets_are_read_and_differentiated(old):
    node = helper.make_node
    nodes = [
        node("Pad", ["x"], ["p"], pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant"),
        node("Clip", ["p"], ["c"], min=0.0, max=0.9),
        node("Slice", ["c"], ["s"], starts=[1, 0], ends=[9, 5], axes=[2, 3]),
        node("ReduceMean", ["s"], ["m"], axes=[2], keepdims=1),
        node("Squeeze", ["m"], ["q"], axes=[2]),
        node("Split", ["q"], ["f", "g"], axis=2, split=[2, 3]),
        node("Softmax", ["g"], ["y"], axis=1),
    ]
    newer = {
        0: (11, node("Pad", ["x", "pads"], ["p"])),
        1: (11, node("Clip", ["p", "low", "high"], ["c"])),
        2: (10, node("Slice", ["c", "from", "to", "ax"], ["s"])),
        4: (13, node("Squeeze", ["m", "two"], ["q"])),
        5: (13, node("Split", ["q", "parts"], ["f", "g"], axis=2)),
    }
    nodes = [newer[k][1] if k in newer and old >= newer[k][0] else each for k, each in enumerate(nodes)]
    constants = {
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "low": np.float32(0), "high": np.float32(0.9),
        "from": np.array([1, 0]), "to": np.array([9, 5]), "ax": np.array([2, 3]), "two": np.array([2]),
        "parts": np.array([2, 3]),
    }  # fmt: skip
    used = {i for n in nodes for i in n.input}
    model = wrap(proto(nodes, constants={k: v for k, v in constants.items() if k in used}, opset=old), preprocess=None)
    x = images() * 0.8 + 0.05
    clipped = np.pad(np.clip(x, 0, 0.9), ((0, 0), (0, 0), (1, 1), (1, 1)))[:, :, 1:9, :5].mean(2)[:, :, 2:]
    e = np.exp(clipped)
    want = e / (e.sum((1, 2), keepdims=True) if old < 13 else e.sum(1, keepdims=True))
    np.testing.assert_allclose(model.forward(x)[OUTPUT], want, rtol=1e-5)
    dy = weights(2, 3, 3)
    got = model.vjp(x, {OUTPUT: dy}).gradients[INPUT]
    for at in [(0, 0, 2, 2), (1, 2, 3, 3)]:
        assert got[at] == pytest.approx(numerical_gradient(model, x, dy, at), rel=2e-2, abs=1e-4)


def test_opset_six_is_refused():
    with pytest.raises(ModelError, match="the network is of opset 6; crosslens reads 7 and newer"):
        wrap(proto([helper.make_node("Relu", ["x"], ["y"])], opset=6))


def test_weights_are_in_one_layout():
    node = helper.make_node
    nodes = [node("ConvTranspose", ["x", "t"], ["a"], name="up", group=3), node("GlobalAveragePool", ["a"], ["p"]),
             node("Flatten", ["p"], ["f"]), node("MatMul", ["f", "m"], ["h"], name="mat"),
             node("Gemm", ["h", "g", "b"], ["y"], name="gemm", transB=1)]  # fmt: skip
    constants = {"t": weights(3, 2, 4, 5), "m": weights(6, 5), "g": weights(7, 5), "b": weights(7)}
    model = wrap(proto(nodes, constants=constants))
    assert model.weights("up")["kernel"].shape == (6, 1, 4, 5)
    np.testing.assert_array_equal(model.weights("up")["kernel"][3, 0], constants["t"][1, 1])
    np.testing.assert_array_equal(model.weights("mat")["kernel"], constants["m"].T)
    np.testing.assert_array_equal(model.weights("gemm")["kernel"], constants["g"])
    np.testing.assert_array_equal(model.weights("gemm")["bias"], constants["b"])
    again = model._with_weights({name: model.weights(name) for name in ("up", "mat", "gemm")})
    np.testing.assert_array_equal(again.forward(images())[OUTPUT], model.forward(images())[OUTPUT])


def test_a_kernel_that_two_nodes_share_is_redrawn_for_one():
    node = helper.make_node
    nodes = [node("Conv", ["x", "w"], ["a"], name="one"), node("Conv", ["a", "w"], ["y"], name="two")]
    model = wrap(proto(nodes, constants={"w": weights(3, 3, 1, 1)}), preprocess=None)
    changed = model.randomised(["two"], seed=0)
    x = images()
    np.testing.assert_array_equal(changed.forward(x, ["one"])["one"], model.forward(x, ["one"])["one"])
    assert np.abs(changed.forward(x)[OUTPUT] - model.forward(x)[OUTPUT]).max() > 0.1


def test_a_network_without_a_rectifier_has_no_rule_to_change():
    model = wrap(proto([helper.make_node("Tanh", ["x"], ["y"])]))
    with pytest.raises(ModelError, match="this network has no rectifier"):
        model.modified(relu="guided")
    with pytest.raises(ParameterError, match="no relu rule 'guide'"):
        model.modified(relu="guide")


def test_a_relu6_as_minimum_of_maximum_is_one_rectifier():
    nodes = [helper.make_node("Max", ["x", "zero"], ["a"]), helper.make_node("Min", ["a", "six"], ["y"])]
    model = wrap(proto(nodes, constants={"zero": np.float32(0), "six": np.float32(0.5)}), preprocess=None)
    x, dy = images() * 2 - 1, weights(2, 3, 8, 8)
    inside = (x > 0) & (x < 0.5)
    want = {"exact": inside * dy, "guided": inside * dy.clip(0), "deconvnet": dy.clip(0), "linear": dy}
    for rule, gradient in want.items():
        np.testing.assert_array_equal(model.modified(relu=rule).vjp(x, {OUTPUT: dy}).gradients[INPUT], gradient)


def test_a_linearisation_that_is_closed_says_so():
    model, x = wrap(conv_net()), images()
    with model.linearize(x, [OUTPUT]) as at:
        dy = at.activations[OUTPUT]
    with pytest.raises(LayerError, match="this linearisation is closed"):
        at.vjp({OUTPUT: dy})


def test_sessions_are_bounded_and_shared_by_equal_requests(monkeypatch):
    model, x = wrap(conv_net()), images()
    for name in ["conv", *model.layers]:
        for other in model.layers:
            model.forward(x, [name, other])
    assert 2 <= len(model._sessions) <= 16
    before = len(model._sessions)
    model.forward(x, ["conv", OUTPUT])
    model.forward(x[:1], ["conv", OUTPUT])
    assert len(model._sessions) <= before


def test_several_threads_may_call_one_model():
    model = wrap(conv_net())
    xs = [images(n) for n in (1, 2, 3, 4)]
    want = [wrap(conv_net()).vjp(x, {OUTPUT: np.ones((len(x), 4), np.float32)}).gradients[INPUT] for x in xs]
    wrong = []

    def work(x, expected):
        for _ in range(5):
            got = model.vjp(x, {OUTPUT: np.ones((len(x), 4), np.float32)}).gradients[INPUT]
            if not np.array_equal(got, expected):
                wrong.append(len(x))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(xs, want, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_weights_are_shared_with_sessions_not_copied():
    whole = conv_net()
    model = wrap(whole)
    model.vjp(images(), {OUTPUT: np.ones((2, 4), np.float32)})
    kernel = model._graph.constants["w"]
    opened = [e.program.graph.constants for e in model._sessions._open.values()]
    assert any(constants.get("w") is kernel for constants in opened)


def test_module_names_of_repeated_runs_are_numbered():
    runs = [
        (("a", "a.b"), "1"),
        (("a", "a.b"), "2"),
        (("a", "a.c"), "3"),
        (("a", "a.b"), "4"),
        (("d",), "5"),
        (("a",), "6"),
    ]
    want = {"a": "4", "a.b": "2", "a.c": "3", "a.b#2": "4", "d": "5", "a#2": "6"}
    assert module_aliases(runs) == want


def test_a_graph_shares_nothing_with_the_message_it_was_read_from():
    """A part of a message keeps the whole of it in memory: all the weights a second time."""
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])
    message = proto([node], constants={"w": weights(2, 3, 3, 3)})
    graph = graph_of(message)
    message.graph.node[0].attribute[0].ints[0] = 7
    assert graph.nodes[0].attr("kernel_shape") == (3, 3)
