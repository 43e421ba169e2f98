"""VGG16's trunk as a plain ONNX file for pictures of any size: what style networks are trained through.

`python -m benchmarks.vgg_trunk vgg16.onnx` writes it, up to the first convolution of the fifth stage, the deepest layer
that Gatys et al. (2016) read, with its preprocessing attached. The weights are those of `demo:vgg16_onnx`, whose head
takes pictures of 240 x 240 only.
"""

import sys
from pathlib import Path

import crosslens
import torch
from crosslens.backends.zoo import torch_nets
from torch import nn

__all__ = ["write"]

LAST = "block5_relu1"


def write(path: Path) -> Path:
    """Write the file, unless it is there."""
    if path.exists():
        return path
    whole = torch_nets.vgg16()
    names = [name for name, _ in whole.named_children()]
    trunk: nn.Sequential = whole[: names.index(LAST) + 1].eval()
    batch, height, width = (torch.export.Dim(name, min=least) for name, least in
                            (("batch", 1), ("height", 32), ("width", 32)))  # fmt: skip
    torch.onnx.export(
        trunk, (torch.zeros(2, 3, 64, 64),), path, dynamo=True, external_data=False,
        dynamic_shapes=({0: batch, 2: height, 3: width},), verbose=False,
    )  # fmt: skip
    crosslens.attach(path, preprocess="caffe")
    return path


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
