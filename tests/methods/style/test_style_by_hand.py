"""Style transfer reaches what a loop written by hand in torch reaches: VGG16, the same start, layers and Adam."""

import numpy as np
import pytest
import torch

from benchmarks.style_by_hand import Losses, style_transfer
from benchmarks.synthesis_speed import CONTENT, RATE, STYLES, WEIGHTS, adam, photograph, trunk, wrapped

SIZE, STEPS, DEPTH = 64, 8, 3
"""Style layers of the first three scales: deeper ones see more than this picture."""


@pytest.fixture(scope="module")
def by_hand():
    content, style = photograph("astronaut", SIZE), photograph("coffee", SIZE)
    losses = Losses(trunk(), torch.from_numpy(content), torch.from_numpy(style), CONTENT, STYLES[:DEPTH])
    picture, history = style_transfer(losses, torch.from_numpy(content), STEPS, RATE, **WEIGHTS)
    return content, style, losses, picture, [float(loss) for loss in history]


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_content_and_style_loss_are_those_of_the_loop_by_hand(backend, by_hand):
    content, style, losses, picture, history = by_hand
    model, of_content, of_style = wrapped(backend, SIZE)
    result = adam(STEPS, style, of_content, of_style[:DEPTH])(model, content)
    np.testing.assert_allclose(result.history[:, 0], history, rtol=5e-3)
    with torch.no_grad():
        theirs, ours = losses(picture), losses(torch.from_numpy(result.images))
    for reached, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(float(reached), float(wanted), rtol=1e-2)
    assert history[-1] < 0.5 * history[0]
