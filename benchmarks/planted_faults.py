"""Does `crosslens diverge` find faults? `python -m benchmarks.planted_faults` writes the table of RESULTS.md.

Each fault is planted in a copy of a torch network, which is exported to ONNX; the untouched torch network is the
reference. Two more are planted in a small network written again in Keras (`benchmarks.ported_faults`). A row says
where the fault was planted, which layer was named, and as what.
"""

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import crosslens
import numpy as np
import onnx
import torch
from crosslens.alignment.divergence import Divergence, diverge
from crosslens.alignment.probe_images import probes
from crosslens.image.io import load_image
from torch import nn

from . import ported_faults
from .networks.export import exported
from .results import put

INPUT = crosslens.INPUT


@dataclass(frozen=True)
class Places:
    """Where in a network faults are planted: names of torch layers."""

    first: str
    kernel: str
    window: str
    norm: str
    rectifier: str


@dataclass(frozen=True)
class Fault:
    """What is done to the copy, where, and what it should be called."""

    name: str
    layer: str
    kinds: set[str]
    plant: Callable[[nn.Module], Any] = lambda net: None
    options: Mapping[str, Any] = field(default_factory=dict)
    convert: Callable[[onnx.ModelProto], onnx.ModelProto] = lambda proto: proto
    pictures: Callable[[Any], Any] = lambda x: x


def faults(places: Places, pictures: np.ndarray) -> Iterator[Fault]:
    kernel = f"{places.kernel}.weight"
    yield Fault("one weight tensor scaled by 1.01", places.kernel, {"weights"}, edit(kernel, lambda w: 1.01 * w))
    yield Fault("one weight of a tensor changed", places.kernel, {"weights"}, edit(kernel, nudged))
    yield Fault("two output channels swapped", places.kernel, {"channels"}, edit(kernel, swapped))
    yield Fault("kernel turned in the plane", places.window, {"transposed"}, edit(f"{places.window}.weight", flat_turn))
    yield Fault("kernel read in another order", places.kernel, {"transposed"}, edit(kernel, crossed))
    yield Fault("padding on the wrong side", places.window, {"padding"}, lambda net: shift_padding(net, places.window))
    yield Fault("another BN epsilon", places.norm, {"epsilon"}, lambda net: set_epsilon(net, places.norm))
    yield Fault("a ReLU dropped", places.rectifier, {"rectifier"}, lambda net: drop(net, places.rectifier))
    wrong = {
        "mean and std of another network": "imagenet",
        "BGR for RGB": {"scale": 255, "mean": 127, "std": 128, "order": "BGR"},
        "0..1 for 0..255": crosslens.Preprocess(mean=(127.0,), std=(128.0,)),  # as text or keywords it is refused
    }
    for name, preprocess in wrong.items():
        yield Fault(f"preprocessing: {name}", INPUT, {"preprocessing"}, options={"preprocess": preprocess})
    yield Fault("pictures resized by another filter", INPUT, {"resize"}, pictures=lambda x: pictures)
    yield Fault("float16", places.first, {"float16"}, convert=half)
    yield Fault("int8 (static, QDQ)", places.first, {"int8"}, convert=lambda proto: eight_bits(proto, pictures))


def edit(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[nn.Module], None]:
    def plant(net: nn.Module) -> None:
        state = net.state_dict()
        state[name] = change(state[name].clone())
        net.load_state_dict(state)

    return plant


def nudged(w: torch.Tensor) -> torch.Tensor:
    w.view(-1)[w.numel() // 3] += 0.1 * w.abs().max()
    return w


def swapped(w: torch.Tensor) -> torch.Tensor:
    w[[1, 2]] = w[[2, 1]]
    return w


def flat_turn(w: torch.Tensor) -> torch.Tensor:
    return w.transpose(2, 3).contiguous()


def crossed(w: torch.Tensor) -> torch.Tensor:
    """The same numbers, read in the order that TensorFlow stores them in."""
    out, width, *size = w.shape
    return w.reshape(*size, width, out).permute(3, 2, 0, 1).contiguous()


def shift_padding(net: nn.Module, name: str) -> None:
    """The same number of pixels, before where they were after and the other way round."""
    old = net.get_submodule(name)
    new = Shifted(old)
    replace(net, name, new)


class Shifted(nn.Module):
    """A convolution of stride 2 whose padding stands at the other end."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.conv = conv.weight, [conv]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        conv = self.conv[0]
        step, size = conv.stride[0], int(x.shape[-1])
        total = max((-(-size // step) - 1) * step + conv.kernel_size[0] - size, 0)
        own = conv.padding[0] or total // 2
        before = total - own if total % 2 else own - 1
        pads = (before, total - before) * 2
        return nn.functional.conv2d(nn.functional.pad(x, pads), self.weight, conv.bias, conv.stride, 0, 1, conv.groups)


def set_epsilon(net: nn.Module, name: str) -> None:
    net.get_submodule(name).eps = 1e-5


def drop(net: nn.Module, name: str) -> None:
    replace(net, name, nn.Identity())


def replace(net: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(net.get_submodule(parent) if parent else net, last, new)


def half(proto: onnx.ModelProto) -> onnx.ModelProto:
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    halved = OnnxModel(convert_float_to_float16(copy.deepcopy(proto), keep_io_types=True))
    halved.topological_sort()
    return halved.model


def eight_bits(proto: onnx.ModelProto, pictures: np.ndarray) -> onnx.ModelProto:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [{proto.graph.input[0].name: 2 * picture[None] - 1} for picture in pictures]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        onnx.save(proto, before)
        quantize_static(before, after, Pictures(), per_channel=True, weight_type=QuantType.QInt8)
        return onnx.load(after)


def found(net: nn.Module, fault: Fault, options: Mapping[str, Any], x: np.ndarray) -> Divergence:
    """What `diverge` says of the network and its faulty ONNX form."""
    faulty = copy.deepcopy(net)
    fault.plant(faulty)
    proto = fault.convert(exported(faulty.eval(), "legacy", shape=tuple(options["input_shape"])))
    wrong = crosslens.wrap(proto, **{**options, **fault.options})
    others = fault.pictures(x)
    return diverge(crosslens.wrap(net, **options), wrong, x, others=None if others is x else others)


def right(fault: Fault, said: Divergence) -> bool:
    """Whether the planted layer and what was done to it are named."""
    return said.cause is not None and said.cause.layer == fault.layer and said.cause.kind in fault.kinds


def rows() -> Iterator[str]:
    from importlib.util import find_spec

    from crosslens.backends.zoo import torch_nets

    net = torch_nets.lite0()
    options = {"preprocess": "lite", "input_shape": (3, 224, 224)}
    x = probes(crosslens.wrap(net, **options))
    folder = Path(find_spec("skimage").submodule_search_locations[0]) / "data"  # type: ignore[union-attr, index]
    resized = np.concatenate([squashed(folder / name) for name in ("chelsea.png", "coffee.png")])
    yield "| fault | planted at | first layer that parts | its own error | named | as |"
    yield "|--|--|--|--|--|--|"
    for fault in faults(LITE0, resized):
        said = found(net, fault, options, x)
        first, cause = said.first, said.cause
        named = f"`{cause.layer}`" + (", yes" if cause.layer == fault.layer else ", NO") if cause else "nothing"
        yield (
            f"| {fault.name} | `{fault.layer}` | `{first.a if first else '-'}` | {first.own if first else 0:.0e} "
            f"| {named} | {cause.kind if cause else '-'}{'' if right(fault, said) else ' (WRONG)'} |"
        )


def squashed(path: Path) -> np.ndarray:
    """The picture loaded as a pipeline does that knows nearest neighbours only."""
    from PIL import Image

    picture = Image.open(path).convert("RGB")
    side = 256 / min(picture.size)
    size = (round(picture.width * side), round(picture.height * side))
    return load_image(picture.resize(size, Image.Resampling.NEAREST), size=(224, 224))


LITE0 = Places(
    first="bn0",
    kernel="blocks.4.project_conv",
    window="blocks.5.depthwise_conv",
    norm="blocks.3.bn1",
    rectifier="blocks.6.relu1",
)


def main() -> None:
    lines = []
    for line in chain(rows(), ported_faults.rows()):
        print(line, flush=True)
        lines.append(line)
    put("planted faults", lines)


if __name__ == "__main__":
    main()
