"""Networks for pictures of shapes, in three frameworks: one trained, and one set by hand.

`python -m benchmarks.shapes_network FOLDER` makes 10,000 pictures of shapes, trains a small network on their classes
(a shape in a colour with a texture), and writes `shapes.onnx`, `shapes.pt2` and `shapes.keras`, which hold the same
weights, with the names of the classes; and `planted.onnx`, `planted.pt2` and `planted.keras`, whose units are known:
see `benchmarks.planted_network`. It takes about a minute on two cores.
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
from .planted_network import Planted
from .results import machine

SIZE = 64
COUNT = 10_000
EPOCHS = 8
BATCH = 128
RATE = 6e-3
"""Of Adam at its highest."""
SEED = 1
"""Of the pictures that are trained on; `crosslens shapes` makes those of seed 0."""


class Shapes(nn.Module):
    """Four convolutions and a dense layer, 64 x 64 pixels in [0, 1] to the logits of `CLASSES`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 16, 6, stride=2, padding=2), nn.ReLU()
        self.conv2, self.relu2, self.pool2 = nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.conv3, self.relu3, self.pool3 = nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.conv4, self.relu4 = nn.Conv2d(48, 96, 3, padding=1), nn.ReLU()
        self.pool4, self.flatten, self.fc = nn.MaxPool2d(8), nn.Flatten(), nn.Linear(96, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes)."""
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
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own
    steps = epochs * -(-count // BATCH)
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(epochs):
        for part in torch.from_numpy(rng.permutation(count)).split(BATCH):
            loss = nn.functional.cross_entropy(net(turned(rng, images[part].float() / 255)), labels[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimiser.step()
            rate.step()
    print(f"trained in {perf_counter() - began:.0f} s; {accuracy(net)}")
    return net.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]  # torch's own


def turned(rng: np.random.Generator, images: torch.Tensor) -> torch.Tensor:
    """A batch mirrored and transposed at random, all images alike: a shape, its colour and its texture stay."""
    images = images.flip([axis for axis in (2, 3) if rng.random() < 0.5])
    return images.transpose(2, 3) if rng.random() < 0.5 else images


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
    export(Planted().eval(), folder, "planted", (3, SIZE, SIZE), NAMES["shape"])


if __name__ == "__main__":
    main()
