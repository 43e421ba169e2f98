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
        "All pairs of maps agree, 1 of 1 (two maps agree if their relative L2 difference is below 0.01," in done.stdout
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
    from crosslens.cli._text.tables import echo_json

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
    [(["TINY", "OTHER:wider"], "the models have different outputs"), (["TINY", "gone.pt2"], "no model at")],
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
    assert "Missing option '--images': gradient explains pictures; give FILE or FOLDER" in done.stderr


@pytest.fixture
def folder(tmp_path, picture):
    """Eleven pictures and a text."""
    from PIL import Image

    made = tmp_path / "photos"
    made.mkdir()
    (made / "notes.txt").write_text("no picture")
    for n in range(11):
        pixels = np.random.default_rng(n).integers(0, 256, (9, 9, 3), np.uint8)
        Image.fromarray(pixels).save(made / f"photo{n}.{'JPG' if n % 2 else 'png'}", "PNG")
    return made


def test_several_methods_stand_before_the_models(command, tiny, folder, tmp_path):
    figures = tmp_path / "figures.json"
    done = command("compare", "gradient", "grad_cam", tiny, tiny, "--images", folder, "--json", figures)
    assert done.exit_code == 0, done.output
    said = json.loads(figures.read_text())
    assert [row["method"] for row in said["figures"]] == ["gradient", "grad_cam"]
    assert len(said["images"]) == 2 * 11
    assert said["images"][0]["image"] == "photo0.png"
    assert f"written: {figures}" in done.stdout


def test_files_that_the_shell_put_behind_images_are_pictures(command, tiny, folder):
    files = sorted(folder.glob("*.png"))
    done = command("compare", "gradient", tiny, tiny, "--images", *files, "--json")
    assert done.exit_code == 0, done.output
    assert [row["image"] for row in json.loads(done.stdout)["images"]] == [path.name for path in files]


def test_many_predictions_are_listed_where_they_differ_only(command, tiny, folder, module):
    assert "photo" not in command("compare", "gradient", tiny, tiny, "--images", folder).stdout
    name = module(TWO_NETS)
    done = command("compare", "gradient", tiny, f"{name}:other", "--images", folder, "--json")
    said = json.loads(done.stdout)
    shown = command("compare", "gradient", tiny, f"{name}:other", "--images", folder).stdout
    differ = {n for n, (a, b) in enumerate(zip(*(p["class"] for p in said["predictions"]), strict=True)) if a != b}
    assert shown.count("photo") == 2 * len(differ) > 0


def test_a_folder_without_pictures_is_refused(command, tiny, tmp_path):
    (tmp_path / "empty").mkdir()
    done = command("compare", "gradient", tiny, tiny, "--images", tmp_path / "empty")
    assert done.exit_code == 1
    assert (
        f"the folder '{tmp_path / 'empty'}' and its sub-folders hold no picture; files that end in .bmp, .gif"
        in done.stderr
    )


def test_an_option_is_for_every_method_that_has_it(command, tiny, picture):
    asked = ["compare", "gradient", "grad_cam", "smooth_grad", tiny, tiny, "--image", picture, "--json"]
    done = command(*asked, "--layer", "conv1", "--samples", "2")
    assert done.exit_code == 0, done.output
    plain = command(*asked, "--samples", "2")
    values = [[row["relative_l2"] for row in json.loads(text.stdout)["figures"]] for text in (done, plain)]
    assert values == [[0, 0, 0]] * 2
    noise = [json.loads(text.stdout)["noise"]["gradient"]["relative_l2"] for text in (done, plain)]
    assert noise[0] != noise[1]


def test_a_method_misspelled_behind_another_is_told_so(command, tiny, picture):
    done = command("compare", "gradient", "grad_can", tiny, tiny, "--image", picture)
    assert done.exit_code == 1
    assert "no plugin named 'grad_can' among the methods. Did you mean 'grad_cam'" in done.stderr


def test_a_limit_that_is_passed_ends_with_3_and_says_which(command, tiny, picture, module, tmp_path):
    name = module(TWO_NETS)
    asked = ["compare", "gradient", tiny, f"{name}:other", "--image", picture, "-o", tmp_path / "report.html"]
    done = command(*asked, "--fail-over", "max_relative_difference=1e-3", "--fail-over", "relative_l2=1e9")
    assert done.exit_code == 3
    assert done.stderr.startswith(f"Limit passed: max_relative_difference of gradient on {tiny} and {name}:other is")
    assert done.stderr.count("Limit passed") == 1
    assert (tmp_path / "report.html").exists()
    kept = command("compare", "gradient", tiny, tiny, "--image", picture, "--fail-over", "relative_l2=1e-3")
    assert kept.exit_code == 0


def test_a_limit_on_no_figure_is_refused_before_the_models_are_loaded(command, picture):
    done = command("compare", "gradient", "gone.onnx", "gone.pt2", "--image", picture, "--fail-over", "relativ_l2=1")
    assert done.exit_code == 1
    assert "no figure 'relativ_l2'; there are" in done.stderr


def test_the_layers_are_walked_and_where_they_part_is_said(command, tiny, picture, module):
    code = "import numpy as np\nfrom crosslens.testing import TinyModel\ndef faulty():\n    model = TinyModel()\n"
    code += "    kernel = model.weights('conv2')['kernel']\n"
    code += "    return model._with_weights({'conv2': {**model.weights('conv2'), 'kernel': 1.2 * kernel}})"
    name = module(code)
    done = command("compare", "gradient", tiny, f"{name}:faulty", "--image", picture, "--json")
    (walk,) = json.loads(done.stdout)["divergence"]
    assert walk["first"]["a"] == "conv2"
    assert "parts from" in command("compare", "gradient", tiny, f"{name}:faulty", "--image", picture).stdout


SMALL = """
import torch
from torch import nn

def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
"""


def test_each_model_may_have_a_preprocessing_of_its_own(command, picture, module):
    spec = f"{module(SMALL)}:net"
    given = ("compare", "gradient", spec, spec, "--images", picture, "--input-shape", "3,8,8", "--json")
    one = json.loads(command(*given, "--preprocess", "tf").stdout)
    assert [p["preprocess"]["scale"] for p in one["provenance"].values()] == [2.0, 2.0]
    two = json.loads(command(*given, "--preprocess", "unit", "--preprocess", "tf").stdout)
    assert [p["preprocess"]["scale"] for p in two["provenance"].values()] == [1.0, 2.0]
    wrong = command(*given, *["--preprocess", "tf"] * 3)
    assert wrong.exit_code == 2
    assert "--preprocess is given 3 times for 2 models; give it once for all, or once for each" in wrong.stderr


def test_each_method_may_have_settings_of_its_own(command, tiny, picture):
    words = ["gradient:layer=act1", "gradient", "integrated_gradients:steps=3,baseline=black"]
    done = command("compare", *words, tiny, tiny, "--image", picture, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert list(dict.fromkeys(row["method"] for row in said["figures"])) == words
    layers = {row["method"]: row["layers"] for row in said["layers"]}
    assert layers[words[0]] == ["act1"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["gradient:laier=act1"], "gradient has no parameter 'laier'; it has layer"),
        (["gradient:act1"], "'gradient:act1' has 'act1' where NAME=VALUE is right"),
        (["gradient:layer=act1,layer=act2"], "gives layer twice: several values stand behind one =, layer=A,B, where"),
        (["gradient:"], "ends where settings should follow: gradient:layer=bn3 for example"),
        (["gradient:layer=act1", "gradient:layer=act1"], "is given twice; give each its own settings"),
        (["gradiant:layer=act1"], "no plugin named 'gradiant'"),
    ],
)
def test_a_setting_that_a_method_does_not_have_is_refused(command, tiny, picture, words, text):
    done = command("compare", *words, tiny, tiny, "--image", picture)
    assert done.exit_code == 1, done.output
    assert text in done.stderr


def test_a_method_that_runs_on_no_two_models_is_left_out_and_the_others_go_on(command, tiny, picture, tmp_path):
    given = ("compare", "gradient", "grad_cam:layer=fc", tiny, tiny, "--image", picture)
    done = command(*given, "-o", tmp_path / "report.html", "-o", tmp_path / "figures.json")
    assert done.exit_code == 4, done.output
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Left out: grad_cam:layer=fc on ")]
    assert " and " in line.partition(": layer")[0], "both models, whose reason is one"
    said = json.loads((tmp_path / "figures.json").read_text())
    assert {row["method"] for row in said["figures"]} == {"gradient"}
    assert "layer 'fc' gives (1, 5), not maps" in said["skipped"][0]["reason"]
    assert "not maps" in (tmp_path / "report.html").read_text()


def test_where_no_method_runs_the_reason_is_the_error(command, tiny, picture):
    done = command("compare", "grad_cam:layer=fc", tiny, tiny, "--image", picture)
    assert done.exit_code == 1
    assert "layer 'fc' gives (1, 5), not maps" in done.stderr


def test_a_bad_picture_is_listed_and_the_others_are_compared(command, tiny, picture):
    broken = picture.with_name("broken.png")
    broken.write_bytes(b"no picture")
    page = picture.with_name("report.html")
    done = command("compare", "gradient", tiny, tiny, "--images", broken, picture, "--json", "-o", page)
    assert done.exit_code == 4, done.output
    assert done.stderr.count("is not a picture") == 1
    assert f"Failed: '{broken}' is not a picture" in done.stderr
    (skipped,) = json.loads(done.stdout)["skipped"]
    assert (skipped["image"], skipped["method"], skipped["model"]) == (str(broken), None, None)
    assert "is not a picture" in page.read_text()
    assert [row["image"] for row in json.loads(done.stdout)["images"]] == ["picture.png"]


def test_a_value_with_commas_and_equals_signs_is_quoted():
    from crosslens.cli._options.method_words import read_method
    from crosslens.errors import ParameterError
    from crosslens.plugins.registry import method_class

    assert read_method("grad_cam:layer='a:0,b=1'").settings == {"layer": "a:0,b=1"}
    assert read_method("grad_cam:layer=block/conv:0").settings == {"layer": "block/conv:0"}
    assert read_method("occlusion:window=16,8,stride=4").settings == {"window": "16,8", "stride": "4"}
    assert read_method("unit_statistics:layers=a,b,bins=4", method_class).settings == {"layers": "a,b", "bins": "4"}
    with pytest.raises(ParameterError, match="top_examples:layers=bn3 for example"):
        read_method("top_examples:", method_class)
