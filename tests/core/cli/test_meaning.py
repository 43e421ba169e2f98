"""The command line prints the probability of one sigmoid, the number of a regression."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from crosslens.cli import cli
from PIL import Image
from torch import nn


@pytest.fixture
def files(tmp_path, monkeypatch):
    torch.manual_seed(0)
    last = nn.Linear(8, 1)
    nn.init.constant_(last.bias, -3.0)
    body = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last]
    example = torch.zeros(2, 3, 32, 32)
    for name, layers in {"sigmoid": [*body, nn.Sigmoid()], "score": body}.items():
        torch.export.save(torch.export.export(nn.Sequential(*layers).eval(), (example,)), tmp_path / f"{name}.pt2")
    pixels = np.random.default_rng(0).random((32, 32, 3))
    Image.fromarray((255 * pixels).astype(np.uint8)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)


def run(*words):
    return CliRunner().invoke(cli, [*words, "--preprocess", "unit"]).output


def test_one_sigmoid_is_printed_as_a_probability(files):
    said = run("run", "gradient", "sigmoid.pt2", "a.png")
    assert "explained: positive (class 1), probability 0.0" in said
    assert "(before the sigmoid)" in said
    assert "explained: negative (class 0), probability 0.9" in run(
        "run", "gradient", "sigmoid.pt2", "a.png", "--target", "negative"
    )


def test_a_regression_is_printed_without_a_probability(files):
    said = run("run", "gradient", "score.pt2", "a.png")
    assert "explained: score, -" in said
    assert "probability" not in said
