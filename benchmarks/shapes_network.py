"""Networks for pictures of shapes, in three frameworks: one trained, and one set by hand.

`python -m benchmarks.shapes_network FOLDER` makes 10,000 pictures of shapes, trains a small network on their classes
(a shape in a colour with a texture), and writes `shapes.onnx`, `shapes.pt2` and `shapes.keras`, which hold the same
weights, with the names of the classes; and `planted.onnx`, `planted.pt2` and `planted.keras`, whose units are known:
those of `colours` answer to one colour each, and the last ones to none.
"""

import os
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from crosslens.data.shapes import CLASSES, NAMES, shape_arrays
from torch import nn

from .exported import export
from .results import machine

SIZE = 64
COUNT = 10_000
EPOCHS = 8
BATCH = 128
SEED = 1
"""Of the pictures that are trained on; `crosslens shapes` makes those of seed 0."""
PLANTED = {
    "red": ((1, -1, -1), -0.15), "green": ((-1, 1, -1), 0.0), "blue": ((-1, -1, 1), 0.0),
    "yellow": ((0.5, 0.5, -1), -0.12), "magenta": ((0.5, -1, 0.5), -0.12),
}  # fmt: skip
"""The kernel of each colour's unit in `planted`, for red, green and blue in [0, 1], and its bias."""
IDLE = 3
"""Units of `planted` that answer to brightness alone, at a few scales."""


class Shapes(nn.Module):
    """Four convolutions and a dense layer, 64 x 64 pixels in [0, 1] to the logits of `CLASSES`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1, self.pool1 = nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)
        self.conv2, self.relu2, self.pool2 = nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.conv3, self.relu3, self.pool3 = nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.conv4, self.relu4 = nn.Conv2d(48, 96, 3, padding=1), nn.ReLU()
        self.pool4, self.flatten, self.fc = nn.MaxPool2d(8), nn.Flatten(), nn.Linear(96, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes)."""
        for each in self.children():
            x = each(x)
        return x


class Planted(nn.Module):
    """One 1 x 1 convolution of known units, and their means as outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.colours, self.relu = nn.Conv2d(3, len(PLANTED) + IDLE, 1), nn.ReLU()
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        kernels = [kernel for kernel, _ in PLANTED.values()] + [(1 / 3, 1 / 3, 1 / 3)] * IDLE
        biases = [bias for _, bias in PLANTED.values()] + [0.0] * IDLE
        with torch.no_grad():
            self.colours.weight[:] = torch.tensor(kernels)[:, :, None, None]
            assert self.colours.bias is not None
            self.colours.bias[:] = torch.tensor(biases)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean of each unit (N, units)."""
        for each in self.children():
            x = each(x)
        return x


def trained(count: int = COUNT, epochs: int = EPOCHS) -> Shapes:
    """The network after training by Adam; its accuracy on other pictures is printed."""
    torch.manual_seed(0)
    began = perf_counter()
    arrays = shape_arrays(count, size=SIZE, seed=SEED)
    print(f"{count:,} pictures drawn in {perf_counter() - began:.0f} s")
    images = torch.from_numpy(arrays.images).permute(0, 3, 1, 2)
    labels = torch.from_numpy(arrays.classes)
    net, rng, began = Shapes(), np.random.default_rng(0), perf_counter()
    steps = epochs * -(-count // BATCH)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for _ in range(epochs):
        for part in torch.from_numpy(rng.permutation(count)).split(BATCH):
            loss = nn.functional.cross_entropy(net(images[part].float() / 255), labels[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimiser.step()
            rate.step()
    print(f"trained in {perf_counter() - began:.0f} s; {accuracy(net)}")
    return net.eval()


def accuracy(net: nn.Module) -> str:
    """On 1,000 pictures that it was not trained on: of the class, and of each part of it."""
    arrays = shape_arrays(1000, size=SIZE)
    with torch.no_grad():
        said = net(torch.from_numpy(arrays.images).permute(0, 3, 1, 2).float() / 255).argmax(1).numpy()
    shape = tuple(len(NAMES[each]) for each in NAMES)
    parts = zip(NAMES, np.unravel_index(said, shape), np.unravel_index(arrays.classes, shape), strict=True)
    shares = ", ".join(f"{name} {np.mean(here == there):.1%}" for name, here, there in parts)
    return f"accuracy {np.mean(said == arrays.classes):.1%} ({shares})"


def main() -> None:
    """Train, set by hand, export."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    print(machine())
    export(trained(), folder, "shapes", (3, SIZE, SIZE), CLASSES)
    labels = [*PLANTED, *(f"brightness {n}" for n in range(1, IDLE + 1))]
    export(Planted().eval(), folder, "planted", (3, SIZE, SIZE), labels)


if __name__ == "__main__":
    main()
