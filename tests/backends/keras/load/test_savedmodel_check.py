"""A SavedModel is a program: what does more than compute is refused before TensorFlow loads it."""

import os
import shutil

import crosslens
import numpy as np
import pytest
import tensorflow as tf
from crosslens import OUTPUT
from crosslens.backends.keras.load.savedmodel_check import disallowed_operators
from crosslens.errors import MemoryLimitError, ModelError
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

X = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)


class Net(tf.Module):
    """Reduces an image to 4 numbers, and does `extra` before."""

    def __init__(self, extra=lambda: None):
        super().__init__()
        self.w, self.extra = tf.Variable(tf.ones((3, 4))), extra

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3))])
    def __call__(self, x):
        self.extra()
        return tf.reduce_mean(x, [1, 2]) @ self.w


def saved(net, path):
    tf.saved_model.save(net, str(path), signatures=net.__call__)
    return path


def write(path):
    tf.raw_ops.WriteFile(filename=str(path), contents="x")


def branch(path):
    tf.cond(tf.reduce_sum(tf.random.uniform([2])) > 9, lambda: write(path), lambda: None)


def save(path):
    tf.raw_ops.SaveV2(prefix=str(path), tensor_names=["x"], shape_and_slices=[""], tensors=[tf.zeros(1)])


DEEDS = {
    "WriteFile": write,
    "ReadFile": lambda path: tf.io.read_file(str(path)),
    "MatchingFiles": lambda path: tf.io.matching_files(str(path)),
    "SaveV2": save,
    "PrintV2": lambda path: tf.print("x", output_stream=f"file://{path}"),
    "EagerPyFunc": lambda path: tf.py_function(lambda: path.write_text("x"), [], []),
    "TensorSliceDataset": lambda _: tf.data.Dataset.from_tensor_slices([1.0]).reduce(0.0, lambda a, b: a + b),
}


@pytest.mark.parametrize("operator", DEEDS)
def test_an_operator_that_does_more_than_compute_is_refused_by_name(operator, tmp_path):
    done = tmp_path / "done"
    folder = saved(Net(lambda: DEEDS[operator](done)), tmp_path / "m")
    with pytest.raises(ModelError, match=rf"operator {operator} \(node '.*' of the function .*trust=True\)"):
        crosslens.wrap(folder)
    assert not done.exists()


def test_inside_a_branch_too(tmp_path):
    folder = saved(Net(lambda: branch(tmp_path / "done")), tmp_path / "m")
    with pytest.raises(ModelError, match="operator WriteFile"):
        crosslens.wrap(folder)


def test_a_saver_s_operators_are_refused_where_something_else_runs_them(tmp_path):
    """A function that the network calls is put in the place of the one that restores."""
    folder = saved(Net(lambda: save(tmp_path / "done")), tmp_path / "m")
    program = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = program.meta_graphs[0]
    node = next(node for node in graph.graph_def.node if node.attr["f"].func.name.startswith("__inference_signature"))
    graph.saver_def.restore_op_name = node.name
    own = [node.op for where, node in disallowed_operators(graph) if "__call__" in where or "___call__" in where]
    assert own == ["SaveV2"]


def test_what_a_user_trusts_is_opened_and_runs(tmp_path):
    done = tmp_path / "done"
    model = crosslens.wrap(saved(Net(lambda: write(done)), tmp_path / "m"), trust=True, preprocess=None)
    expected = X.mean((2, 3)).sum(1, keepdims=True).repeat(4, 1)
    np.testing.assert_allclose(model.forward(X)[OUTPUT], expected, rtol=1e-5)


def test_files_that_it_reads_when_loaded_are_refused(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    net = Net()
    net.asset = tf.saved_model.Asset(str(words))
    with pytest.raises(ModelError, match=r"reads the file 'words.txt' of its own when it is loaded"):
        crosslens.wrap(saved(net, tmp_path / "m"))


def test_an_operator_of_the_first_tensorflow_is_seen_too(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3))
        with tf.control_dependencies([tf.raw_ops.WriteFile(filename=str(tmp_path / "done"), contents="x")]):
            y = tf.reduce_mean(image, [1, 2]) * tf.compat.v1.get_variable("w", (3,))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": image}, {"y": y})
    with pytest.raises(ModelError, match=r"operator WriteFile \(node 'WriteFile' of the main graph\)"):
        crosslens.wrap(tmp_path / "m")


def test_a_plain_network_of_the_first_tensorflow_opens(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3))
        y = tf.reduce_mean(image, [1, 2]) * tf.compat.v1.get_variable("w", initializer=[1.0, 2.0, 3.0])
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": image}, {"y": y})
    model = crosslens.wrap(tmp_path / "m", preprocess=None)
    np.testing.assert_allclose(model.forward(X)[OUTPUT], X.mean((2, 3)) * [1, 2, 3], rtol=1e-5)


def test_a_copy_without_its_program_says_so(tmp_path):
    folder = saved(Net(), tmp_path / "m")
    shutil.rmtree(folder / "variables")
    with pytest.raises(ModelError, match="TensorFlow cannot load the SavedModel") as caught:
        crosslens.wrap(folder)
    assert "\n" not in str(caught.value)


def edited(folder, change):
    """The folder with its program changed: `change(graph)` of its first graph."""
    program = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    change(program.meta_graphs[0])
    (folder / "saved_model.pb").write_bytes(program.SerializeToString())
    return folder


def test_a_function_that_bears_the_name_of_an_operator_is_not_taken_for_a_function(tmp_path):
    """TensorFlow may run the operator."""

    def shadow(graph):
        graph.graph_def.library.function.add().signature.name = "WriteFile"

    folder = saved(Net(lambda: write(tmp_path / "done")), tmp_path / "m")
    with pytest.raises(ModelError, match="operator WriteFile"):
        crosslens.wrap(edited(folder, shadow))


def test_an_object_that_runs_the_function_that_saves_is_refused(tmp_path):
    def use(graph):
        name = next(f.signature.name for f in graph.graph_def.library.function if "traced_save" in f.signature.name)
        functions = [node.function for node in graph.object_graph_def.nodes if node.function.concrete_functions]
        functions[0].concrete_functions[0] = name

    with pytest.raises(ModelError, match=r"operator (MergeV2Checkpoints|SaveV2|ShardedFilename) .*traced_save"):
        crosslens.wrap(edited(saved(Net(), tmp_path / "m"), use))


def first_tensorflow(path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        image = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3))
        y = tf.reduce_mean(image, [1, 2]) * tf.compat.v1.get_variable("w", initializer=[1.0, 2.0, 3.0])
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(path), {"x": image}, {"y": y})
    return path


@pytest.mark.parametrize("name", ["restore_op_name", "filename_tensor_name"])
def test_what_saves_is_refused_where_it_would_be_run_to_restore(name, tmp_path):
    """TensorFlow runs the operator that restores when it loads a file of its first version."""

    def use(graph):
        setattr(graph.saver_def, name, graph.saver_def.save_tensor_name)

    with pytest.raises(ModelError, match=r"operator \w+ .*of the main graph"):
        crosslens.wrap(edited(first_tensorflow(tmp_path / "m"), use))


def test_a_variable_that_is_initialised_by_what_saves_is_refused(tmp_path):
    def use(graph):
        variable = VariableDef.FromString(graph.collection_def["variables"].bytes_list.value[0])
        variable.initializer_name = graph.saver_def.save_tensor_name.partition(":")[0]
        graph.collection_def["variables"].bytes_list.value[0] = variable.SerializeToString()

    with pytest.raises(ModelError, match=r"operator \w+ .*of the main graph"):
        crosslens.wrap(edited(first_tensorflow(tmp_path / "m"), use))


def test_a_constant_of_one_number_and_any_shape_is_measured_before_it_is_made(tmp_path):
    def enlarge(graph):
        nodes = [node for f in graph.graph_def.library.function for node in f.node_def]
        tensor = next(node.attr["value"].tensor for node in nodes if node.op == "Const")
        tensor.Clear()
        tensor.dtype = tf.float32.as_datatype_enum
        tensor.float_val.append(1.0)
        tensor.tensor_shape.dim.add().size = 10**13

    with pytest.raises(MemoryLimitError, match=r"the constants of '.*' would take 40\.0 TB of memory"):
        crosslens.wrap(edited(saved(Net(), tmp_path / "m"), enlarge))


def test_a_tensor_that_would_be_computed_is_measured_before_the_network_runs(tmp_path):
    folder = saved(Net(lambda: tf.debugging.assert_greater(tf.reduce_sum(tf.zeros([10**7, 10**6])), -1.0)), tmp_path)
    with pytest.raises(MemoryLimitError, match=r"the tensor '.*' would take 40\.0 TB of memory"):
        crosslens.wrap(folder, preprocess=None).layers  # noqa: B018 - traced there


def calls(graph, name, callee, times):
    function = graph.graph_def.library.function.add()
    function.signature.name = name
    for each in range(times):
        node = function.node_def.add(name=f"call_{each}", op="PartitionedCall")
        node.attr["f"].func.name = callee


def test_functions_that_call_twice_are_counted_not_inlined(tmp_path):
    def double(graph):
        for each in range(40):
            calls(graph, f"f{each}", f"f{each + 1}", 2)
        calls(graph, "f40", "nothing", 1)

    with pytest.raises(ModelError, match=r"is 3\.3e\+12 operations when its functions are inlined"):
        crosslens.wrap(edited(saved(Net(), tmp_path / "m"), double))


def test_a_function_that_calls_itself_is_refused(tmp_path):
    with pytest.raises(ModelError, match="has a function that calls itself, 'f'"):
        crosslens.wrap(edited(saved(Net(), tmp_path / "m"), lambda graph: calls(graph, "f", "f", 1)))


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index", "fingerprint.pb"])
def test_a_pipe_in_the_folder_is_refused_without_waiting(name, tmp_path):
    folder = saved(Net(), tmp_path / "m")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match=rf"holds '{name.rpartition('/')[2]}', which is not a regular file"):
        crosslens.wrap(folder)
