"""What the engine adds to steps under a learned prior: python -m benchmarks.prior_cost [write], one thread, in turns.

PPGN and a denoiser's drift beside the same loops written by hand in torch, which make the same network calls: the
classifier's and the generator's forward and backward pass, the encoder's or the denoiser's forward pass. Processor
seconds of this process, so that others on the machine count little; each round runs both, one after the other.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from time import process_time
from typing import Any, TypeAlias

import crosslens
import numpy as np
import torch
from crosslens import InputSpec
from crosslens.backends.zoo import torch_nets
from torch import nn

from .results import put

TARGET, STEPS, ROUNDS, SIGMA = 1, 8, 7, 0.1
EPSILONS = (1e-5, 1.0, 1e-17)
Told: TypeAlias = Callable[[Callable[[], None]], Any]
"""A run that calls back after each of its steps and gives the parameters that it ends with."""


def decoder(code: int, size: int, width: int) -> nn.Sequential:
    """Codes (N, code) to pictures (N, 3, size, size), random weights."""
    small = size // 8
    twice = [nn.Sequential(nn.ConvTranspose2d(width, width, 4, 2, 1), nn.ReLU()) for _ in range(2)]
    first = [nn.Linear(code, width * small * small), nn.Unflatten(1, (width, small, small))]
    return nn.Sequential(*first, *twice, nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Sigmoid())


def pooled(width: int, out: int) -> nn.Sequential:
    """A small network from pictures to `out` numbers, random weights."""
    convs = [nn.Conv2d(3, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1), nn.ReLU()]
    return nn.Sequential(*convs, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, out), nn.ReLU())


@dataclass
class Networks:
    """What the loops call."""

    title: str
    size: int
    code: int
    classifier: nn.Module
    generator: nn.Module
    encoder: nn.Module
    denoiser: nn.Module
    steps: int = STEPS

    def __post_init__(self) -> None:
        for net in (self.classifier, self.generator, self.encoder, self.denoiser):
            net.eval().requires_grad_(False)

    def score(self, x: torch.Tensor) -> torch.Tensor:
        """log p of the class."""
        return torch.log_softmax(self.classifier(x), 1)[:, TARGET].sum()

    def ppgn_by_hand(self, told: Callable[[], None]) -> Any:
        """Equation 11 and the step of the paper's code."""
        drawn = np.random.default_rng(0).standard_normal((1, self.code)).astype(np.float32)
        h = torch.from_numpy(drawn).clamp(0, 30)
        for step in range(self.steps):
            h = h.requires_grad_()
            x = self.generator(h)
            (towards,) = torch.autograd.grad(self.score(x), h)
            with torch.no_grad():
                noise = torch.from_numpy(np.random.default_rng([0, step, 1]).standard_normal(h.shape)).float()
                d = EPSILONS[0] * (self.encoder(x) - h) + EPSILONS[1] * towards + EPSILONS[2] * noise
                h = (h + d / d.abs().mean()).clamp(0, 30)
            told()
        return h.numpy()

    def denoiser_by_hand(self, told: Callable[[], None]) -> Any:
        """Adam on pixels x = p / 4 + 1 / 2."""
        drawn = np.random.default_rng(0).standard_normal((1, 3, self.size, self.size))
        p = torch.from_numpy((0.01 * drawn).astype(np.float32)).requires_grad_()
        adam = torch.optim.Adam([p], lr=0.05, maximize=True)
        for _ in range(self.steps):
            x = (0.25 * p + 0.5).clamp(0, 1)
            with torch.no_grad():
                drift = (self.denoiser(x) - x) / SIGMA**2
            (p.grad,) = torch.autograd.grad([self.score(x), x], p, [torch.ones(()), drift])
            adam.step()
            told()
        return p.detach().numpy()

    def by_crosslens(self, **settings: Any) -> Told:
        """A run of the method."""
        model = self._wrapped(self.classifier)
        method = crosslens.method("activation_maximisation", shift=0, zoom=0, turn=0, steps=self.steps, **settings)
        return lambda told: method(model, None, TARGET, progress=lambda *_: told()).state["0_parameters"]

    def _wrapped(self, net: nn.Module) -> crosslens.Model:
        return crosslens.wrap(net, preprocess=None, input_shape=InputSpec((3, self.size, self.size)))

    def pairs(self) -> Iterator[tuple[str, Mapping[str, Told]]]:
        """By prior, the loop by hand and the method."""
        encoder = self._wrapped(self.encoder)
        generator = crosslens.wrap(self.generator, preprocess=None, input_shape=InputSpec.latent((self.code,)))
        networks = {"generator": generator, "encoder": encoder, "code_layer": list(encoder.layers)[-2]}
        ours = self.by_crosslens(prior="ppgn", **networks)
        yield "PPGN", {"hand": self.ppgn_by_hand, "ours": ours}
        plain = {"parameterisation": "pixels", "colour": "rgb", "bound": "clip", "rules": ()}
        ours = self.by_crosslens(prior="denoiser", denoiser=self._wrapped(self.denoiser), sigma=SIGMA, **plain)
        yield "denoiser", {"hand": self.denoiser_by_hand, "ours": ours}


def networks() -> Iterator[Networks]:
    """A classifier of ImageNet's size, and one of MNIST's."""
    torch.manual_seed(0)
    cleaner = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 3, 3, 1, 1))
    yield Networks("Lite0, 224 px", 224, 256, torch_nets.lite0(), decoder(256, 224, 32), pooled(64, 256), cleaner)
    yield Networks("2 convolutions, 32 px", 32, 64, pooled(64, 10), decoder(64, 32, 32), pooled(64, 64), cleaner)


def step_seconds(run: Told) -> float:
    """The median processor time of a step but the first."""
    marks: list[float] = []
    run(lambda: marks.append(process_time()))
    return median(b - a for a, b in pairwise(marks))


def main(*words: str) -> None:
    """Print the table: median milliseconds of a step by hand and by crosslens, and the median of the paired ratios."""
    torch.set_num_threads(1)
    lines = ["| prior | classifier | by hand, ms | crosslens, ms | crosslens over by hand |", "|--|--|--|--|--|"]
    print("\n".join(lines))
    for nets in networks():
        for _, runs in replace(nets, steps=1).pairs():  # later steps of a deep rectified network tell roundings apart
            hand, ours = (run(lambda: None) for run in runs.values())
            np.testing.assert_allclose(hand, ours, atol=1e-4 * np.abs(hand).max())
        for prior, runs in nets.pairs():
            seconds: dict[str, list[float]] = {name: [] for name in runs}
            for turn in range(ROUNDS):
                for name in list(runs)[:: 1 if turn % 2 else -1]:
                    seconds[name].append(step_seconds(runs[name]))
            ratio = median(ours / hand for ours, hand in zip(seconds["ours"], seconds["hand"], strict=True))
            times = " | ".join(f"{1e3 * median(seconds[name]):.2f}" for name in ("hand", "ours"))
            lines.append(f"| {prior} | {nets.title} | {times} | {ratio:.2f} |")
            print(lines[-1], flush=True)
    if "write" in words:
        put("prior cost", lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
