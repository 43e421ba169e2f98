"""`crosslens compare` of an attack, from the shell."""

import numpy as np
from PIL import Image


def test_the_shell_prints_what_fell_and_sets_a_limit(command, tiny, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / "x.png")
    words = ("compare", "pgd:steps=3", tiny, tiny, "--images", tmp_path / "x.png", "--eps", "0.5", "--transfer")
    done = command(*words, "--fail-over", "same_success=1")
    assert done.exit_code == 0, done.output
    assert "pgd:steps=3" in done.stdout
    assert "share of pictures that fool" in done.stdout
    assert "An attack that fails proves nothing." in done.stdout
    assert "relative L2" not in done.stdout
