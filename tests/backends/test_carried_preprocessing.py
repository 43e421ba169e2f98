"""A file carries its preprocessing and labels: the same small network in each kind of file.

It gives the mean of each channel of the preprocessed image, so that the answer is three lines of arithmetic.
"""

import pickle
import shutil

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens.errors import ModelError, ParameterError
from crosslens.execution.notices import forget_notices
from crosslens.model import OUTPUT
from onnx import helper
from torch import nn

KINDS = ["net.onnx", "net.pt2", "net.keras", "net"]
PIXELS = np.array([0.2, 0.4, 0.6], np.float32)
IMAGE = np.broadcast_to(PIXELS[None, :, None, None], (1, 3, 8, 8)).copy()
TEXT = "scale=255,mean=103.939/116.779/123.68,std=2,order=BGR"
EXPECTED = [(255 * 0.6 - 103.939) / 2, (255 * 0.4 - 116.779) / 2, (255 * 0.2 - 123.68) / 2]


def onnx_network():
    x, y = (helper.make_tensor_value_info(n, 1, ["N", 3, *s]) for n, s in (("x", (8, 8)), ("y", ())))
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["y"])]
    graph = helper.make_graph(nodes, "net", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    import keras

    folder = tmp_path_factory.mktemp("networks")
    onnx.save(onnx_network(), folder / "net.onnx")
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    torch.export.save(torch.export.export(module, (torch.zeros(2, 3, 8, 8),)), folder / "net.pt2")
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    network.save(folder / "net.keras")
    network.export(folder / "net", verbose=False)
    return folder


@pytest.fixture
def files(written, tmp_path, caplog):
    shutil.copytree(written, tmp_path / "files")
    forget_notices()
    return tmp_path / "files"


def answer(model):
    return np.asarray(model.forward(IMAGE)[OUTPUT])[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_attached_is_read_where_nothing_is_given(files, kind, caplog):
    before = {path for path in files.rglob("*") if "json" in path.name}
    crosslens.attach(files / kind, preprocess=TEXT, labels=["a", "b", "c"])
    model = crosslens.wrap(files / kind)
    np.testing.assert_allclose(answer(model), EXPECTED, rtol=1e-5)
    assert list(model.labels) == ["a", "b", "c"]
    assert model.origin.preprocess == "file"
    assert not caplog.records
    side = {path.name for path in files.rglob("*") if "json" in path.name} - {path.name for path in before}
    assert side == {"net.onnx": set(), "net": {"crosslens.json"}}.get(kind, {f"{kind}.crosslens.json"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_says_nothing_gets_the_default_and_one_notice(files, kind, caplog):
    model = crosslens.wrap(files / kind)
    crosslens.wrap(files / kind)
    np.testing.assert_allclose(answer(model), (PIXELS - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], rtol=1e-4)
    assert model.origin.preprocess == "default"
    (told,) = caplog.records
    assert (
        f"'{files / kind}': preprocess= is not given, and it carries none: \"imagenet\" is taken" in told.getMessage()
    )
    assert 'preprocess="mean=.5,std=.25"' in told.getMessage()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_given_wins_and_a_contradiction_is_told(files, kind, caplog):
    crosslens.attach(files / kind, preprocess=TEXT)
    model = crosslens.wrap(files / kind, preprocess=None)
    np.testing.assert_allclose(answer(model), PIXELS, rtol=1e-5)
    assert model.origin.preprocess == "given"
    (told,) = caplog.records
    assert told.getMessage().startswith("preprocess: as given, although '")
    caplog.clear()
    crosslens.wrap(files / kind, preprocess=TEXT)
    assert not caplog.records


@pytest.mark.parametrize("kind", KINDS)
def test_other_bounds_than_the_files_are_mapped_to_its_own(files, kind):
    """Pixels from 0 to 255 in place of 0 to 1 give the same answer."""
    crosslens.attach(files / kind, preprocess=TEXT)
    model = crosslens.wrap(files / kind, bounds=(0, 255))
    got = np.asarray(model.forward(255 * IMAGE)[OUTPUT])[0]
    np.testing.assert_allclose(got, EXPECTED, rtol=1e-5)


def test_bounds_travel_with_a_preprocessing_for_them(files):
    crosslens.attach(files / "net.keras", preprocess="mean=100,std=50", bounds=(0, 255))
    model = crosslens.wrap(files / "net.keras")
    assert model.input.bounds == (0, 255)
    got = np.asarray(model.forward(100 * IMAGE)[OUTPUT])[0]
    np.testing.assert_allclose(got, [(20 - 100) / 50, (40 - 100) / 50, (60 - 100) / 50], rtol=1e-5)
    unit = crosslens.wrap(files / "net.keras", bounds=(0, 1))
    np.testing.assert_allclose(answer(unit), [(51 - 100) / 50, (102 - 100) / 50, (153 - 100) / 50], rtol=1e-5)


def test_what_is_not_given_stays_until_it_is_cleared(files):
    path = files / "net.keras"
    crosslens.attach(path, preprocess=TEXT)
    crosslens.attach(path, labels=["a", "b", "c"])
    assert crosslens.wrap(path).origin.preprocess == "file"
    crosslens.attach(path, labels=["d", "e", "f"], clear=True)
    assert crosslens.wrap(path).origin.preprocess == "default"
    crosslens.attach(path, clear=True)
    assert crosslens.wrap(path).labels is None
    assert not path.with_name("net.keras.crosslens.json").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ParameterError, "there is nothing to attach: give preprocess="),
        ({"labels": ["a"]}, ModelError, "1 labels for a model of 3 classes"),
        ({"preprocess": "mean=1/2"}, ParameterError, "mean has 2 numbers; this model's images have 3 channels"),
        ({"preprocess": "tv"}, ParameterError, "no preprocess preset 'tv'"),
        ({"output_kind": "words"}, ModelError, "words"),
        ({"labels": ["a", "b", "c"], "truts": True}, ModelError, "wrap has no option 'truts'; .*Did you mean 'trust'"),
    ],
)
@pytest.mark.parametrize("kind", ["net.onnx", "net.keras"])
def test_what_does_not_fit_the_network_is_refused_and_nothing_is_written(files, kind, options, error, message):
    before = (files / kind).read_bytes()
    with pytest.raises(error, match=message):
        crosslens.attach(files / kind, **options)
    assert (files / kind).read_bytes() == before
    assert not (files / f"{kind}.crosslens.json").exists()


def test_a_file_and_a_side_file_that_disagree_are_refused_with_both_names(files):
    crosslens.attach(files / "net.onnx", preprocess="tf")
    crosslens.attach(files / "net.keras", preprocess="caffe")
    (files / "net.keras.crosslens.json").rename(files / "net.onnx.crosslens.json")
    with pytest.raises(ModelError, match=r"net.onnx' and '.*net.onnx.crosslens.json' say different things"):
        crosslens.wrap(files / "net.onnx")
    crosslens.attach(files / "net.onnx", preprocess="tf", clear=True)
    assert crosslens.wrap(files / "net.onnx").origin.preprocess == "file"


def test_a_copy_without_its_side_file_falls_back_to_the_default(files):
    crosslens.attach(files / "net.keras", preprocess=TEXT)
    shutil.copy(files / "net.keras", files / "copy.keras")
    assert crosslens.wrap(files / "copy.keras").origin.preprocess == "default"


def test_an_onnx_file_keeps_its_bytes_and_its_file_of_weights(tmp_path):
    weights = np.random.default_rng(0).random((3, 192), np.float32)
    x, y = (helper.make_tensor_value_info(n, 1, ["N", *s]) for n, s in (("x", (3, 8, 8)), ("y", (3,))))
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Gemm", ["f", "w"], ["y"], transB=1)]
    graph = helper.make_graph(nodes, "net", [x], [y], [onnx.numpy_helper.from_array(weights, "w")])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path / "net.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="net.weights", size_threshold=0)
    before, outside = path.read_bytes(), (tmp_path / "net.weights").read_bytes()
    crosslens.attach(path, preprocess=TEXT)
    crosslens.attach(path, preprocess="tf")
    assert path.read_bytes().startswith(before)
    assert (tmp_path / "net.weights").read_bytes() == outside
    (entry,) = onnx.load(path).metadata_props
    assert entry.key == "crosslens"
    np.testing.assert_allclose(answer(crosslens.wrap(path)), weights @ (2 * IMAGE - 1).reshape(-1), rtol=1e-4)
    crosslens.attach(path, clear=True)
    assert path.read_bytes() == before


def test_a_model_proto_says_what_its_file_says(files):
    crosslens.attach(files / "net.onnx", preprocess=TEXT)
    model = crosslens.wrap(onnx.load(files / "net.onnx"))
    np.testing.assert_allclose(answer(model), EXPECTED, rtol=1e-5)


@pytest.mark.parametrize("value", ["{", "[]", '{"crosslens_metadata": 9}', "[" * 100_000])
def test_damaged_metadata_of_an_onnx_file_is_one_clear_error_that_attach_mends(tmp_path, value):
    proto = onnx_network()
    proto.metadata_props.add(key="crosslens", value=value)
    onnx.save(proto, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"net\.onnx' holds no metadata that can be read: it has"):
        crosslens.wrap(tmp_path / "net.onnx")
    crosslens.attach(tmp_path / "net.onnx", preprocess=None, clear=True)
    np.testing.assert_allclose(answer(crosslens.wrap(tmp_path / "net.onnx")), PIXELS, rtol=1e-6)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"author": "Ultralytics", "task": "classify", "names": "{0: 'a', 1: 'b', 2: 'c'}"}, [0.2, 0.4, 0.6]),
        ({"author": "Ultralytics", "task": "detect", "names": "{0: 'a'}"}, [0.2, 0.4, 0.6]),
        ({"author": "Ultralytics", "task": "classify", "names": "__import__('os')"}, [0.2, 0.4, 0.6]),
        ({"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255"}, [153, 102, 51]),
        ({"Image.BitmapPixelFormat": "Rgb8", "Image.NominalPixelRange": "Normalized_1_1"}, [-0.6, -0.2, 0.2]),
    ],
)
def test_other_tools_metadata_is_read_where_it_is_unambiguous(entries, expected):
    proto = onnx_network()
    helper.set_model_props(proto, entries)
    model = crosslens.wrap(proto)
    np.testing.assert_allclose(answer(model), expected, rtol=1e-5)
    assert model.labels == (("a", "b", "c") if "1: 'b'" in entries.get("names", "") else None)


@pytest.mark.parametrize(
    "entries",
    [{"names": "{0: 'a'}"}, {"Image.NominalPixelRange": "NominalRange_16_235", "Image.BitmapPixelFormat": "Rgb8"}],
)
def test_other_metadata_is_left_alone(entries):
    proto = onnx_network()
    helper.set_model_props(proto, entries)
    assert crosslens.wrap(proto).origin.preprocess == "default"


def test_results_record_where_the_preprocessing_came_from(files):
    crosslens.attach(files / "net.keras", preprocess=TEXT)
    method = crosslens.method("gradient")
    given = {"file": {}, "given": {"preprocess": "tf"}}
    for expected, options in given.items():
        result = method(crosslens.wrap(files / "net.keras", **options), IMAGE)
        assert result.provenance["preprocess_from"] == expected


def test_a_model_of_timm_brings_its_mean_and_deviation():
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    module.pretrained_cfg = {"input_size": (3, 8, 8), "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.5, 0.5)}
    model = crosslens.wrap(module, input_shape=(3, 8, 8))
    np.testing.assert_allclose(answer(model), [0.2, 0.4, 0.6], rtol=1e-5)
    assert model.origin.in_words == "from its pretrained_cfg (timm)"


@pytest.mark.parametrize("kind", ["net.onnx", "net.pt2", "net.keras"])
def test_a_pickled_model_keeps_its_preprocessing_when_the_file_says_another_since(files, kind):
    silent = pickle.dumps(crosslens.wrap(files / kind))
    crosslens.attach(files / kind, preprocess=TEXT, labels=["a", "b", "c"])
    carried = pickle.dumps(crosslens.wrap(files / kind))
    crosslens.attach(files / kind, preprocess="tf", clear=True)
    first, second = pickle.loads(silent), pickle.loads(carried)
    assert (first.origin.preprocess, first.preprocess) == ("default", crosslens.PRESETS["imagenet"])
    assert (second.origin.preprocess, list(second.labels)) == ("file", ["a", "b", "c"])
    np.testing.assert_allclose(answer(second), EXPECTED, rtol=1e-5)
