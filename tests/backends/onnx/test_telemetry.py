"""A command on an ONNX file leaves nothing behind in the user's folders, and sends nothing."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def network(tmp_path):
    weights = np.ones((2, 3, 3, 3), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])
    graph = helper.make_graph(nodes, "small", [x], [y], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), tmp_path / "n.onnx")
    return tmp_path / "n.onnx"


def home_after(folder, *words):
    """The files below a new home after `crosslens WORDS`."""
    home = folder / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    environment = kept | {"HOME": str(home)}
    subprocess.run([sys.executable, "-m", "crosslens", *words], env=environment, capture_output=True, check=True)
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


def test_a_command_on_an_onnx_file_writes_nothing_below_the_users_home(network, tmp_path):
    assert home_after(tmp_path, "layers", str(network)) == []


def test_what_the_user_has_set_stays():
    code = "import os, crosslens.backends; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0\n"
