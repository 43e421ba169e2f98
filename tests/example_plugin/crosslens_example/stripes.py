"""Stripes: pictures of stripes at every angle, made when they are read."""

import numpy as np
from crosslens.data import Samples, Source


class Stripes(Source):
    """Half a turn of angles; a picture's label is the nearest of four directions."""

    def __init__(self, count=36):
        self.count = count

    def __len__(self):
        return self.count

    @property
    def ids(self):
        return tuple(f"{180 * n / self.count:g} degrees" for n in range(self.count))

    @property
    def digest(self):
        return f"stripes 1, {self.count}"  # all that the pictures depend on

    def read(self, start, stop, model):
        channels, height, width = model.input.example_shape
        low, high = model.input.bounds
        angles = np.pi * np.arange(start, stop)[:, None, None, None] / self.count
        y, x = np.indices((height, width))
        waves = np.sin((x * np.cos(angles) + y * np.sin(angles)) * 2 * np.pi / 4)
        images = (low + (high - low) * (waves + 1) / 2).astype(np.float32)
        indices = tuple(range(start, stop))
        return Samples(
            indices,
            tuple(self.ids[n] for n in indices),
            np.repeat(images, channels, axis=1),
            tuple({"label": "|/-\\"[round(4 * n / self.count) % 4]} for n in indices),
        )
