"""A day in the shell, in one go: twenty commands on a network of the user's own, in an .onnx file and in Python."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

onnx = pytest.importorskip("onnx")

LABELS = ["cat", "dog", "fox", "hen", "owl"]
PYTHON = """
import crosslens

def net():
    return crosslens.wrap("net.onnx")

def broken():
    raise crosslens.CrosslensError("the weights are gone")
"""


def network(change=0.0):
    """conv - ReLU - conv - ReLU - global mean - linear, on 16 px; one number of the second kernel is larger by this."""
    random = np.random.default_rng(0)
    held = {
        "k1": random.normal(size=(6, 3, 3, 3)),
        "k2": random.normal(size=(8, 6, 3, 3)) / 5,
        "w": random.normal(size=(5, 8)),
    }
    held["k2"][0, 0, 1, 1] += change
    tensors = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in held.items()]
    nodes = [
        onnx.helper.make_node("Conv", ["image", "k1"], ["a"], "conv1", pads=[1] * 4),
        onnx.helper.make_node("Relu", ["a"], ["b"], "act1"),
        onnx.helper.make_node("Conv", ["b", "k2"], ["c"], "conv2", pads=[1] * 4),
        onnx.helper.make_node("Relu", ["c"], ["d"], "act2"),
        onnx.helper.make_node("GlobalAveragePool", ["d"], ["e"], "pool"),
        onnx.helper.make_node("Flatten", ["e"], ["f"], "flatten"),
        onnx.helper.make_node("Gemm", ["f", "w"], ["scores"], "fc", transB=1),
    ]
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", 3, 16, 16])
    scores = onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["n", 5])
    graph = onnx.helper.make_graph(nodes, "net", [image], [scores], tensors)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """The user's folder: two versions of a network, labels, a module, and a folder of photographs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    onnx.save(network(), "net.onnx")
    onnx.save(network(1.0), "other.onnx")
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    (tmp_path / "mine.py").write_text(PYTHON)
    (tmp_path / "photos").mkdir()
    for n in range(3):
        pixels = np.random.default_rng(n).integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{n}.png")
    Image.open("photos/0.png").save("cat.png")
    yield tmp_path
    sys.modules.pop("mine", None)


@pytest.fixture
def typed(command, desk):
    """Type a command: its exit code must be this one, what it writes must be there, and an error is one line."""

    def type_it(line, code=0, writes=()):
        done = command(*line.split())
        said = f"{line}\n{done.output}"
        assert done.exit_code == code, said
        assert "Traceback" not in done.output, said
        assert all(os.path.getsize(name) > 0 for name in writes), said
        if code == 1:
            assert done.stdout == "", said
            assert sum(text.startswith("Error: ") for text in done.stderr.splitlines()) == 1, said
            assert done.stderr.splitlines()[-1].startswith("Error: "), said
        return json.loads(done.stdout) if "--json" in line and not code else done.stdout + done.stderr

    return type_it


def test_twenty_commands_of_a_day(typed):
    # what is this network, and does it work here?
    assert [layer["kind"] for layer in typed("layers net.onnx --json")][1:3] == ["Conv", "Relu"]
    assert all(check["ok"] is not False for check in typed("doctor net.onnx --preprocess unit --json"))
    assert len({record["family"] for record in typed("methods --json")}) >= 8
    assert "--layer" in typed("methods grad_cam")

    # one picture, explained
    model = "net.onnx --preprocess unit --labels labels.txt"
    record = typed(f"run grad_cam {model} cat.png --json -o cam.png", writes=["cam.png"])
    assert (record["target"]["label"] in LABELS, record["file"]) == (True, "cam.png")
    typed(f"run integrated_gradients {model} cat.png --target dog --steps 4 -o ig.npz", writes=["ig.npz"])
    with np.load("ig.npz", allow_pickle=False) as saved:
        assert saved["values"].shape == (1, 3, 16, 16)
    assert "fox" in typed(f"run gradient {model} cat.png --target fox")
    assert typed("run occlusion mine:net cat.png --window 8 --json")["values"]["shape"] == [1, 16, 16]

    # several pictures, and what a unit looks for
    typed(f"run gradient {model} photos -o maps/", writes=["maps/index.jsonl"])
    index = [json.loads(line) for line in Path("maps/index.jsonl").read_text().splitlines()]
    assert sorted(Path(each["file"]).name for each in index) == ["0.png", "1.png", "2.png"]
    typed(f"run mean_activation {model} photos --layer act1 --json")
    climb = f"run activation_maximisation {model} --target channel:conv2:3 --steps 6"
    typed(f"{climb} --every 2 -o unit.gif", writes=["unit.gif"])
    with Image.open("unit.gif") as animation:
        assert animation.n_frames == 3

    # two versions of it, side by side
    both = "net.onnx other.onnx --preprocess unit"
    compared = typed(f"compare grad_cam gradient {both} --images photos --json")
    assert compared["models"] or compared["rows"]
    assert "Limit passed" in typed(f"compare gradient {both} --images cat.png --fail-over relative_l2=1e-9", code=3)
    assert "conv2" in typed(f"diverge {both} --image cat.png", code=3)
    assert typed("diverge net.onnx net.onnx --preprocess unit --image cat.png --json")["first"] is None
    assert typed(f"align {both} --image cat.png --json")["unmatched"]

    # what goes wrong, says so in a line
    assert "no layer 'nope'" in typed(f"run grad_cam {model} cat.png --layer nope", code=1)
    assert "channel:conv1:3" in typed(f"run gradient {model} cat.png --target channel(conv1,3)", code=1)
    assert "no picture at 'none.png'" in typed(f"run gradient {model} none.png", code=1)
    assert "the weights are gone" in typed("layers mine:broken", code=1)
    assert "No such option" in typed("layers net.onnx --nope", code=2)


def test_pipes_and_signals_of_a_day(desk):
    """As processes: stdout alone is what the next program reads, and a closed pipe is no error."""
    line = f"{sys.executable} -m crosslens layers net.onnx --preprocess unit --json"
    piped = f'{line} | {sys.executable} -c "import json, sys; print(len(json.load(sys.stdin)))"; {line} | head -c 1'
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("9\n[", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("place", ["parsing", "opening"])
def test_a_stopped_command_says_so_in_a_line_and_ends_with_the_signals_code(desk, number, code, place):
    """While the words are read, where click makes its own error of an interrupt, and while a model is opened."""
    (desk / "stopping.py").write_text(f"import os\ndef stop(*given): os.kill(os.getpid(), {int(number)})")
    before = "import crosslens.cli, stopping, signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    parsing = "crosslens.cli.cli.parse_args = stopping.stop\n" if place == "parsing" else ""
    after = "sys.argv = ['crosslens', 'layers', 'stopping:stop']\ncrosslens.cli.main()"
    words = [sys.executable, "-c", before + parsing + after]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.strip() == ("Aborted!" if place == "parsing" else "Interrupted")
