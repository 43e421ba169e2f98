"""`crosslens sweep`: methods over a data set into a folder, from the shell."""

import json

import crosslens
import numpy as np
import pytest
from crosslens.cli import sweep as module
from crosslens.cli._text import progress as _progress
from crosslens.testing import TinyModel
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def test_it_writes_the_survey_of_the_python_call(command, tiny, folder, tmp_path):
    words = ("mean_activation:layer=fc", "mean_activation:layer=conv1")
    done = command("sweep", tiny, folder, *words, "-o", tmp_path / "survey")
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()
    assert said[0] == f"2 results of {tiny} over 3 of 3 images in {folder}"
    assert said[1] == "mean_activation layer=fc: 5 rows of unit, mean, on tiny"
    assert said[-1] == f"written: {tmp_path / 'survey'} (README.md there says what each file is)"
    survey = crosslens.load(tmp_path / "survey")
    alone = crosslens.method("mean_activation", layer="fc")(TinyModel(), crosslens.data(folder))
    np.testing.assert_array_equal(survey["mean_activation layer=fc"]["mean"], alone["mean"])
    assert survey.images["label"].tolist() == ["cat", "cat", "dog"]
    assert survey.images["id"].tolist() == ["cat/1.png", "cat/2.png", "dog/1.png"]


def test_json_has_the_files_and_some_bad_pictures_are_exit_code_4(command, tiny, folder, tmp_path):
    (folder / "dog/2.png").write_bytes(b"no picture")
    done = command("sweep", tiny, folder, "mean_activation", "-o", tmp_path / "survey", "--json")
    assert done.exit_code == 4
    assert "Note: 1 of 4 images could not be read and are left out: dog/2.png" in done.stderr
    said = json.loads(done.stdout)
    assert (said["images"], said["failed"]) == (4, 1)
    names = [str(tmp_path / "survey" / "mean_activation" / name) for name in ("table.parquet", "result.npz")]
    assert said["results"]["mean_activation"]["files"] == names


def test_ctrl_c_says_the_command_that_goes_on(command, tiny, folder, tmp_path, monkeypatch):
    def stopped(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "sweep", stopped)
    done = command("sweep", tiny, folder, "mean_activation", "-o", tmp_path / "my survey", "--again")
    assert done.exit_code == 130
    line = f"to go on: crosslens sweep {tiny} {folder} mean_activation -o '{tmp_path / 'my survey'}'\n"
    assert line in done.stderr


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["grad_cam"], "grad_cam explains single images, and a sweep takes methods over a data set"),
        (["mean_activations"], "Did you mean 'mean_activation'"),
        (["mean_activation:units=3"], "mean_activation has no parameter 'units'"),
        (["mean_activation", "--workers", "0"], "workers is 0; give a whole number from 1 on"),
        (["mean_activation", "-o", "FOLDER/survey"], "would lie among the pictures of"),
        (["mean_activation", "-o", "FOLDER/cat"], "holds other things (1.png, 2.png)"),
    ],
)
def test_what_is_wrong_is_one_line(command, tiny, folder, tmp_path, args, text):
    given = [arg.replace("FOLDER", str(folder)) for arg in args]
    out = [] if "-o" in given else ["-o", tmp_path / "survey"]
    data = folder / "dog" if text.startswith("holds") else folder
    done = command("sweep", tiny, data, *given, *out)
    assert done.exit_code == 1
    assert text in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_another_survey_is_refused_with_the_option_that_begins_anew(command, tiny, folder, tmp_path):
    assert command("sweep", tiny, folder, "mean_activation", "-o", tmp_path / "survey").exit_code == 0
    done = command("sweep", tiny, folder / "cat", "mean_activation", "-o", tmp_path / "survey")
    assert done.exit_code == 1
    assert "in which the data differs" in done.stderr
    assert "--again begins anew" in done.stderr
    done = command("sweep", tiny, folder / "cat", "mean_activation", "-o", tmp_path / "survey", "--again")
    assert done.exit_code == 0
    assert len(crosslens.load(tmp_path / "survey").images) == 2


def test_help_shows_examples(command):
    done = command("sweep", "--help")
    assert "crosslens sweep net.onnx photos unit_statistics top_examples -o survey" in done.stdout


def test_progress_tells_the_images_of_a_round_from_what_comes_after_it(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "BETWEEN", 0.0)
    pace = _progress.Pace("images")
    pace.lines(0, 200, "round 1")
    pace.lines(0, 7, "top_examples: pictures")
    assert capsys.readouterr().err.splitlines() == ["0 of 200 images (round 1)", "0 of 7 (top_examples: pictures)"]
