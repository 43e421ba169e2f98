"""Models in another process: of a file by its path, of an object with the object; else one clear line."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import crosslens
import numpy as np
import pytest
from crosslens.errors import ModelError
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)


def proto(scale=1.0):
    """Two convolutions and a mean, as a ModelProto."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    weights = {
        "k": rng.normal(size=(4, 3, 3, 3)) * scale,
        "head": rng.normal(size=(5, 4, 1, 1)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["maps"], name="conv"),
        helper.make_node("Relu", ["maps"], ["act"], name="act"),
        helper.make_node("Conv", ["act", "head"], ["classes"], name="head"),
        helper.make_node("GlobalAveragePool", ["classes"], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["y"], name="flat"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(proto().SerializeToString())
    return path


def through(model):
    return pickle.loads(pickle.dumps(model))


def gradient(model):
    return crosslens.method("gradient")(model, IMAGES, 2).values


def test_an_onnx_file_is_pickled_by_its_path_with_options_and_settings(file):
    model = crosslens.wrap(file, preprocess="unit", labels=list("abcde"))
    model.batch_size = 3
    stored = pickle.dumps(model)
    assert len(stored) < 2000
    again = pickle.loads(stored)
    assert (again.digest, again.labels, again.batch_size) == (model.digest, list("abcde"), 3)
    assert again.preprocess == model.preprocess
    np.testing.assert_array_equal(gradient(again), gradient(model))


def test_a_relative_path_is_found_from_another_folder_and_the_same_one_beside_it(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = crosslens.wrap("net.onnx", preprocess=None)
    stored, wanted = pickle.dumps(model), gradient(model)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    np.testing.assert_array_equal(gradient(pickle.loads(stored)), wanted)
    file.rename("net.onnx")
    np.testing.assert_array_equal(gradient(pickle.loads(stored)), wanted)


def test_a_file_that_has_changed_or_gone_is_said_to_have(file):
    stored = pickle.dumps(crosslens.wrap(file, preprocess=None))
    file.write_bytes(proto(scale=2.0).SerializeToString())
    with pytest.raises(ModelError, match=r"'.*net.onnx' is not the network that was pickled: its digest is"):
        pickle.loads(stored)
    file.unlink()
    with pytest.raises(ModelError, match=r"the pickled model is of the file '.*net.onnx', which is not"):
        pickle.loads(stored)


def test_an_onnx_object_is_pickled_whole_and_needs_no_file():
    model = crosslens.wrap(proto(), preprocess="unit")
    gradient(model)
    again = through(model)
    assert again.digest == model.digest
    np.testing.assert_array_equal(gradient(again), gradient(model))


@pytest.mark.parametrize("source", ["file", "object"])
def test_what_was_changed_since_is_kept(source, file):
    model = crosslens.wrap(file if source == "file" else proto(), preprocess=None)
    for changed in (model.modified(relu="guided"), model.randomised(["head"], seed=4).modified(relu="deconvnet")):
        np.testing.assert_array_equal(gradient(through(changed)), gradient(changed))
        assert np.any(gradient(changed) != gradient(model))


def test_copies_answer_like_the_original(file):
    for model in (crosslens.wrap(file, preprocess=None), crosslens.wrap(proto(), preprocess=None), TinyModel()):
        wanted = gradient(model)
        for each in (copy.copy(model), copy.deepcopy(model), through(model)):
            assert each is not model
            np.testing.assert_array_equal(gradient(each), wanted)


def explained(model):
    return crosslens.method("grad_cam")(model, IMAGES, 2)


def test_a_spawned_process_takes_a_model_and_gives_a_result_back(file):
    model = crosslens.wrap(file, preprocess=None)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = pool.submit(explained, model).result(timeout=120)
    np.testing.assert_allclose(result.values, explained(model).values, rtol=1e-5)
    assert result.provenance["model"] == model.digest


def test_a_torch_module_is_pickled_with_its_weights_as_they_are_then():
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    model = crosslens.wrap(net.eval(), preprocess="unit", input_shape=(3, 8, 8))
    with torch.no_grad():
        net[0].weight.mul_(2)
    again = through(model)
    assert again.network.net is not net
    np.testing.assert_array_equal(gradient(again), gradient(model))
    np.testing.assert_array_equal(gradient(copy.deepcopy(model)), gradient(model))


def test_a_module_that_cannot_be_pickled_is_one_clear_line():
    torch = pytest.importorskip("torch")

    class Local(torch.nn.Sequential):
        pass

    net = Local(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5)).eval()
    model = crosslens.wrap(net, input_shape=(3, 8, 8))
    with pytest.raises(ModelError, match=r"this model is of a .*Local, which cannot be pickled: .*Wrap the file that"):
        pickle.dumps(model)


def test_a_keras_model_is_pickled_with_its_weights():
    keras = pytest.importorskip("keras")
    net = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    model = crosslens.wrap(net, preprocess="unit")
    again = through(model)
    assert again.digest == model.digest
    np.testing.assert_allclose(gradient(again), gradient(model), rtol=1e-5, atol=1e-7)
