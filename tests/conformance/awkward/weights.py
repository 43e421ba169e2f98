"""Weights of the awkward networks, drawn once for all frameworks, in torch's layouts."""

import numpy as np

SIZE = 12
WIDTH = 6
CLASSES = 4
HIDDEN = 5


def drawn(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float) -> np.ndarray:
        return rng.normal(0, scale, shape).astype(np.float32)

    return {
        "conv1": normal(WIDTH, 3, 3, 3, scale=0.4),
        "bias1": normal(WIDTH, scale=0.2),
        "conv2": normal(WIDTH, WIDTH, 3, 3, scale=0.3),
        "bias2": normal(WIDTH, scale=0.2),
        "volume": normal(WIDTH, 1, 3, 3, 3, scale=0.4),
        "pixels": normal(2, WIDTH, 1, 1, scale=0.6),
        "norm": 1 + normal(WIDTH, scale=0.2),
        "offset": normal(WIDTH, scale=0.2),
        "head": normal(CLASSES, WIDTH, scale=1.0),
        "wide": normal(CLASSES, 2 * WIDTH, scale=1.0),
        "one": normal(1, WIDTH, scale=1.5),
        "last": normal(CLASSES, HIDDEN, scale=2.0),
        "lstm_in": normal(4 * HIDDEN, WIDTH * SIZE, scale=0.2),
        "lstm_again": normal(4 * HIDDEN, HIDDEN, scale=0.4),
        "lstm_bias": normal(4 * HIDDEN, scale=0.2),
    }


W = drawn(11)
SCALE = np.linspace(0.5, 1.5, WIDTH, dtype=np.float32)[None]
"""What the second input of `two_inputs` holds."""
