"""The data-set gallery: each exhibit is a command that runs, and each picture that hangs stands with its command."""

import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from crosslens.cli import cli
from PIL import Image

from benchmarks.gallery import data
from benchmarks.gallery.data_exhibits import EXHIBITS
from benchmarks.gallery.folders import FOLDERS

from .tree import ROOT


@pytest.mark.parametrize("name", EXHIBITS)
@pytest.mark.parametrize("backend", data.BACKENDS)
def test_each_exhibit_is_made_of_commands_that_the_command_line_takes(name, backend, tmp_path):
    for program, *words in EXHIBITS[name].words(backend, tmp_path):
        assert program == "crosslens"
        at, given = cli, words
        with click.Context(cli) as context:
            while isinstance(at, click.Group):
                command = at.get_command(context, given[0])
                assert command is not None, words
                at, given = command, given[1:]
            assert at.make_context(words[0], given).params
    last = EXHIBITS[name].words(backend, tmp_path)[-1]
    assert sum(word.startswith(str(tmp_path / "made")) for word in last) == 1


def test_what_an_exhibit_needs_can_be_made():
    assert {name for exhibit in EXHIBITS.values() for name in exhibit.needs} <= set(FOLDERS)


def test_the_results_show_each_picture_that_hangs_and_what_to_type():
    page = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    for path in data.PICTURES.glob("data_*.jpg"):
        assert data.entry(EXHIBITS[path.stem.removeprefix("data_")]) in page
        assert path.stat().st_size <= data.LIMIT


def test_a_run_that_was_cut_off_goes_on_with_what_is_missing(tmp_path, monkeypatch, capsys):
    ran = []

    def runs(words, **_):
        ran.append(Path(words[3]).suffix)
        if len(ran) == 2:
            raise subprocess.CalledProcessError(1, words)
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(words[-1])

    monkeypatch.setattr(subprocess, "run", runs)
    monkeypatch.setattr(data, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(data, "PICTURES", tmp_path / "pictures")
    for folder in FOLDERS.values():
        monkeypatch.setattr(type(folder), "make", lambda self: None)
    monkeypatch.setattr(sys, "argv", ["data", "embedding_after"])
    with pytest.raises(subprocess.CalledProcessError):
        data.main()
    assert not (tmp_path / "pictures").exists()
    data.main()
    assert ran == [".pt2", ".keras", ".keras", ".onnx"]
    with Image.open(tmp_path / "pictures" / "data_embedding_after.jpg") as shown:
        assert shown.width > 2 * shown.height
    assert "digits.onnx" in capsys.readouterr().out
