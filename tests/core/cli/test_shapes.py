"""`crosslens shapes`, and its folder as DATA of other commands."""

import json

import numpy as np
from PIL import Image


def test_a_folder_of_shapes_is_data_of_any_command(command, tiny, tmp_path):
    folder = tmp_path / "shapes"
    done = command("shapes", "-o", folder, "--count", "5", "--size", "16")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[:2] == [
        "5 pictures of 16 x 16 pixels, of 100 classes, with masks of:",
        "  shape: disc, square, triangle, ring, cross",
    ]
    done = command("run", "mean_activation", tiny, folder, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["provenance"]["source"]["read"] == 5


def test_a_bad_mask_is_listed_and_ends_with_exit_code_4(command, tiny, tmp_path):
    folder = tmp_path / "shapes"
    command("shapes", "-o", folder, "--count", "5", "--size", "16")
    Image.fromarray(np.full((16, 16), 9, np.uint8)).save(folder / "masks/shape/3.png")
    assert command("run", "mean_activation", tiny, folder).exit_code == 0  # it reads no masks
    done = command("run", "dissect", tiny, folder, "--json")
    assert done.exit_code == 4
    (failure,) = json.loads(done.stdout)["provenance"]["source"]["failures"]
    assert failure["id"] == "3.png"
    assert "holds the number 9 without a name" in failure["reason"]


def test_a_folder_that_holds_something_is_left_alone(command, tmp_path):
    (tmp_path / "x").write_text("mine")
    done = command("shapes", "-o", tmp_path)
    assert done.exit_code == 1
    assert "is not an empty folder; give a new one" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_json_names_the_concepts(command, tmp_path):
    done = command("shapes", "-o", tmp_path / "s", "--count", "1", "--json")
    assert json.loads(done.stdout)["concepts"]["texture"] == ["plain", "striped", "dotted", "checked"]
