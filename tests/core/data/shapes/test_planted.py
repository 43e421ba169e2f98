"""The network whose units are set by hand answers to what its units are named for."""

import numpy as np
import pytest
from crosslens.data.shapes import NAMES, shape_arrays

torch = pytest.importorskip("torch")


def test_each_planted_unit_answers_most_where_its_colour_is():
    """Of the half per cent of all positions where a unit is largest: the masks say the colour of nearly all."""
    from benchmarks.shapes_network import PLANTED, Planted

    arrays = shape_arrays(200)
    net = Planted()
    with torch.no_grad():
        images = torch.from_numpy(arrays.images).permute(0, 3, 1, 2).float() / 255
        maps = net.relu(net.colours(images)).numpy()
    for unit, colour in enumerate(PLANTED):
        values = maps[:, unit]
        on = values > np.quantile(values, 0.995)
        number = NAMES["colour"].index(colour) + 1
        assert (arrays.masks["colour"][on] == number).mean() > 0.98, colour
