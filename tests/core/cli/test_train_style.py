"""`crosslens train-style`: what it says, what it writes, and what it refuses before training."""

import json

import numpy as np
import pytest
from PIL import Image

SETTINGS = ("--steps", "4", "--width", "2", "--blocks", "0")


@pytest.fixture
def network(module):
    return module("from crosslens.testing import TinyModel\ndef small(): return TinyModel(size=16)") + ":small"


@pytest.fixture
def photos(tmp_path):
    """A folder of sixteen small pictures, one of them grey."""
    folder, rng = tmp_path / "photos", np.random.default_rng(0)
    folder.mkdir()
    for n in range(16):
        pixels = rng.integers(0, 256, (20, 24) if n == 3 else (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{n:02d}.png")
    return folder


@pytest.fixture(autouse=True)
def written(monkeypatch):
    """Files of the networks that were saved; writing them is tested in tests/core/style_training."""
    files = []

    def save(spec, weights, path):
        files.append((path.name, spec, weights))
        path.write_bytes(b'a network with a "style"')

    monkeypatch.setattr("crosslens.style_training.trained_style.save_style_network", save)
    monkeypatch.setattr("crosslens.cli.train_style.check_style_file", lambda path: None)
    return files


def test_a_training_says_losses_time_and_files(command, network, photos, picture, tmp_path, written):
    done = command(
        *("train-style", network, photos, "--style", picture, "-o", tmp_path / "a.onnx", "-o", tmp_path / "a.pt2"),
        *("--every", "2", "--state", tmp_path / "a.npz", *SETTINGS),
    )
    assert done.exit_code == 0, done.output
    assert [name for name, _, _ in written] == ["a.onnx", "a.pt2"]
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:6]] == ["loss", "content", "style", "total", "all", "4"]
    assert lines[-1] == "written: " + ", ".join(
        str(tmp_path / name) for name in ("a.onnx", "a.pt2", "a-0002.png", "a-0004.png", "a.npz")
    )
    with Image.open(tmp_path / "a-0004.png") as sample:
        assert sample.size == (16, 16)


def test_going_on_is_what_was_never_cut_off(command, network, photos, picture, tmp_path, written):
    given = ("train-style", network, photos, "--style", picture, "--width", "2", "--blocks", "0")
    whole = command(*given, "--steps", "4", "-o", tmp_path / "a.onnx", "--json")
    command(*given, "--steps", "2", "-o", tmp_path / "b.onnx", "--state", tmp_path / "b.npz")
    rest = command(
        *(*given, "--steps", "4", "-o", tmp_path / "b.onnx", "--state", tmp_path / "b.npz", "--resume", "--json")
    )
    assert json.loads(whole.stdout)["losses"] == json.loads(rest.stdout)["losses"]
    (_, _, first), _, (_, _, last) = written
    assert all(np.array_equal(first[name], last[name]) for name in first)


def test_an_interrupted_training_writes_what_it_has(command, network, photos, picture, tmp_path, monkeypatch, written):
    from crosslens.style_training import loop

    real = loop.one_step

    def cut(plan, model, how, state):
        if state.step == 2:
            raise KeyboardInterrupt
        return real(plan, model, how, state)

    monkeypatch.setattr(loop, "one_step", cut)
    done = command("train-style", network, photos, "--style", picture, "-o", tmp_path / "a.onnx", *SETTINGS)
    assert "Note: interrupted after 2 of 4 steps" in done.stderr
    assert [name for name, _, _ in written] == ["a.onnx"]


def test_losses_that_are_not_finite_are_one_line_and_the_last_good_network_is_written(
    command, network, photos, picture, tmp_path, monkeypatch, written
):
    from crosslens.errors import DivergedError
    from crosslens.style_training import loop

    real = loop.one_step

    def broken(plan, model, how, state):
        if state.step == 3:
            raise DivergedError("the loss is not finite at step 4")
        return real(plan, model, how, state)

    monkeypatch.setattr(loop, "one_step", broken)
    given = ("train-style", network, photos, "--style", picture, "-o", tmp_path / "a.onnx", "--every", "2", *SETTINGS)
    done = command(*given)
    assert done.exit_code == 1
    assert done.stderr == "Error: the loss is not finite at step 4; the network is that of step 2\n"
    assert [name for name, _, _ in written] == ["a.onnx"]


def test_a_file_that_cannot_be_written_does_not_cost_the_others(
    command, network, photos, picture, tmp_path, monkeypatch, written
):
    from crosslens.errors import ModelError
    from crosslens.style_training import trained_style

    real = trained_style.save_style_network

    def save(spec, weights, path):
        if path.suffix == ".onnx":
            raise ModelError(f"cannot write '{path}': No space left on device")
        real(spec, weights, path)

    monkeypatch.setattr(trained_style, "save_style_network", save)
    done = command(
        *("train-style", network, photos, "--style", picture, "-o", tmp_path / "a.onnx", "-o", tmp_path / "a.pt2"),
        *SETTINGS,
    )
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == f"written: {tmp_path / 'a.pt2'}"
    assert done.stderr == f"Error: cannot write '{tmp_path / 'a.onnx'}': No space left on device\n"


def test_several_styles(command, network, photos, picture, tmp_path, written):
    done = command(
        *("train-style", network, photos, "--style", picture, "--style", photos / "00.png", "-o", tmp_path / "a.keras"),
        *("--norm", "conditional", *SETTINGS),
    )
    assert done.exit_code == 0, done.output
    assert written[0][1].styles == 2


def test_a_decoder_for_a_folder_of_styles(command, network, photos, tmp_path, written):
    done = command(
        *("train-style", network, photos, "--style", photos, "--adain", "-o", tmp_path / "a.keras", *SETTINGS)
    )
    assert done.exit_code == 0, done.output
    assert written[0][1].is_decoder


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("-o", "{}/a.tflite"), "its name must end in .onnx or .pt2 or .keras"),
        (("-o", "{}/nowhere/a.onnx"), "the folder '{}/nowhere' does not exist"),
        (("-o", "{}/a.onnx", "--state", "{}/a.pt"), "its name must end in .npz"),
        (("-o", "{}/a.onnx", "--norm", "conditional"), "give several, or --norm instance"),
        (("-o", "{}/a.onnx", "--resume"), "--resume needs --state FILE, the file to go on from"),
        (("-o", "{}/a.onnx", "--size", "99"), "the loss network takes pictures of 16 x 16: leave it out"),
    ],
)
def test_what_cannot_be_is_one_line_before_training(
    command, network, photos, picture, tmp_path, monkeypatch, words, text
):
    monkeypatch.setattr("crosslens.style_training.loop.one_step", lambda *args: pytest.fail("it began to train"))
    words = [word.format(tmp_path) for word in words]
    done = command("train-style", network, photos, "--style", picture, *words, *SETTINGS)
    assert done.exit_code == 1, done.output
    assert text.format(tmp_path) in done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_no_photographs_is_one_line(command, network, picture, tmp_path):
    (tmp_path / "empty").mkdir()
    done = command("train-style", network, tmp_path / "empty", "--style", picture, "-o", tmp_path / "a.onnx")
    assert done.exit_code == 1
    assert "hold no picture" in done.stderr
