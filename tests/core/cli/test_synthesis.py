"""`crosslens run` of methods that make pictures: targets and rules as text, and ctrl-C."""

import json
import sys
from types import ModuleType

import numpy as np
from crosslens.image.video import find_ffmpeg
from PIL import Image


def test_ctrl_c_on_the_command_line_saves_the_best_so_far(command, tmp_path, module):
    name = module(
        "from crosslens.testing import TinyModel\n"
        "class Stopping(TinyModel):\n"
        "    calls = 0\n"
        "    def _linearize(self, *given):\n"
        "        Stopping.calls += 1\n"
        "        if Stopping.calls == 4:\n"
        "            raise KeyboardInterrupt\n"
        "        return super()._linearize(*given)\n"
    )
    done = command("run", "activation_maximisation", f"{name}:Stopping", "--target", "1", "-o", tmp_path / "a.png")
    assert done.exit_code == 0, done.output
    assert "Note: interrupted after 3 of 192 steps: this is the best so far" in done.stderr
    assert (tmp_path / "a.png").exists()


def test_the_command_line_reaches_rules_and_sums(command, tiny, tmp_path):
    done = command(
        *("run", "activation_maximisation", tiny, "--target", "channel:conv1:2 - 0.1 * norm:6 | 3", "--steps", "3"),
        *("--rules", "blur:0.5:2,decay:0.1", "-o", tmp_path / "two.npz"),
    )
    assert done.exit_code == 0, done.output
    with np.load(tmp_path / "two.npz") as saved:
        assert saved["images"].shape == (2, 3, 8, 8)
        assert json.loads(str(saved["record"]))["parameters"]["rules"] == ["blur:0.5:2", "decay:0.1"]


def test_a_folder_of_examples_is_started_from_where_they_excite_the_target_most(command, tiny, picture, tmp_path):
    folder = tmp_path / "examples"
    folder.mkdir()
    for n, grey in enumerate((0, 120, 255)):
        Image.new("RGB", (8, 8), (grey, grey, grey)).save(folder / f"{n}.png")
    given = ("run", "activation_maximisation", tiny, folder, "--target", "channel:conv1:2", "--steps", "2")
    done = command(*given, "--examples", "2", "-o", tmp_path / "two.npz")
    assert done.exit_code == 0, done.output
    assert "of 3, which excite channel('conv1', 2) most" in done.stderr
    with np.load(tmp_path / "two.npz") as saved:
        assert saved["images"].shape == saved["starts"].shape == (2, 3, 8, 8)


def test_every_method_that_climbs_is_saved_as_an_animation(command, tiny, tmp_path):
    given = ("run", "activation_maximisation", tiny, "--target", "1", "--steps", "6", "--every", "2")
    done = command(*given, "-o", tmp_path / "a.gif")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


def test_an_animation_of_one_picture_is_refused_before_the_model_is_opened(command, tmp_path):
    done = command("run", "maco", "none.onnx", "--target", "1", "-o", tmp_path / "a.gif")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "an animation of maco shows its pictures on the way: give --every 10" in done.stderr


def test_snapshots_that_the_file_would_not_hold_are_refused_before_the_model_is_opened(command, tmp_path):
    words = ["run", "deep_dream", "none.onnx", "cat.png", "--every", "2", "-o"]
    for out in (tmp_path / "a.png", f"{tmp_path}/dreams/"):
        done = command(*words, out)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "a .png holds the last picture only" in done.stderr


def test_a_film_is_refused_before_the_work_where_there_is_no_ffmpeg(command, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    done = command("run", "maco", "none.onnx", "--target", "1", "--every", "2", "-o", tmp_path / "a.mp4")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "needs ffmpeg, and there is none: install it" in done.stderr


def test_the_ffmpeg_of_imageio_is_taken_where_the_system_has_none(tmp_path, monkeypatch):
    packaged = ModuleType("imageio_ffmpeg")
    packaged.get_ffmpeg_exe = lambda: "/packaged/ffmpeg"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", packaged)
    assert find_ffmpeg(tmp_path / "a.mp4") == "/packaged/ffmpeg"
