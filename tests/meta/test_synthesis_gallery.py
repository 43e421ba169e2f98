"""The synthesis gallery: every method that makes pictures hangs in it, and a run that was cut off goes on."""

import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from crosslens.cli.run import command
from crosslens.plugins import image_methods
from PIL import Image

from benchmarks.gallery import synthesis
from benchmarks.gallery.exhibits import EXHIBITS
from benchmarks.gallery.rows import left_out

from .tree import ROOT


def test_every_method_that_makes_pictures_hangs_in_the_gallery():
    makers = {name for name in image_methods() if left_out(name) == "makes a picture instead of explaining one"}
    elsewhere = {"restyle"}  # its networks are trained first: benchmarks.style_families
    assert {exhibit.method for exhibit in EXHIBITS.values()} | elsewhere == makers


@pytest.mark.parametrize("name", EXHIBITS)
def test_each_exhibit_is_a_command_that_the_command_line_takes(name, tmp_path):
    run, method, *words = EXHIBITS[name].command("torch", tmp_path / "made.png")
    assert run == "run"
    with click.Context(command) as context:
        one = command.get_command(context, method)
        assert one is not None
        assert one.make_context(method, words).params["model"].startswith("demo:")


def test_the_results_show_each_picture_that_hangs_and_what_to_type():
    page = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    hung = [path.stem.removeprefix("synthesis_") for path in synthesis.PICTURES.glob("synthesis_*.jpg")]
    assert hung
    for name in hung:
        assert f"(pictures/synthesis_{name}.jpg)" in page
        assert EXHIBITS[name].typed("onnx") in page


def test_a_run_that_was_cut_off_goes_on_with_what_is_missing(tmp_path, monkeypatch, capsys):
    ran = []

    def runs(words, **_):
        ran.append(words[3])
        if len(ran) == 2:
            raise subprocess.CalledProcessError(1, words)
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(words[-1])

    monkeypatch.setattr(subprocess, "run", runs)
    monkeypatch.setattr(synthesis, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(synthesis, "PICTURES", tmp_path / "pictures")
    monkeypatch.setattr(sys, "argv", ["synthesis", "caricature"])
    with pytest.raises(subprocess.CalledProcessError):
        synthesis.main()
    assert not (tmp_path / "pictures").exists()
    synthesis.main()
    assert ran == ["demo:lite0_torch", "demo:lite0_keras", "demo:lite0_keras", "demo:lite0_onnx"]
    picture = Path(capsys.readouterr().out.splitlines()[-1])
    with Image.open(picture) as shown:
        assert shown.width > 3 * synthesis.TILE
    assert [path.name for path in sorted((tmp_path / "kept" / "caricature").iterdir())] == [
        f"{backend}.{suffix}" for backend in ("keras", "onnx", "torch") for suffix in ("json", "png")
    ]
