import json

import numpy as np
import pytest

TWO_NETS = """
from crosslens.testing import TinyModel

def other():
    return TinyModel(seed=1)

def wider():
    return TinyModel(classes=7)
"""


def test_equal_models_agree_and_both_files_are_written(command, tiny, picture, tmp_path):
    report, figures = tmp_path / "report.html", tmp_path / "figures.json"
    done = command("compare", "grad_cam", tiny, tiny, "--image", picture, "-o", report, "-o", figures)
    assert done.exit_code == 0, done.output
    assert (
        "All pairs of maps agree, 1 of 1 (two maps agree if their relative L2 difference is below 0.01)" in done.stdout
    )
    assert report.read_text().startswith("<!doctype html>")
    assert json.loads(figures.read_text())["figures"][0]["relative_l2"] == 0


def test_different_models_do_not_agree(command, tiny, picture, module):
    name = module(TWO_NETS)
    done = command("compare", "gradient", tiny, f"{name}:other", "--image", picture, "--target", "0")
    assert "1 of 1 pairs of maps do not agree: gradient on" in done.stdout
    assert "NO" in done.stdout


def test_json_holds_figures_and_predictions_and_nothing_else_is_on_stdout(command, tiny, picture, module):
    name = module(TWO_NETS)
    done = command("compare", "gradient", tiny, f"{name}:other", "--image", picture, "--json")
    said = json.loads(done.stdout)
    assert said["models"] == [tiny, f"{name}:other"]
    assert [p["model"] for p in said["predictions"]] == said["models"]
    (row,) = said["figures"]
    assert row["max_relative_difference"] > 0.1


def test_figures_that_json_does_not_have_are_null(capsys):
    from crosslens.cli._tables import echo_json

    echo_json({"infinite": float("inf"), "rows": [float("nan"), 1.5]})
    assert json.loads(capsys.readouterr().out) == {"infinite": None, "rows": [None, 1.5]}


def test_several_pictures_are_explained_together(command, tiny, picture, tmp_path):
    from PIL import Image

    second = tmp_path / "second.png"
    Image.fromarray(np.full((9, 9, 3), 90, np.uint8)).save(second)
    done = command("compare", "gradient", tiny, tiny, "--image", picture, "--image", second)
    assert done.stdout.count("picture.png") == 2
    assert done.stdout.count("second.png") == 2


@pytest.mark.parametrize(
    ("models", "text"),
    [(["TINY", "OTHER:wider"], "the models have different numbers of classes"), (["TINY", "gone.pt2"], "no model at")],
)
def test_models_that_are_not_one_network_are_refused(command, tiny, picture, module, models, text):
    name = module(TWO_NETS)
    specs = [spec.replace("TINY", tiny).replace("OTHER", name) for spec in models]
    done = command("compare", "gradient", *specs, "--image", picture)
    assert done.exit_code == 1
    assert text in done.stderr


def test_one_model_is_wrong_usage(command, tiny, picture):
    done = command("compare", "gradient", tiny, "--image", picture)
    assert done.exit_code == 2
    assert "comparing takes two models or more; there is 1" in done.stderr


def test_a_method_that_explains_pictures_asks_for_one(command, tiny):
    done = command("compare", "gradient", tiny, tiny)
    assert done.exit_code == 2
    assert "Missing option '--image'" in done.stderr
