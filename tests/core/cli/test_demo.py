"""The demo with small networks in place of the real ones; `make demo` runs it in earnest."""

import json

import pytest
from crosslens.cli import demo
from crosslens.errors import ModelError
from crosslens.testing import TinyModel


@pytest.fixture
def networks(monkeypatch):
    """What `wrap("demo:lite0_NAME")` gives, by NAME; an exception is raised instead."""
    found = {name: TinyModel(size=64) for name in ("torch", "keras", "onnx")}
    for model in found.values():
        model.labels = ["dog", "ox", "tiger cat", "emu", "ape"]

    def wrap(spec):
        model = found[spec.removeprefix("demo:lite0_")]
        if isinstance(model, Exception):
            raise model
        return model

    monkeypatch.setattr(demo, "wrap", wrap)
    return found


def test_it_writes_a_report_and_figures_of_each_method_and_pair(command, networks, tmp_path):
    done = command("demo", "-o", tmp_path / "new" / "demo")
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "new" / "demo" / "comparison.json").read_text())
    assert {row["method"] for row in said["figures"]} == {"gradient", "grad_cam", "cam", "occlusion"}
    assert len(said["figures"]) == 12
    assert set(said["figures"][0]) >= {"max_relative_difference", "relative_l2", "rank_correlation"}
    assert (tmp_path / "new" / "demo" / "report.html").stat().st_size > 10_000


def test_it_says_what_the_cat_is_and_that_all_pairs_agree(command, networks, tmp_path):
    said = command("demo", "-o", tmp_path).stdout
    assert said.startswith("chelsea is a tiger cat: 0.")
    assert "All pairs of maps agree, 12 of 12" in said
    assert "next: crosslens run grad_cam demo:lite0_torch" in said


def test_a_framework_that_is_missing_is_named_and_the_others_go_on(command, networks, tmp_path):
    networks["keras"] = ModuleNotFoundError("No module named 'tensorflow'")
    done = command("demo", "-o", tmp_path)
    assert done.exit_code == 0
    assert "without keras: No module named 'tensorflow' (pip install 'crosslens[tensorflow,demo]')" in done.stderr
    assert "All pairs of maps agree, 4 of 4" in done.stdout


def test_one_framework_alone_is_nothing_to_compare(command, networks, tmp_path):
    networks["keras"] = ModuleNotFoundError("No module named 'tensorflow'")
    networks["onnx"] = ModelError("the weights are not installed")
    done = command("demo", "-o", tmp_path)
    assert done.exit_code == 1
    assert "Error: the demo compares two frameworks at least; 1 can be had." in done.stderr


def test_networks_that_see_different_things_are_said_to(command, networks, tmp_path):
    networks["onnx"] = TinyModel(size=64, seed=8)
    networks["onnx"].labels = networks["torch"].labels
    said = command("demo", "-o", tmp_path).stdout
    assert said.startswith("chelsea is seen differently: tiger cat 0.")
    assert "of 12 pairs of maps do not agree" in said


def test_without_scikit_image_it_says_what_to_install(command, networks, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    done = command("demo", "-o", tmp_path)
    assert done.exit_code == 1
    assert "pip install 'crosslens[demo]', or give --image FILE" in done.stderr


def test_a_folder_that_cannot_be_made_is_refused_first(command, networks, tmp_path):
    (tmp_path / "file").write_text("")
    done = command("demo", "-o", tmp_path / "file" / "demo")
    assert done.exit_code == 1
    assert "cannot make the folder" in done.stderr
