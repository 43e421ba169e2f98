"""Timing candidates in turns within one run, so that a drifting machine hits all of them alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter, sleep

PAUSE = 0.25
"""Seconds before each call, in which the threads of the one before stop spinning; they slowed torch twofold."""


@dataclass(frozen=True)
class Timing:
    """Seconds per call of each candidate, round by round."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> float:
        """The median over rounds of this candidate's time over the reference's in the same round."""
        return median(a / b for a, b in zip(self.seconds[name], self.seconds[reference], strict=True))


def in_turns(candidates: Mapping[str, Callable[[], object]], rounds: int = 15, warmup: int = 2) -> Timing:
    """Call each candidate once per round, starting with another one each time."""
    names = list(candidates)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-warmup, rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            sleep(PAUSE)
            start = perf_counter()
            candidates[name]()
            if turn >= 0:
                seconds[name].append(perf_counter() - start)
    return Timing(seconds)
