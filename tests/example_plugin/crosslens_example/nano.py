"""A framework in ten lines: images flattened, a hidden layer with tanh, a linear layer."""

import numpy as np


class Nano:
    def __init__(self, size=6, hidden=16, classes=5):
        rng = np.random.default_rng(0)
        self.size = size
        self.hidden = rng.normal(0, 0.1, (hidden, 3 * size * size)).astype(np.float32)
        self.bias = rng.normal(0, 0.1, hidden).astype(np.float32)
        self.logits = rng.normal(0, 0.5, (classes, hidden)).astype(np.float32)
