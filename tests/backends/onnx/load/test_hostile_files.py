"""Damaged and hostile ONNX files: one line that says what is wrong, bounded memory, and no code of theirs is run."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnx
import pytest
from crosslens import INPUT, OUTPUT, wrap
from crosslens.backends.onnx import vjp
from crosslens.backends.onnx.autodiff.registry import _RULES
from crosslens.backends.onnx.boundary import readable_failures
from crosslens.backends.onnx.load import function_sizes
from crosslens.errors import CrosslensError, MemoryLimitError, ModelError
from crosslens.limits.memory import resident_memory, set_memory_limit
from onnx import helper

from tests.hostile import onnx_files
from tests.hostile.onnx_named import CASES, doubling_functions, named_cases, network

ROOM = 1 << 30
"""Bytes that a hostile file may take, beside what the process has."""
SLOW = {"loop_count_2"}
"""Cases that work, but run a million iterations."""


@pytest.fixture
def room():
    set_memory_limit(resident_memory() + ROOM)
    yield
    set_memory_limit(None)


def peak():
    """The largest number of bytes that the process has had since it was last asked; None where Linux does not tell."""
    try:
        found = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, StopIteration):
        return None
    return 1024 * int(found.split()[1])


def explained(network):
    """Layers and a gradient, as `crosslens layers` and `crosslens run gradient` ask for them."""
    model = wrap(network, preprocess=None)
    x = np.random.default_rng(0).random((model._input.batch or 1, *model.input.example_shape), np.float32)
    y = model.forward(x)[OUTPUT]
    gradient = model.vjp(x, {OUTPUT: np.random.default_rng(1).random(y.shape, np.float32)}).gradients[INPUT]
    return {name: (each.kind, each.shape) for name, each in model.layers.items()}, gradient


def assert_one_line(error):
    text = str(error)
    assert text.isprintable(), text
    assert len(text) < 2000


@pytest.mark.parametrize("name", [name for name in CASES if name not in SLOW])
def test_a_file_that_is_wrong_in_a_known_way_works_or_says_so_in_one_line(name, tmp_path, room):
    made = CASES[name](tmp_path)
    path = tmp_path / "model.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    del made
    before = (peak(), resident_memory())[1]
    try:
        explained(path)
    except CrosslensError as error:
        assert_one_line(error)
    highest = peak()
    assert highest is None or highest - before < ROOM + (512 << 20)


@pytest.mark.parametrize("seed", [21])
def test_files_with_changed_fields_and_bytes_work_or_say_so_in_one_line(seed, tmp_path, room):
    for number in range(200):
        name, path = onnx_files.file_case(seed, number, tmp_path)
        try:
            explained(path)
        except CrosslensError as error:
            assert_one_line(error)
        except Exception as error:  # pragma: no cover
            raise AssertionError(name) from error


def test_messages_in_memory_are_taken_as_files_are(room):
    for _, model in onnx_files.model_cases(22, 60):
        try:
            explained(model)
        except CrosslensError as error:
            assert_one_line(error)


NAMES = [
    *(
        "seed",
        "seed:<output>",
        "seed:conv",
        "<input>",
        "<output>",
        "<absorbed>",
        "<objective>",
        "grad:x",
        "N",
        "given:0",
    ),
    *(
        "replace:conv",
        "const:int64[1]:0100000000000000",
        "live:conv",
        "read:x",
        "a b",
        "a\nb",
        "\x1b[31m",
        "a\0b",
        "é",
        "'",
    ),
    *(
        "x" * 100_000,
        "file:<input>",
        "%s",
        "Relu:d",
        "<max> conv",
        "<order>",
        "0",
        "-1",
        "own:1",
        "w:flipped1",
        ".",
        "/",
    ),
    *("const:w:flipped1", "Mul:d", "Conv:d", "Reshape:d:1", "../w"),
]


@pytest.mark.parametrize("build", onnx_files.NETWORKS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("turn", [0, 11, 23])
def test_any_legal_names_of_tensors_give_the_same_layers_and_gradients(build, turn):
    plain = build()
    for count, node in enumerate(plain.graph.node):
        node.name = f"node{count}"
    tensors = list(dict.fromkeys((*onnx_files._tensors(plain), "x")))
    odd = [*NAMES[turn:], *NAMES[:turn]]
    names = dict(zip(filter(None, tensors), odd, strict=False))
    want_layers, want = explained(plain)
    layers, got = explained(onnx_files.renamed(plain, names))
    assert list(layers.values()) == list(want_layers.values())
    np.testing.assert_array_equal(got, want)


def test_names_of_nodes_that_are_ours_give_every_layer_a_name_of_its_own():
    plain = onnx_files.convolutional()
    odd = onnx_files.convolutional()
    for node, name in zip(
        odd.graph.node, ["<input>", "<output>", "<max> relu", "<objective>", "<order>"], strict=False
    ):
        node.name = name
        del node.metadata_props[:]
    layers, got = explained(odd)
    want_layers, want = explained(plain)
    assert len(layers) == len(want_layers)
    assert list(layers.values()) == list(want_layers.values())
    np.testing.assert_array_equal(got, want)


def test_the_output_is_chosen_by_the_name_that_the_file_has():
    model = onnx_files.renamed(network(helper.make_node("Relu", ["x"], ["y"])), {"y": "<output>", "x": "<input>"})
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(wrap(model, preprocess=None, output="<output>").forward(x)[OUTPUT], x)


def test_inputs_are_given_by_the_name_that_the_file_has():
    model = network(helper.make_node("Mul", ["x", "<input>"], ["y"]))
    model.graph.input.append(helper.make_tensor_value_info("<input>", onnx.TensorProto.FLOAT, [1, 3, 8, 8]))
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    wrapped = wrap(model, preprocess=None, inputs={"<input>": 2 * x})
    np.testing.assert_allclose(wrapped.forward(x)[OUTPUT], 2 * x * x, rtol=1e-6)


def test_decoration_of_any_shape_leaves_the_network_as_it_is_without():
    plain = onnx_files.convolutional()
    for node in plain.graph.node:
        del node.metadata_props[:]
    want_layers, want = explained(plain)
    for name, make in CASES.items():
        if name.startswith("name_scopes"):
            layers, got = explained(make(Path()))
            np.testing.assert_array_equal(got, want)
            assert list(layers.values()) == list(want_layers.values())


@pytest.mark.parametrize("depth", [40, 2000])
def test_functions_are_counted_before_they_are_inlined(depth):
    with pytest.raises(ModelError, match="inlined they are more than 200,000 nodes"):
        wrap(doubling_functions(depth))


def test_functions_that_fit_are_inlined(monkeypatch):
    assert len(wrap(doubling_functions(4), preprocess=None).layers) == 16 + 2
    monkeypatch.setattr(function_sizes, "MOST_NODES", 30)
    with pytest.raises(ModelError, match="more than 30 nodes"):
        wrap(doubling_functions(4))


@pytest.mark.parametrize("name", ["functions_recursive", "functions_circle"])
def test_a_function_that_calls_itself_is_named(name):
    with pytest.raises(ModelError, match=r"function 'own\.F0' calls itself"):
        wrap(CASES[name](Path()))


@pytest.fixture
def failing_rule():
    made = vjp("Hardmax", since=13)(lambda graph, node, dy: {}["nowhere"])
    yield made
    _RULES[("", "Hardmax")] = [rule for rule in _RULES[("", "Hardmax")] if rule.derivative is not made]


def test_a_rule_that_fails_names_its_node(failing_rule):
    model = wrap(network(helper.make_node("Hardmax", ["x"], ["y"], name="here")), preprocess=None)
    x = np.zeros((1, 3, 8, 8), np.float32)
    with pytest.raises(
        ModelError, match=r"cannot work with the network: at Hardmax 'here': KeyError: 'nowhere'$"
    ) as caught:
        model.vjp(x, {OUTPUT: x})
    assert isinstance(caught.value.__cause__, KeyError)


def test_the_boundary_lets_an_interruption_pass_and_words_a_lack_of_memory():
    with pytest.raises(KeyboardInterrupt), readable_failures("work"):
        raise KeyboardInterrupt
    with pytest.raises(MemoryLimitError, match="cannot work: there is not enough memory"), readable_failures("work"):
        raise MemoryError
    with pytest.raises(ModelError, match="cannot work: it is nested too deeply"), readable_failures("work"):
        raise RecursionError
    with pytest.raises(ModelError, match="'x'"), readable_failures("work"):
        raise ModelError("'x'")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("external_parent", "outside"),
        ("external_absolute", "absolute"),
        ("external_symlink", "symbolic link"),
        ("external_symlinked_folder", "outside"),
        ("external_device", "not an ordinary file"),
        ("external_fifo", "not an ordinary file"),
        ("external_folder", "not an ordinary file"),
        ("external_range_0", "take 432"),
        ("external_range_2", "exceeds"),
        ("external_in_attribute", "outside"),
    ],
)
def test_external_weights_are_read_from_ordinary_files_beside_the_model_only(tmp_path, name, said):
    inside = tmp_path / "inside"
    inside.mkdir()
    path = inside / "model.onnx"
    path.write_bytes(CASES[name](inside).SerializeToString())
    with pytest.raises(ModelError, match=said):
        wrap(path)


def test_external_weights_of_a_message_in_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = CASES["external_sparse_file"](tmp_path)
    with pytest.raises(ModelError, match="which a ModelProto in memory does not know: give the path"):
        wrap(model)


def test_of_a_file_of_external_weights_only_what_a_tensor_needs_is_read(tmp_path, room):
    path = tmp_path / "model.onnx"
    path.write_bytes(CASES["external_sparse_file"](tmp_path).SerializeToString())
    explained(path)
    assert (tmp_path / "hole").stat().st_size == 200_000_000_000


def test_a_fifo_is_no_model(tmp_path):
    os.mkfifo(tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="not a regular file"):
        wrap(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    "name", ["constant_without_value", "no_outputs", "scan_inputs_0", "missing_attribute", "cycle_0"]
)
def test_the_line_names_the_tensor_or_the_node(name):
    words = {"constant_without_value": "'c'", "no_outputs": "no outputs", "scan_inputs_0": "Scan 'scan'"}
    words |= {"missing_attribute": "Concat 'join'", "cycle_0": "name: two"}
    with pytest.raises(ModelError, match=words[name]):
        wrap(CASES[name](Path()))


def test_ctrl_c_ends_a_loop_that_goes_on(tmp_path):
    """A Loop of a million iterations, each of them long: the signal ends it before its next node."""
    code = """
        import numpy as np, sys, time
        from onnx import TensorProto, helper
        from crosslens import wrap
        from tests.hostile.onnx_named import network
        make = helper.make_node
        info = helper.make_tensor_value_info
        step = helper.make_graph(
            [make("Identity", ["go"], ["on"]), make("Sin", ["h"], ["h2"])], "step",
            [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), info("h", TensorProto.FLOAT, None)],
            [info("on", TensorProto.BOOL, []), info("h2", TensorProto.FLOAT, None)],
        )
        model = network(make("Loop", ["count", "", "x"], ["y"], body=step), constants={"count": np.array(1_000_000)},
                        shape=("n", 3, 256, 256))
        print("ready", flush=True)
        wrap(model, preprocess=None).layers
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    root = Path(__file__).parents[4]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(4)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors.strip().endswith("KeyboardInterrupt")


def test_every_named_case_is_written(tmp_path):
    assert dict(named_cases(tmp_path)).keys() == CASES.keys()
