"""`crosslens run adversarial_patch`: a folder of pictures in, a patch, its sheet and the rates out."""

import crosslens
import numpy as np
import pytest
from PIL import Image

FEW = ("--steps", 2, "--batch", 2, "--placements", 3, "--area", 0.3, "--scale", "1,1")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for seed in range(6):
        pixels = np.random.default_rng(seed).integers(0, 255, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{seed}.png")
    return tmp_path / "photos"


def test_it_writes_the_patch_with_its_sheet_and_prints_the_rates(command, tiny, folder, tmp_path):
    done = command("run", "adversarial_patch", tiny, folder, "--towards", "class 2", *FEW, "-o", tmp_path / "p.png")
    assert done.exit_code == 0, done.output
    lines = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert lines[0] == f"adversarial_patch of {tiny} over 6 of 6 images in {folder}"
    assert lines[1:6] == ["of", "held out", "training", "grey patch", "patch of noise"]
    assert lines[-1] == f"written: {tmp_path / 'p.png'}"
    with Image.open(tmp_path / "p.png") as patch:
        assert patch.mode == "RGBA"
    assert (tmp_path / "p-on-pictures.png").exists()


def test_a_patch_is_judged_on_other_pictures_without_training(command, tiny, folder, tmp_path):
    done = command("run", "adversarial_patch", tiny, folder, "--towards", 2, *FEW, "-o", tmp_path / "p.npz")
    assert done.exit_code == 0, done.output
    made = crosslens.load(tmp_path / "p.npz")
    asked = ("--towards", 2, *FEW[2:], "--steps", 0, "--start", tmp_path / "p.npz", "-o", tmp_path / "judged.npz")
    done = command("run", "adversarial_patch", tiny, folder, *asked)
    assert done.exit_code == 0, done.output
    judged = crosslens.load(tmp_path / "judged.npz")
    assert judged.held_out == made.held_out  # those that it was trained on are never judged
    np.testing.assert_array_equal(judged.images, made.images)


def test_what_is_wrong_is_one_line(command, tiny, folder):
    done = command("run", "adversarial_patch", tiny, folder, "--towards", "toaster")
    assert done.exit_code == 1
    assert "toaster" in done.stderr
    assert "Traceback" not in done.output
    done = command("run", "adversarial_patch", tiny, folder)
    assert done.exit_code == 2
    assert "--towards" in done.stderr
