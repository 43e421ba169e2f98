"""Forward and input gradient on onnxruntime through crosslens, against torch eager on the network that was exported."""

from collections.abc import Iterator
from typing import Any

import crosslens
import numpy as np
import torch
from crosslens.backends.zoo import torch_nets
from crosslens.model import INPUT, OUTPUT

from .engine_cost import torch_by_hand
from .networks import exported, resnet50
from .paired import in_turns


def cases() -> Iterator[tuple[str, torch.nn.Module, Any]]:
    yield "Lite0", torch_nets.lite0(), "lite"
    yield "ResNet-50", resnet50(), "imagenet"


def main() -> None:
    """Print the table: median milliseconds, ratios as medians of pairs (above 1: onnxruntime is faster)."""
    print(f"forward + input gradient, 224 px, {torch.get_num_threads()} threads each; medians")
    print("| network | batch | torch eager ms | onnx ms | faster x | forward ms | gradient step / forward |")
    print("|--|--|--|--|--|--|--|")
    rng = np.random.default_rng(0)
    for name, net, preset in cases():
        model = crosslens.wrap(exported(net), preprocess=preset)
        by_hand = torch_by_hand(net, "fc", preset)["gradient"]
        for batch in (1, 8):
            image = rng.random((batch, 3, 224, 224), np.float32)
            seed = np.zeros((batch, 1000), np.float32)
            seed[:, 281] = 1
            ours = model.vjp(image, {OUTPUT: seed}).gradients[INPUT]
            theirs = by_hand(image)
            assert np.linalg.norm(ours - theirs) < 0.05 * np.linalg.norm(theirs)
            timing = in_turns(
                {
                    "torch": lambda f=by_hand, x=image: f(x),
                    "onnx": lambda m=model, x=image, s=seed: m.vjp(x, {OUTPUT: s}),
                    "forward": lambda m=model, x=image: m.forward(x),
                },
                rounds=21 if batch == 1 else 9,
            )
            times = f"{1e3 * timing.median('torch'):.1f} | {1e3 * timing.median('onnx'):.1f}"
            ratios = f"{timing.ratio('torch', 'onnx'):.2f} | {1e3 * timing.median('forward'):.1f}"
            print(f"| {name} | {batch} | {times} | {ratios} | {timing.ratio('onnx', 'forward'):.2f} |", flush=True)


if __name__ == "__main__":
    main()
