"""Look-alikes of published networks in plain torch, with random weights: one family a file, sizes as parameters.

No registry package ships them; for speed and for the derivatives' truth the weights do not matter.
"""

from collections.abc import Iterator

from torch import nn

from .convnext import convnext
from .densenet import densenet121
from .detectors import ssd, yolo
from .efficientnet import efficientnet_b0
from .export import exported
from .googlenet import googlenet
from .inception import inception
from .mobilenet_v2 import mobilenet_v2
from .mobilenet_v3 import mobilenet_v3
from .resnet import resnet50
from .swin import swin
from .unet import unet_resize, unet_transposed
from .vgg import vgg16
from .vit import vit_b16

__all__ = [
    "convnext", "densenet121", "efficientnet_b0", "exported", "googlenet", "inception", "mobilenet_v2", "mobilenet_v3",
    "networks", "resnet50", "ssd", "swin", "unet_resize", "unet_transposed", "vgg16", "vit_b16", "yolo",
]  # fmt: skip


def networks() -> Iterator[tuple[str, nn.Module]]:
    """The eight of the speed table at their published sizes, for 224 px, made one by one."""
    yield "ResNet-50", resnet50()
    yield "MobileNetV2", mobilenet_v2()
    yield "EfficientNet-B0", efficientnet_b0()
    yield "DenseNet-121", densenet121()
    yield "GoogLeNet", googlenet()
    yield "MobileNetV3", mobilenet_v3()
    yield "ViT-B/16", vit_b16()
    yield "VGG-16", vgg16()
