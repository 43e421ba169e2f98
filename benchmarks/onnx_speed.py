"""Forward and input gradient on onnxruntime through crosslens, beside its peers, on look-alikes of published networks.

One process, candidates in turns. Peers: torch eager on the network that was exported, the same in channels-last memory,
torch.compile of it, tf.function on the network of that name in keras.applications, onnx-ad 0.3.0 on the exported file
with its batch fixed. All torch parameters are frozen, so that nobody computes their gradients.
"""

import math
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from statistics import median
from typing import Any

import crosslens
import numpy as np
import onnx
import onnxruntime as ort
import torch
from crosslens.backends.zoo import torch_nets
from crosslens.model import INPUT, OUTPUT
from crosslens.model.preprocessing import PRESETS

from .networks import exported, networks
from .paired import PAUSE, Timing, in_turns
from .results import machine, put

TARGET = 281
KERAS = {
    "ResNet-50": "ResNet50",
    "MobileNetV2": "MobileNetV2",
    "EfficientNet-B0": "EfficientNetB0",
    "DenseNet-121": "DenseNet121",
    "MobileNetV3": "MobileNetV3Large",
    "VGG-16": "VGG16",
}
Gradient = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def cases() -> Iterator[tuple[str, torch.nn.Module]]:
    yield "Lite0", torch_nets.lite0()
    yield from networks()


def in_torch(net: torch.nn.Module, *, channels_last: bool = False) -> Gradient:
    """The maths by hand, preprocessing included."""
    gain, offset = (torch.from_numpy(v)[None, :, None, None] for v in PRESETS["imagenet"].affine(3))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = net.to(memory_format=layout)  # type: ignore[call-overload]

    def gradient(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        x = torch.from_numpy(image).requires_grad_()
        score = net((gain * x + offset).contiguous(memory_format=layout))[:, TARGET].sum()
        return torch.autograd.grad(score, x)[0].numpy()

    return gradient


def in_tensorflow(name: str) -> Gradient:
    """The network of that name with random weights, as a traced function."""
    import keras
    import tensorflow as tf

    net = getattr(keras.applications, name)(weights=None, classifier_activation=None)

    @tf.function(reduce_retracing=True)
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.reduce_sum(net(x, training=False)[:, TARGET])
        return tape.gradient(score, x)

    return lambda image: gradient(tf.constant(np.ascontiguousarray(image.transpose(0, 2, 3, 1)))).numpy()


def by_onnx_ad(proto: onnx.ModelProto) -> Gradient:
    """The file with its batch fixed to one, differentiated by the package onnx-ad and run by onnxruntime."""
    from onnx_ad import reverse

    fixed = onnx.ModelProto()
    fixed.CopyFrom(proto)
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del fixed.graph.value_info[:]
    made = reverse(onnx.shape_inference.infer_shapes(fixed))
    options = ort.SessionOptions()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    session = ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (image, seed), wanted = (i.name for i in session.get_inputs()), session.get_outputs()[-1].name
    cotangent = np.zeros((1, 1000), np.float32)
    cotangent[:, TARGET] = 1
    gain, offset = (v[None, :, None, None] for v in PRESETS["imagenet"].affine(3))
    return lambda x: gain * session.run([wanted], {image: gain * x + offset, seed: cotangent})[0].reshape(x.shape)


def raw_forward(proto: onnx.ModelProto) -> Callable[[np.ndarray[Any, Any]], object]:
    """The file's forward pass by onnxruntime itself with its default options: no crosslens, no preprocessing."""
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (image,) = (i.name for i in session.get_inputs())
    return lambda x: session.run(None, {image: x})


def candidates(
    name: str, net: torch.nn.Module, proto: onnx.ModelProto, batch: int, *, quick: bool
) -> dict[str, Gradient]:
    """Everybody who can take this network and this batch."""
    found = {"torch": in_torch(net)}
    if not quick:
        found["channels_last"] = in_torch(net, channels_last=True)
    if batch == 1 and not quick:
        found["compile"] = in_torch(torch.compile(net))
        if name in KERAS:
            found["tf.function"] = in_tensorflow(KERAS[name])
        if find_spec("onnx_ad"):
            found["onnx-ad"] = by_onnx_ad(proto)
    return found


def far(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """Relative distance, L2."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def row(name: str, net: torch.nn.Module, proto: onnx.ModelProto, batch: int, *, quick: bool) -> tuple[str, Timing]:
    """One line of the table, and its times."""
    model = crosslens.wrap(proto, preprocess="imagenet")
    image = np.random.default_rng(0).random((batch, 3, 224, 224), np.float32)
    seed = np.zeros((batch, 1000), np.float32)
    seed[:, TARGET] = 1
    peers = candidates(name, net, proto, batch, quick=quick)
    ours = model.vjp(image, {OUTPUT: seed}).gradients[INPUT]
    assert far(peers["torch"](image), ours) < 0.05, name
    if "onnx-ad" in peers and (distance := far(peers["onnx-ad"](image), ours)) > 0.05:
        print(f"{name}: onnx-ad's gradient is wrong, {distance:.2f} away from torch's; left out", file=sys.stderr)
        del peers["onnx-ad"]
    calls: dict[str, Callable[[], object]] = {
        key: lambda gradient=gradient: gradient(image) for key, gradient in peers.items()
    }
    calls["onnx"] = lambda: model.vjp(image, {OUTPUT: seed})
    raw = raw_forward(proto)
    calls["forward"] = lambda: raw(image)
    timing = in_turns(calls, rounds=11 if batch == 1 else 5)
    cells = [f"{1e3 * timing.median('torch'):.0f}", f"{1e3 * timing.median('onnx'):.0f}"]
    cells.append(f"**x{timing.ratio('torch', 'onnx'):.2f}**")
    others = ("channels_last", "compile", "tf.function", "onnx-ad")
    cells += [f"{timing.ratio(peer, 'onnx'):.2f}" if peer in peers else "" for peer in others]
    cells += [f"{1e3 * timing.median('forward'):.0f}", f"{timing.ratio('onnx', 'forward'):.2f}"]
    return f"| {name} | {batch} | {' | '.join(cells)} |", timing


def main() -> None:
    """Print the table for the networks named, or write that of all; --quick leaves out all peers but torch eager."""
    quick = "--quick" in sys.argv
    chosen = [word for word in sys.argv[1:] if word != "--quick"]
    lines = [
        f"Forward and input gradient at 224 px, medians of pairs in one run, {PAUSE} s of pause before each call; "
        f"{torch.get_num_threads()} threads; {machine()}.",
        "",
        "| network | batch | torch eager, ms | ONNX file through crosslens, ms | torch eager takes | channels_last | "
        "torch.compile | tf.function | onnx-ad | onnxruntime's own forward, ms | gradient step over it |",
        "|--|--|--|--|--|--|--|--|--|--|--|",
    ]
    print("\n".join(lines))
    ratios: dict[int, list[float]] = {1: [], 8: []}
    steps = []
    for name, net in cases():
        if chosen and name not in chosen:
            continue
        frozen = net.eval().requires_grad_(False)
        proto = exported(frozen)
        for batch in (1, 8):
            text, timing = row(name, frozen, proto, batch, quick=quick)
            print(text, flush=True)
            lines.append(text)
            if name != "Lite0":
                ratios[batch].append(timing.ratio("torch", "onnx"))
                steps.append(timing.ratio("onnx", "forward"))
    lines.append("")
    for batch, of_batch in ratios.items():
        if of_batch:
            mean = math.exp(sum(map(math.log, of_batch)) / len(of_batch))
            lines.append(
                f"Batch {batch}: torch eager takes {mean:.2f} times as long in the geometric mean without Lite0."
            )
    if steps:
        lines.append(f"A gradient step takes {median(steps):.2f} of onnxruntime's own forward passes in the median.")
    print("\n".join(lines[-3:]))
    if not chosen:
        put("speed", lines)


if __name__ == "__main__":
    main()
