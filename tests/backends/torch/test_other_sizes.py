"""Networks that take any size, over data of another size than the one that their layers are listed at."""

import crosslens
import numpy as np
import torch
from torch import nn


def test_top_examples_are_at_their_own_positions():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    images = np.random.default_rng(0).random((6, 3, 40, 52), np.float32)
    model = crosslens.wrap(network, preprocess=None, input_shape=(3, None, None))
    found = crosslens.method("top_examples", layers=("1",), count=3, kinds=("most",), shown=0)(model, images)
    with torch.no_grad():
        maps = network[:2](torch.from_numpy(images)).numpy()
    assert found.shapes["1"] == maps.shape[2:] == (19, 25)
    assert found.image_size == (40, 52)
    for unit in range(4):
        for value, image, position in zip(
            *(each["1"][0, unit] for each in (found.values, found.indices, found.positions)), strict=True
        ):
            row, column = divmod(int(position), 25)
            assert abs(maps[image, unit, row, column] - value) < 1e-5
            top, left, bottom, right = (
                int(n) for n in found.rectangles["1"][0, unit, list(found.indices["1"][0, unit]).index(image)]
            )
            assert top <= 2 * row < 2 * row + 3 <= bottom <= 40
            assert left <= 2 * column < 2 * column + 3 <= right <= 52
