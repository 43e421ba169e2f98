"""PGD of 40 steps beside foolbox and beside a loop by hand, paired in one run, in the environment of `make parity`.

Same network, images, radius, steps and start (the image); both others run in torch. Ours also looks at the image itself
before, at the best picture afterwards, and at that picture rounded to 8 bits. At the tiny radius no picture fools, so
that all take every step; at the other one ours is done with a picture once it fools. A ratio above 1: crosslens is
faster. `python -m benchmarks.attack_speed digits lite0`, prints a table of seconds.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import crosslens
import numpy as np
import torch

from .paired import in_turns
from .parity import stand_ins

stand_ins.install()

from .digit_network import PREPROCESS, digit_network  # noqa: E402 - after the stand-ins
from .digit_network import files as digit_files  # noqa: E402
from .digits import FILES, idx  # noqa: E402
from .gallery.folders import FOLDERS  # noqa: E402
from .photographs import photographs  # noqa: E402
from .results import machine  # noqa: E402

STEPS = 40
STEP = 1 / 30
"""Of the radius: foolbox's."""
HEADER = [
    "| network | batch | radius | fooled | foolbox | by hand | torch | x foolbox | x by hand | ONNX | x foolbox |",
    "|--" * 11 + "|",
]


@dataclass(frozen=True)
class Subject:
    """A torch network on normalised pixels, the same network wrapped in torch and as ONNX, and images for it."""

    net: torch.nn.Module
    mean: float
    std: float
    in_torch: Any
    in_onnx: Any
    images: Any
    radii: tuple[float, ...]
    rounds: int


def digits() -> Subject:
    FOLDERS["mnist"].make()
    images = idx(FOLDERS["mnist"].path / FILES[2])[:100, None] / np.float32(255)
    paths = digit_files(FOLDERS["mnist"].path.parent / "digit_network")
    onnx = crosslens.wrap(next(path for path in paths if path.suffix == ".onnx"))
    mean, std = PREPROCESS["mean"], PREPROCESS["std"]
    in_torch = crosslens.wrap(digit_network(), preprocess=PREPROCESS, input_shape=(1, 28, 28))
    return Subject(digit_network(), mean, std, in_torch, onnx, images, (1e-4, 0.2), 9)


def lite0() -> Subject:
    from crosslens.backends.zoo import torch_nets

    net = torch_nets.lite0()
    in_torch = crosslens.wrap(net, preprocess="lite", input_shape=(3, 224, 224))
    onnx = crosslens.wrap("demo:lite0_onnx")
    return Subject(net, 127 / 255, 128 / 255, in_torch, onnx, photographs((224, 224)), (1e-6, 2 / 255), 3)


SUBJECTS = {"digits": digits, "lite0": lite0}


def by_hand(subject: Subject, x: torch.Tensor, y: torch.Tensor, eps: float) -> torch.Tensor:
    """The loop as a user writes it, with the answer to whether it has fooled."""
    low, high, a = (x - eps).clamp(0, 1), (x + eps).clamp(0, 1), x
    for _ in range(STEPS):
        a = a.detach().requires_grad_()
        logits = subject.net((a - subject.mean) / subject.std)
        (gradient,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, y, reduction="sum"), a)
        a = torch.clamp(a.detach() + eps * STEP * gradient.sign(), low, high)
    with torch.no_grad():
        return subject.net((a - subject.mean) / subject.std).argmax(dim=1) != y


def foolbox(subject: Subject, x: torch.Tensor, y: torch.Tensor, eps: float) -> Any:
    import foolbox

    preprocessing = {"mean": subject.mean, "std": subject.std}
    model = foolbox.PyTorchModel(subject.net, bounds=(0, 1), preprocessing=preprocessing, device="cpu")
    attack = foolbox.attacks.LinfPGD(rel_stepsize=STEP, steps=STEPS, random_start=False)
    return attack(model, x, y, epsilons=eps)


def ours(model: Any, x: Any, eps: float) -> Any:
    return crosslens.method("pgd", eps=eps, steps=STEPS, step_size=eps * STEP, random_start=False)(model, x)


def rows(name: str) -> Iterator[str]:
    """A line of the table for each radius."""
    subject = SUBJECTS[name]()
    x = torch.from_numpy(subject.images.copy())
    with torch.no_grad():
        y = subject.net((x - subject.mean) / subject.std).argmax(dim=1)
    for eps in subject.radii:
        candidates: dict[str, Callable[[], Any]] = {
            "foolbox": partial(foolbox, subject, x, y, eps),
            "hand": partial(by_hand, subject, x, y, eps),
            "torch": partial(ours, subject.in_torch, subject.images, eps),
            "onnx": partial(ours, subject.in_onnx, subject.images, eps),
        }
        timing = in_turns(candidates, rounds=subject.rounds, warmup=1)
        fooled = float(np.mean(ours(subject.in_onnx, subject.images, eps).success))
        s = {candidate: f"{timing.median(candidate):.2f}" for candidate in candidates}
        pairs = (("foolbox", "torch"), ("hand", "torch"), ("foolbox", "onnx"))
        over_torch, over_hand, over_onnx = (f"x{timing.ratio(*pair):.2f}" for pair in pairs)
        cells = [name, str(len(x)), f"{eps:.2g}", f"{fooled:.0%}", s["foolbox"], s["hand"]]
        yield f"| {' | '.join([*cells, s['torch'], over_torch, over_hand, s['onnx'], over_onnx])} |"


def main() -> None:
    """Print the table for the networks that are named."""
    warnings.simplefilter("ignore")
    chosen = sys.argv[1:] or list(SUBJECTS)
    conditions = f"{torch.get_num_threads()} threads; {machine()}"
    print("\n".join([conditions, *HEADER]), flush=True)
    for name in chosen:
        for line in rows(name):
            print(line, flush=True)


if __name__ == "__main__":
    main()
