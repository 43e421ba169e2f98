"""Networks with several outputs; how many sessions stay open; threads; and what a program leaves out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from crosslens import INPUT, OUTPUT, wrap
from crosslens.backends.onnx.runtime.program import Request, forward_program, fused_program, split_programs
from crosslens.backends.onnx.runtime.session_cache import SessionCache
from crosslens.cli import cli
from onnx import TensorProto, helper, numpy_helper


def weights(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32) / 4


def detector():
    """A trunk with two heads, as a single-shot detector has: boxes (N, 8, 4, 4) and classes (N, 5)."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1"], ["a"], name="stem", strides=[2, 2], pads=[1] * 4),
        node("Tanh", ["a"], ["b"], name="act"),
        node("Conv", ["b", "w2"], ["boxes"], name="box_head", pads=[1] * 4),
        node("Conv", ["b", "w3"], ["c"], name="class_head"),
        node("GlobalAveragePool", ["c"], ["p"], name="pool"), node("Flatten", ["p"], ["classes"], name="flat"),
    ]  # fmt: skip
    kernels = {"w1": weights(6, 3, 3, 3), "w2": weights(8, 6, 3, 3), "w3": weights(5, 6, 1, 1)}
    outputs = {"boxes": ["n", 8, 4, 4], "classes": ["n", 5]}
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(v, k) for k, v in kernels.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def images(n=2):
    return np.random.default_rng(n).random((n, 3, 8, 8), dtype=np.float32)


@pytest.mark.parametrize(("output", "other"), [("boxes", "classes"), ("classes", "boxes"), (0, "classes")])
def test_the_outputs_that_were_not_chosen_are_layers(output, other):
    model, alone = (wrap(detector(), output=name) for name in (output, other))
    x = images()
    assert other in {alias for layer in model.layers.values() for alias in layer.aliases}
    assert list(model.layers)[-1] == OUTPUT
    found = model.forward(x, [other, OUTPUT])
    np.testing.assert_allclose(found[other], alone.forward(x)[OUTPUT], rtol=1e-5, atol=1e-6)
    dy = weights(*found[other].shape)
    got = model.vjp(x, {other: dy}).gradients[INPUT]
    np.testing.assert_allclose(got, alone.vjp(x, {OUTPUT: dy}).gradients[INPUT], rtol=1e-5, atol=1e-7)


def test_the_command_line_chooses_the_output(tmp_path):
    onnx.save(detector(), tmp_path / "net.onnx")
    done = CliRunner().invoke(cli, ["layers", str(tmp_path / "net.onnx")])
    assert "the network has 2 outputs: boxes, classes; choose one with --output" in done.output
    for output in ("classes", "1"):
        done = CliRunner().invoke(cli, ["layers", str(tmp_path / "net.onnx"), "--output", output])
        assert done.exit_code == 0
        assert done.stdout.splitlines()[-1].split()[:3] == ["<output>", "Output", "5"]
        assert "box_head" in done.stdout


class Sized:
    def __init__(self, nbytes):
        self.nbytes = nbytes


def test_sessions_are_bounded_in_number_the_one_unused_for_longest_goes_first():
    cache, built = SessionCache(most=3), []
    for key in (1, 2, 3, 1, 4, 1, 2):
        cache.get(key, lambda key=key: built.append(key) or Sized(1))
        assert len(cache) <= 3
    assert built == [1, 2, 3, 4, 2]


def test_sessions_are_bounded_in_size_but_one_too_large_is_kept():
    cache = SessionCache(most=10, most_bytes=100)
    sizes = []
    for key, nbytes in enumerate((60, 30, 30, 500, 10)):
        cache.get(key, lambda nbytes=nbytes: Sized(nbytes))
        sizes.append(len(cache))
    assert sizes == [1, 2, 2, 1, 1]


def test_threads_that_mix_calls_get_what_one_after_another_gets():
    model, x = wrap(detector(), output="classes"), images(3)
    dy = weights(3, 5)

    def work(kind):
        if kind == 0:
            return model.forward(x, ["act"])["act"]
        if kind == 1:
            return model.vjp(x, {OUTPUT: dy}, wrt=["stem"]).gradients["stem"]
        if kind == 2:
            return model.vjp(x[:2], {OUTPUT: dy[:2]}).gradients[INPUT]
        with model.linearize(x, [OUTPUT]) as at:
            return at.vjp({OUTPUT: dy})[INPUT]

    want = [work(kind) for kind in range(4)]
    model = wrap(detector(), output="classes")
    with ThreadPoolExecutor(4) as pool:
        for position, got in enumerate(pool.map(work, [n % 4 for n in range(40)])):
            np.testing.assert_array_equal(got, want[position % 4])


def operators(program):
    return [node.op for node in program.graph.nodes if node.op in {"Conv", "ConvTranspose", "Tanh"}]


def test_only_what_is_captured_seeded_and_asked_for_is_computed():
    model = wrap(detector(), output="classes", preprocess=None)
    graph = model._inferred_at(("N", 3, 8, 8))
    assert operators(forward_program(graph, model._layer_tensors, Request(("act",)))) == ["Conv", "Tanh"]
    assert operators(forward_program(graph, model._layer_tensors, Request(("box_head",)))) == ["Conv", "Tanh", "Conv"]
    to_middle = fused_program(graph, model._layer_tensors, Request((), ("class_head",), ("act",)))
    assert len(operators(to_middle)) == 1, "a linear layer's gradient needs no forward pass and nothing before it"
    whole = fused_program(graph, model._layer_tensors, Request((), (OUTPUT,), (INPUT,)))
    assert "w2" in graph.constants
    assert "w2" not in whole.graph.constants, "the other head is not computed"
    early, late = split_programs(graph, model._layer_tensors, Request(("act",), ("act",), (INPUT,)))
    assert operators(early) == ["Conv", "Tanh"]
    assert len(operators(late)) == 1
