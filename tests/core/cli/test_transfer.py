"""`crosslens transfer`: a matrix of networks by networks from the shell, and what is refused there."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{seed}.png")
    return tmp_path / "photos"


def test_it_prints_the_matrix_and_writes_page_and_table(command, tiny, folder, tmp_path):
    out = [word for name in ("t.html", "t.csv") for word in ("-o", tmp_path / name)]
    done = command("transfer", tiny, tiny, "--images", folder, "--attack", "pgd:steps=3", "--eps", "0.5", *out)
    assert done.exit_code == 0, done.output
    assert "pgd:eps=0.5,steps=3: share of pictures that fool" in done.stdout
    assert "Of each pair of networks those images count" in done.stdout
    assert "are one network" in done.stderr
    assert "What this does not prove" in (tmp_path / "t.html").read_text()
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 5


def test_json_and_a_bad_picture(command, tiny, folder):
    (folder / "3.png").write_bytes(b"no picture")
    done = command("transfer", tiny, tiny, "--images", folder, "--attack", "fgsm", "--eps", "0.1", "--json")
    assert done.exit_code == 4
    assert "3.png cannot be read" in done.stderr
    said = json.loads(done.stdout)
    assert said["images"] == ["0.png", "1.png", "2.png"]
    assert len(said["fooled"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attack", "grad_cam"], "grad_cam is not an attack on single images"),
        (["--attack", "pgdd"], "Did you mean 'pgd'"),
        (["--eps", "-1"], "eps is -1.0; it must be"),
        (["--attack", "pgd:eps=0.03", "--eps", "0.1"], "has an eps of its own; give it there or as --eps, not both"),
        (["--attack", "fgsm:norm=l2", "--norm", "linf"], "has a norm of its own; give it there or as --norm"),
        (["--norm", "l3"], "norm is 'l3'; it must be linf, l2 or l1"),
        (["--against", "label"], "has no label"),
    ],
)
def test_wrong_use_is_one_line(command, tiny, folder, words, message):
    done = command("transfer", tiny, tiny, "--images", folder, *words)
    assert done.exit_code in {1, 2}
    assert message in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error")]) == 1


def test_one_model_is_wrong_usage(command, tiny, folder):
    done = command("transfer", tiny, "--images", folder)
    assert done.exit_code == 2
    assert "two models or more; there is 1" in done.stderr
