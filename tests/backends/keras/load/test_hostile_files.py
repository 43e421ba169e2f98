"""A `.keras` or `.h5` file from a stranger: no code, no other file, no more memory than the limit, one line."""

import io
import json
import zipfile

import crosslens
import h5py
import keras
import numpy as np
import pytest
from crosslens.backends.keras.load.config_check import refuse_unsafe_config
from crosslens.errors import CrosslensError, MemoryLimitError, ModelError
from crosslens.limits import memory

L = keras.layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    net = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(4, 3, name="c", activation="relu"), L.Flatten()])
    made = tmp_path_factory.mktemp("files")
    net.save(made / "net.keras")
    net.save(made / "net.h5")
    return made


def changed(folder, path, config=lambda config: config, weights=lambda file: None, method=zipfile.ZIP_STORED):
    """The `.keras` file with another description or other weights."""
    with zipfile.ZipFile(folder / "net.keras") as old, zipfile.ZipFile(path, "w", method) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                given = config(json.loads(content))
                content = given if isinstance(given, bytes) else json.dumps(given).encode()
            if name.endswith("h5"):
                buffer = io.BytesIO(content)
                with h5py.File(buffer, "a") as file:
                    weights(file)
                content = buffer.getvalue()
            new.writestr(name, content)
    return path


def refused(path, text, error=ModelError):
    with pytest.raises(error, match=text) as caught:
        crosslens.wrap(path, preprocess=None)
    assert "\n" not in str(caught.value)


def with_layer(**node):
    def change(config):
        config["config"]["layers"].append({"name": "x", "inbound_nodes": [], **node})
        return config

    return change


FUNCTION = {"class_name": "function", "registered_name": None}
NODES = {
    "lambda": (
        {"class_name": "Lambda", "module": "keras.layers", "config": {"function": ["4wE", None]}},
        "Lambda layer",
    ),
    "lambda list": ({"class_name": "Lambda", "config": [1]}, "Lambda layer"),
    "load_model": (
        {
            "class_name": "Lambda",
            "config": {"function": {**FUNCTION, "module": "keras.models", "config": "load_model"}},
        },
        "keras.models.load_model is no layer or function",
    ),
    "get_file": (
        {"class_name": "Lambda", "config": {"function": {**FUNCTION, "module": "keras.utils", "config": "get_file"}}},
        "keras.utils.get_file is no layer or function of Keras that computes",
    ),
    "eval": (
        {"class_name": "Lambda", "config": {"function": {**FUNCTION, "module": "builtins", "config": "eval"}}},
        "builtins.eval is no layer or function",
    ),
    "os": ({"class_name": "system", "module": "os", "config": {}}, "os.system is no layer or function"),
    "saving": ({"class_name": "X", "module": "keras.src.saving.saving_lib", "config": {}}, "is no layer or function"),
    "savedmodel": ({"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/x"}}, "TFSMLayer"),
    "pickle": ({"class_name": "TorchModuleWrapper", "module": "keras.layers", "config": {}}, "is a pickle"),
    "vocabulary": (
        {"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": "/etc/passwd"}},
        "reads the file '/etc/passwd' as its vocabulary",
    ),
    "array": ({"class_name": "__numpy__", "config": {"value": 0, "dtype": "S4000000000"}}, "is no layer or function"),
    "class a list": ({"class_name": ["Dense"], "config": {}}, "is no layer or function"),
}


@pytest.mark.parametrize("kind", NODES)
def test_what_runs_code_or_reads_files_is_refused_before_keras_sees_it(kind, folder, tmp_path):
    node, text = NODES[kind]
    refused(changed(folder, tmp_path / "x.keras", with_layer(**node)), text)


@pytest.mark.parametrize("name", ["relu", "silu"])
def test_functions_of_keras_are_taken_by_name(name):
    refuse_unsafe_config({**FUNCTION, "module": "keras.activations", "config": name}, "x")
    refuse_unsafe_config({**FUNCTION, "module": "builtins", "config": name}, "x")


def test_models_that_call_models_twice_are_counted_not_traced(folder, tmp_path):
    node = {"class_name": "Dense", "config": {}, "inbound_nodes": [1, 2]}
    for _ in range(40):
        node = {"class_name": "Functional", "config": {"layers": [node]}, "inbound_nodes": [1, 2]}
    refused(changed(folder, tmp_path / "x.keras", with_layer(**node)), r"calls its layers 2\.2e\+12 times")


@pytest.mark.parametrize(
    "content", [b"[" * 10**5, b"{}", b"[]", b"null", b"1", b'"x"', b"\xff", b"9" * 9999, b"", b"NaN"]
)
def test_a_description_that_is_none_gets_one_line(content, folder, tmp_path):
    refused(changed(folder, tmp_path / "x.keras", lambda _: content), "is not a complete Keras model|Keras cannot load")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method, folder, tmp_path):
    refused(changed(folder, tmp_path / "x.keras", method=method), "is compressed by method")


def external(file):
    file.create_dataset("y", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "y", (4,))
    file.create_virtual_dataset("y", layout)


LEADING = {
    "external": (external, "'/y', whose numbers are in another file"),
    "virtual": (virtual, "'/y', whose numbers are in another file"),
    "soft link": (lambda file: file.__setitem__("y", h5py.SoftLink("/y")), "'/y', a link to another place"),
    "file": (lambda file: file.__setitem__("y", h5py.ExternalLink("/x.h5", "/")), "'/y', a link to another place"),
    "compound": (lambda file: file.create_dataset("y", (1,), [("a", "f4")]), "is not an array of numbers"),
    "reference": (lambda file: file.create_dataset("y", (1,), h5py.ref_dtype), "is not an array of numbers"),
}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", LEADING)
def test_weights_that_lead_elsewhere_are_refused(kind, suffix, folder, tmp_path):
    change, text = LEADING[kind]
    path = tmp_path / f"x{suffix}"
    if suffix == ".keras":
        changed(folder, path, weights=change)
    else:
        path.write_bytes((folder / "net.h5").read_bytes())
        with h5py.File(path, "a") as file:
            change(file)
    refused(path, text)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_declared_weights_that_are_not_there_are_measured_before_they_are_read(suffix, folder, tmp_path):
    def bomb(file):
        file.create_dataset("y", (10**6, 10**7), "f4", chunks=(1000, 1000), fillvalue=1)

    path = tmp_path / f"x{suffix}"
    if suffix == ".keras":
        changed(folder, path, weights=bomb)
    else:
        path.write_bytes((folder / "net.h5").read_bytes())
        with h5py.File(path, "a") as file:
            bomb(file)
    refused(path, r"the weights in '.*' would take 80\.0 TB of memory", MemoryLimitError)


def test_a_group_within_itself_is_read_once(folder, tmp_path):
    path = changed(folder, tmp_path / "x.keras", weights=lambda file: file.__setitem__("layers/again", file["layers"]))
    assert crosslens.wrap(path, preprocess=None).layers


def test_a_layer_of_any_number_of_units_is_measured_before_it_is_made(folder, tmp_path):
    def widen(config):
        next(each for each in config["config"]["layers"] if each["class_name"] == "Conv2D")["config"]["filters"] = 10**9
        return config

    path = changed(folder, tmp_path / "x.keras", widen)
    refused(path, r"the weight 'kernel' of '.*' would take 108\.0 GB", MemoryLimitError)


@pytest.mark.parametrize(
    "value", [np.int64(3), np.arange(3), b"\xff\xfe", "[1", "[]", np.float32("nan"), h5py.Empty("f4")]
)
def test_a_model_config_that_is_no_text_gets_one_line(value, folder, tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes((folder / "net.h5").read_bytes())
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = value
    refused(path, "model_config, not JSON|is not a complete Keras model file|Keras cannot load")


def test_a_description_that_inflates_beyond_the_memory_is_not_read(folder, tmp_path, monkeypatch):
    path = changed(folder, tmp_path / "x.keras", lambda _: b" " * 10**8, method=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(memory, "memory_limit", lambda: memory.resident_memory() + 5 * 10**7)
    refused(path, "would take 100", CrosslensError)
