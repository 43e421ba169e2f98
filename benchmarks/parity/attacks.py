"""Attacks beside foolbox and ART on MNIST's test digits: `make parity` writes the table into RESULTS.md.

The network is the one of `benchmarks.digit_network`; ours attack its .pt2, .onnx and .keras file, theirs the module in
torch. Only digits that it gets right are attacked. Whether a picture fools the network is decided for all by the same
network in float64. What an earlier run has finished is taken from out/parity_attacks; `--fresh`, as in
`make parity`, computes all anew; cases that are named are computed alone: `python -m benchmarks.parity.attacks fgsm`.
"""

import argparse
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import crosslens
import numpy as np

from . import stand_ins

stand_ins.install()

from ..digit_network import PREPROCESS, digit_network, files  # noqa: E402 - after the stand-ins
from ..digits import FILES, idx  # noqa: E402
from ..gallery.folders import FOLDERS  # noqa: E402
from ..results import machine, put  # noqa: E402
from .attack_cases import DIGITS, Case, cases  # noqa: E402

KEPT = Path(__file__).parents[2] / "out" / "parity_attacks"
FRAMEWORKS = {"torch": "pt2", "ONNX": "onnx", "Keras": "keras"}
WEAKER = 2
"""By so many of 1,000 digits our robust accuracy may be above another library's."""
FURTHER = 1.02
"""By this factor our median distance may be above another library's."""
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Verdict:
    """What an attack made of the digits, judged in float64."""

    margins: Array
    """(N,): the true class' logit less the largest of the others', below 0 where the picture fools."""
    distance: Array
    """(N,), in the case's norm."""
    claimed: Array
    """(N,): whether the attack itself said that it had succeeded."""
    queries: float
    """Forward passes an image; NaN where the library does not count them."""
    seconds: float

    @property
    def fooled(self) -> Array:
        return np.asarray(self.margins < 0)

    @property
    def median(self) -> float:
        """The distance within which half of the digits are fooled."""
        return float(np.median(np.where(self.fooled, self.distance, np.inf)))


@cache
def digits(count: int) -> tuple[Array, Array]:
    """Those of the first test digits that the network gets right, (N, 1, 28, 28) in [0, 1], and their labels."""
    FOLDERS["mnist"].make()
    images, labels = (idx(FOLDERS["mnist"].path / name)[:count] for name in FILES[2:])
    x, y = images[:, None] / np.float32(255), labels.astype(np.int64)
    right = logits(x).argmax(axis=1) == y
    return x[right], y[right]


def logits(x: Array) -> Array:
    """In float64."""
    import torch

    net = digit_network().double()
    with torch.no_grad():
        return np.asarray(net((torch.from_numpy(x).double() - PREPROCESS["mean"]) / PREPROCESS["std"]).numpy())


def judged(case: Case, who: str, attack: Callable[[Array, Array], tuple[Array, Array, float]]) -> Verdict:
    """The verdict on an attack's pictures, which are kept."""
    x, y = digits(case.digits)
    path = KEPT / f"{case.name}-{who}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        begin = perf_counter()
        made, claimed, queries = attack(x, y)
        seconds = perf_counter() - begin
        np.savez_compressed(path, images=made, claimed=claimed, queries=queries, seconds=seconds)
    kept = np.load(path)
    z, change = logits(kept["images"]), (kept["images"].astype(float) - x).reshape(len(x), -1)
    own = np.take_along_axis(z, y[:, None], axis=1)[:, 0]
    others = np.where(np.arange(z.shape[1]) == y[:, None], -np.inf, z).max(axis=1)
    distance = np.abs(change).max(axis=1) if case.norm == "linf" else np.linalg.norm(change, axis=1)
    assert case.eps is None or distance.max() <= case.eps * (1 + 1e-5), (case.name, who, distance.max())
    assert 0 <= kept["images"].min() <= kept["images"].max() <= 1, (case.name, who)
    fooled = own < others
    claims = kept["claimed"] if kept["claimed"].size else fooled
    return Verdict(own - others, distance, claims, float(kept["queries"]), float(kept["seconds"]))


def ours(case: Case, ending: str) -> Callable[[Array, Array], tuple[Array, Array, float]]:
    def attack(x: Array, y: Array) -> tuple[Array, Array, float]:
        paths = files(FOLDERS["mnist"].path.parent / "digit_network")
        model = crosslens.wrap(next(path for path in paths if path.suffix == f".{ending}"))
        found = crosslens.method(case.method, **case.given(x, y))(model, x)
        return np.asarray(found.images), np.asarray(found.success), float(np.mean(found.queries))

    return attack


def theirs(peer: Any) -> Callable[[Array, Array], tuple[Array, Array, float]]:
    return lambda x, y: (peer(digit_network(), x, y), np.array([], bool), float("nan"))


def verdicts(case: Case) -> dict[str, Verdict]:
    """By name of the library or of our framework."""
    found = {name: judged(case, name, theirs(peer)) for name, peer in case.peers.items()}
    return found | {name: judged(case, name, ours(case, ending)) for name, ending in FRAMEWORKS.items()}


def cell(case: Case, verdict: Verdict | None) -> str:
    if verdict is None:
        return "-"
    if case.eps is None:
        missed = int((~verdict.fooled).sum())
        return f"{verdict.median:.3f}" + (f", {missed} not fooled" if missed else "")
    return f"{robust(case, verdict):.3f}"


def robust(case: Case, verdict: Verdict) -> float:
    """The share of all test digits, those that were wrong before included, that the network still gets right."""
    return float((~verdict.fooled).sum()) / case.digits


def disputes(found: dict[str, Verdict]) -> tuple[int, int]:
    """Digits that some of our frameworks fool and some do not; and claims of theirs that float64 does not confirm."""
    mine = [found[name] for name in FRAMEWORKS]
    fooled = np.stack([each.fooled for each in mine])
    claims = sum(int((each.claimed != each.fooled).sum()) for each in mine)
    return int((fooled.any(axis=0) & ~fooled.all(axis=0)).sum()), claims


def rows(judgements: Sequence[tuple[Case, dict[str, Verdict]]]) -> Iterator[str]:
    names = ["foolbox", "ART", *FRAMEWORKS]
    yield f"| attack | settings | {' | '.join(names)} | frameworks differ | claims refuted |"
    yield "|--" * (len(names) + 4) + "|"
    for case, found in judgements:
        cells = " | ".join(cell(case, found.get(name)) for name in names)
        apart, refuted = disputes(found)
        count = "" if case.digits == DIGITS else f"; {case.digits} digits"
        yield f"| `{case.method}` | {case.settings}{count} | {cells} | {apart} | {refuted} |"


def weaker(case: Case, found: dict[str, Verdict]) -> str | None:
    """Where we are weaker than the strongest library."""
    for name in FRAMEWORKS:
        for library in case.peers:
            if case.eps is None:
                worse = found[name].median > FURTHER * found[library].median
            else:
                left = [robust(case, found[each]) for each in (name, library)]
                worse = left[0] - left[1] > allowance(case, left) + 1e-9
            if worse:
                return f"{case.name}: {name} {cell(case, found[name])}, {library} {cell(case, found[library])}"
    return None


def allowance(case: Case, left: Sequence[float]) -> float:
    """By how much our robust accuracy may be above a library's; by chance also by two deviations of the difference."""
    share = max(float(np.mean(left)), 1 / case.digits)
    chance = 2 * np.sqrt(2 * share * (1 - share) / case.digits) if case.chance else 0.0
    return WEAKER / DIGITS + float(chance)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity.attacks", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="compute all anew")
    parser.add_argument("methods", nargs="*", help="compare these only, and write no table")
    asked = parser.parse_args()
    if asked.fresh:
        shutil.rmtree(KEPT, ignore_errors=True)
    chosen = [case for case in cases() if not asked.methods or case.method in asked.methods]
    judgements = []
    for case in chosen:
        judgements.append((case, verdicts(case)))
        seconds = ", ".join(f"{name} {each.seconds:.0f} s" for name, each in judgements[-1][1].items())
        print(*list(rows(judgements[-1:]))[2:], f"({seconds})", flush=True)
    print(machine())
    if not asked.methods:
        put("attack parity", list(rows(judgements)))
    bugs = [text for case, found in judgements if (text := weaker(case, found))]
    assert not bugs, "weaker than another library: " + "; ".join(bugs)


if __name__ == "__main__":
    main()
