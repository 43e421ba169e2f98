"""What crosslens' loss adds to a training loop in torch: python -m benchmarks.training_cost [ROUNDS], two minutes.

A feed-forward style network (Johnson et al. 2016, narrow) is trained through VGG16's trunk at 240 px, each picture with
its own content. The trunk is torch's, called by hand; a torch model in crosslens' loss; the shipped ONNX file in it.
One step of each in turns, two threads, then one. Seconds, and those of the processor, which a busy machine moves less.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from time import process_time
from typing import Any

import crosslens
import torch
from crosslens.backends.torch.training import loss
from crosslens.objective import gram, gram_matrix, match
from torch import Tensor, nn

from .paired import in_turns
from .photographs import photographs
from .results import machine, put
from .style_by_hand import gram as gram_by_hand
from .synthesis_speed import CONTENT, photograph, trunk

SIZE = 240
STYLES = (*(f"block{n}_relu1" for n in range(1, 5)), CONTENT)
STYLE_WEIGHT = 100.0
NAMES = {"hand": "torch by hand", "torch": "crosslens, torch", "onnx": "crosslens, ONNX"}


class Residual(nn.Module):
    """x + conv(relu(norm(conv(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(width, width, 3, padding=1) for _ in range(2)]
        self.inner = nn.Sequential(convolutions[0], nn.InstanceNorm2d(width, affine=True), nn.ReLU(), convolutions[1])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.inner(x)
        return out


def style_network() -> nn.Sequential:
    """(N, 3, H, W) in [0, 1] to the same."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs, kernel, stride in ((3, 16, 9, 1), (16, 32, 3, 2), (32, 32, 3, 2)):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode="reflect")
        layers += [convolution, nn.InstanceNorm2d(outputs, affine=True), nn.ReLU()]
    layers += [Residual(32), Residual(32)]
    for outputs in (32, 16):
        convolution = nn.Conv2d(32, outputs, 3, padding=1)
        layers += [nn.Upsample(scale_factor=2), convolution, nn.InstanceNorm2d(outputs, affine=True), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(16, 3, 9, padding=4), nn.Sigmoid())


@dataclass
class Loop:
    """A training loop of its own, a step at a time; `measure` gives the losses (N,) of pictures for their contents."""

    measure: Callable[[Tensor, Tensor], Tensor]
    processor: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._net = style_network()
        self._optimiser = torch.optim.Adam(self._net.parameters(), 1e-3)
        self._contents = torch.from_numpy(photographs((SIZE, SIZE)))

    def __call__(self) -> None:
        started = process_time()
        content = self._contents[len(self.processor) % len(self._contents)][None]
        self._optimiser.zero_grad()
        self.measure(self._net(content), content).mean().backward()
        self._optimiser.step()
        self.processor.append(process_time() - started)


def by_hand() -> Callable[[Tensor, Tensor], Tensor]:
    net = trunk()
    parts = list(net.named_children())
    parts = parts[: [name for name, _ in parts].index(CONTENT) + 1]

    def activations(x: Tensor) -> dict[str, Tensor]:
        found = {}
        for name, part in parts:
            found[name] = x = part(x)
        return found

    with torch.no_grad():
        seen = activations(torch.from_numpy(photograph("coffee", SIZE)))
        grams = {name: gram_by_hand(seen[name]) for name in STYLES}

    def measure(pictures: Tensor, contents: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = activations(contents)[CONTENT]
        found = activations(pictures)
        total = ((found[CONTENT] - wanted) ** 2).sum((1, 2, 3)) / 2
        for name in STYLES:
            _, channels, height, width = found[name].shape
            apart = ((gram_by_hand(found[name]) - grams[name]) ** 2).sum((1, 2))
            total = total + STYLE_WEIGHT * apart / (4 * channels**2 * (height * width) ** 2)
        return total

    return measure


def through(model: Any, names: Callable[[str], str]) -> Callable[[Tensor, Tensor], Tensor]:
    """The same through a model, whose layers have these names."""
    content, styles = names(CONTENT), [names(name) for name in STYLES]
    seen = model.forward(photograph("coffee", SIZE), styles)
    style = sum(STYLE_WEIGHT * gram(name, gram_matrix(seen[name])) for name in styles)

    def measure(pictures: Tensor, contents: Tensor) -> Tensor:
        wanted = model.forward(contents.numpy(), [content])[content]
        return loss(model, match(content, wanted) + style)(pictures)

    return measure


def loops(stack: ExitStack, threads: int) -> dict[str, Loop]:
    in_torch, in_onnx = crosslens.wrap("demo:vgg16_torch"), crosslens.wrap("demo:vgg16_onnx")
    for model in (in_torch, in_onnx):
        stack.enter_context(model.threads(threads))
    measures = {
        "hand": by_hand(),
        "torch": through(in_torch, lambda name: name),
        "onnx": through(in_onnx, lambda name: name.replace("relu", "conv")),
    }
    return {name: Loop(measure) for name, measure in measures.items()}


def rows(threads: int, rounds: int) -> Iterator[str]:
    with ExitStack() as stack:
        running = loops(stack, threads)
        timing = in_turns(running, rounds=rounds, warmup=2)
    for name, loop in running.items():
        spent, reference = loop.processor[-rounds:], running["hand"].processor[-rounds:]
        ratio = median(a / b for a, b in zip(spent, reference, strict=True))
        cells = [str(threads), NAMES[name], f"{timing.median(name):.2f}", f"{timing.ratio(name, 'hand'):.2f}"]
        yield f"| {' | '.join([*cells, f'{median(spent):.2f}', f'{ratio:.2f}'])} |"


def main() -> None:
    """Print the table, and put it into RESULTS.md."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    lines = [
        "| threads | the loss | seconds a step | over by hand | seconds of the processor | over by hand |",
        "|--|--|--|--|--|--|",
        *rows(2, rounds),
        *rows(1, max(3, rounds // 2)),
    ]
    lines += ["", machine()]
    print("\n".join(lines))
    put("training cost", lines)


if __name__ == "__main__":
    main()
