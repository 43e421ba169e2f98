"""`crosslens explore`: a site from a network and pictures, or from a survey, in the shell."""

import json

import numpy as np
import pytest
from crosslens.cli import explore as module
from PIL import Image

SMALL = ("--units", "1", "--pictures", "2", "--size", "8", "--steps", "1", "--maps", "gradient")


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png", "emu/1.png", "emu/2.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def test_a_network_and_pictures_become_a_site_and_a_survey_and_the_survey_a_site(command, tiny, folder, tmp_path):
    done = command("explore", tiny, folder, "-o", tmp_path / "site", "--layers", "conv1,act2", *SMALL)
    assert done.exit_code == 0, done.output
    assert f"written: {tmp_path / 'site' / 'index.html'} (open it in a browser" in done.stdout
    assert f"survey: {tmp_path / 'site-survey'}" in done.stdout
    page = (tmp_path / "site" / "data" / "site.js").read_text()
    assert f"crosslens explore {tiny} {folder}" in page
    assert "--units all" in page
    again = command("explore", tmp_path / "site-survey", "-o", tmp_path / "second", *SMALL, "--json")
    assert again.exit_code == 0, again.output
    said = json.loads(again.stdout)
    assert said["layers"] == ["conv1", "act2"]
    assert said["file"] == str(tmp_path / "second" / "index.html")
    assert (tmp_path / "second" / "data" / "pictures").is_dir()


def test_the_same_command_again_goes_on_and_replaces_nothing_foreign(command, tiny, tmp_path):
    words = ("explore", tiny, "-o", tmp_path / "site", "--layers", "conv2", *SMALL)
    assert command(*words).exit_code == 0
    assert command(*words).exit_code == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.md").write_text("mine")
    refused = command("explore", tiny, "-o", tmp_path / "other")
    assert refused.exit_code == 1
    assert "holds other things than a site" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--units", "many"), "'many' is neither a whole number, at least 0, nor 'all'"),
        (("--steps", "0"), "steps is 0; give a whole number, at least 1"),
        (("--network", "x.onnx"), "--network is the network of a survey"),
        (("--maps", "grad_cm"), "no plugin named 'grad_cm'"),
        (("--maps", "pgd"), "pgd gives no map of a picture"),
        (("--layers", "conv9"), "no layer 'conv9'"),
    ],
)
def test_wrong_words_are_refused_before_the_work(command, tiny, folder, tmp_path, words, said):
    done = command("explore", tiny, folder, "-o", tmp_path / "site", *words)
    assert done.exit_code in {1, 2}
    assert said in done.stderr.replace("\n", " ")
    assert not (tmp_path / "site").exists()


def test_folders_in_which_no_site_may_lie_are_refused_before_the_survey(command, tiny, folder, tmp_path):
    (tmp_path / "net.onnx").write_text("a network")
    for place in (folder, folder / "site", tmp_path / "net.onnx"):
        assert command("explore", tiny, folder, "-o", place, *SMALL).exit_code == 1
    assert not list(tmp_path.rglob("*-survey"))


def test_a_site_in_the_folder_where_one_is(command, tiny, folder, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = command("explore", tiny, folder, "-o", ".", "--layers", "conv1", *SMALL)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "here-survey" / "manifest.json").is_file()


def test_ctrl_c_says_the_command_that_goes_on(command, tiny, folder, tmp_path, monkeypatch):
    def stopped(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "explore", stopped)
    done = command("explore", tiny, folder, "-o", tmp_path / "my site")
    assert done.exit_code == 130
    assert f"to go on: crosslens explore {tiny} {folder} -o '{tmp_path / 'my site'}'\n" in done.stderr
