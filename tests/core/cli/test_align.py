"""`crosslens align` and `crosslens diverge` on the small network in plain array code."""

import json

import pytest

NETS = """
import numpy as np
from crosslens.testing import TinyModel

def other():
    model = TinyModel()
    kernel = model.weights("conv2")["kernel"].copy()
    kernel[0, 0, 1, 1] += 1
    return model._with_weights({"conv2": {"kernel": kernel}})

def smaller():
    return TinyModel(size=6)
"""


def test_align_prints_a_row_for_each_layer(command, tiny, picture):
    done = command("align", tiny, tiny, "--image", picture)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[2:4]] == [["conv1", "conv1"], ["act1", "act1"]]
    assert lines[-1].endswith("0 layers without a counterpart")


def test_align_as_json_holds_rows_and_what_is_unmatched(command, tiny, picture):
    said = json.loads(command("align", tiny, tiny, "--image", picture, "--json").stdout)
    assert [row["layers"][0] for row in said["rows"]][:3] == ["<input>", "conv1", "act1"]
    assert list(said["unmatched"].values()) == [[], []]


def test_align_takes_two_models(command, tiny):
    done = command("align", tiny)
    assert done.exit_code == 2
    assert "aligning takes two models or more; there is 1" in done.stderr


def test_models_of_different_sizes_are_refused_with_what_to_do(command, tiny, module):
    done = command("align", tiny, f"{module(NETS)}:smaller")
    assert done.exit_code == 1
    assert "the models take different images" in done.stderr
    assert "resize one of them" in done.stderr


def test_diverge_names_the_layer_and_the_tensor(command, tiny, picture, module):
    done = command("diverge", tiny, f"{module(NETS)}:other", "--image", picture)
    assert done.exit_code == 3, done.output
    assert "the kernel of 'conv2' differs: 1 of 216 values" in done.stdout
    assert next(line for line in done.stdout.splitlines() if "parts here" in line).startswith("conv2")


def test_diverge_of_a_network_from_itself_finds_nothing(command, tiny, picture):
    done = command("diverge", tiny, tiny, "--image", picture)
    assert done.exit_code == 0, done.output
    assert "do not part: no layer's own error leaves rounding; the outputs differ by 0.0e+00" in done.stdout


def test_diverge_as_json_holds_the_cause(command, tiny, picture, module):
    said = json.loads(command("diverge", tiny, f"{module(NETS)}:other", "--image", picture, "--json").stdout)
    assert said["cause"]["kind"] == "weights"
    assert said["cause"]["layer"] == said["first"]["a"] == "conv2"


@pytest.mark.parametrize(
    ("limit", "code"),
    [("own=100", 0), ("relative_l2=100", 0), ("own=1e-4", 3), ("relative_l2=0", 3), ("correlation=1.5", 3)],
)
def test_a_limit_of_diverge_takes_the_place_of_the_rule_that_every_fault_counts(
    command, tiny, picture, module, limit, code
):
    done = command("diverge", tiny, f"{module(NETS)}:other", "--image", picture, "--fail-over", limit, "--json")
    assert done.exit_code == code, done.output
    assert json.loads(done.stdout)["first"]["a"] == "conv2"
    assert done.stderr.startswith(f"Limit passed: {limit.partition('=')[0]} is ") == (code == 3)


def test_a_figure_that_diverge_does_not_have_is_refused_before_the_models_are_opened(command):
    done = command("diverge", "none.onnx", "none.onnx", "--fail-over", "ssim=1")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: no figure 'ssim'")
