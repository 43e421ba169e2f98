"""Families in turn, several processes at a time, until the time or the cases are over; a table, and findings kept."""

import gc
import json
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain, islice
from pathlib import Path

from .case import CANARY, Case
from .family import Family
from .judge import FINDINGS, Judge, Verdict
from .process import Process

__all__ = ["Campaign", "Tally", "imported"]

STUBS = ("gs", "ghostscript", "convert", "magick", "sh.exe", "open", "xdg-open")
"""Programs that are put first in PATH: each writes the canary."""


_FRAMEWORKS = (
    *("tensorflow", "keras", "torch", "torch.export._trace", "torch.export._unlift", "torch._export.serde.serialize"),
    *("torch.export.pt2_archive._package", "torch._functorch.aot_autograd", "networkx", "onnx", "onnxruntime"),
    *("array_api_compat.numpy", "PIL.Image", "scipy.ndimage"),
)
"""What is imported before the first fork, with what they import when they are first used."""


@dataclass
class Tally:
    """What became of the cases of a family."""

    kinds: Counter[str] = field(default_factory=Counter)
    peak: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    findings: list[tuple[str, Verdict]] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return self.kinds.total()


class Campaign:
    """Runs cases and counts.

    Args:
        families: what to run.
        seed: of the drawn cases.
        kept: where findings are kept; None keeps none.
        workers: processes at a time.
        told: is called with each case and its verdict.
        patience: limits of time are so many times longer, for a machine that others use too.
    """

    def __init__(
        self,
        families: Sequence[Family],
        seed: int,
        kept: Path | None = None,
        workers: int = 1,
        told: Callable[[str, Case, Verdict], None] = lambda *_: None,
        patience: float = 1.0,
    ) -> None:
        self.patience = patience
        self.families, self.seed, self.kept, self.workers, self.told = families, seed, kept, workers, told
        self.tallies = {each.name: Tally() for each in families}

    def run(
        self, *, seconds: float = float("inf"), named: int | None = None, drawn: int | None = None, quick: bool = False
    ) -> None:
        """Run cases until the time is over, or there are no more.

        Args:
            seconds: of time.
            named: how many named cases of each family; all, if None.
            drawn: how many drawn ones; without end, if None.
            quick: as many of each as the family's `quick` says.
        """
        until = time.monotonic() + seconds
        signal.signal(signal.SIGINT, signal.default_int_handler)  # processes would inherit that it is ignored
        with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as folder:
            programs = _stub_programs(Path(folder))
            sources = {
                each.name: _cases(
                    each, self.seed, Path(folder), *((*each.quick, each.every) if quick else (named, drawn))
                )
                for each in self.families
            }
            waiting, running = _in_turn(sources), []
            while True:
                while len(running) < self.workers and time.monotonic() < until and (one := next(waiting, None)):
                    name, case = one
                    judge = Judge(case)
                    running.append((name, judge, Process(case, programs, self.patience)))
                if not running:
                    return
                running = [each for each in running if not self._is_over(*each)]
                time.sleep(0.005)

    def _is_over(self, name: str, judge: Judge, process: Process) -> bool:
        seen = process.poll()
        if seen is None:
            return False
        verdict, tally = judge.verdict(seen), self.tallies[name]
        tally.kinds[verdict.kind] += 1
        tally.peak, tally.seconds = max(tally.peak, seen.peak), tally.seconds + seen.seconds
        tally.longest = max(tally.longest, seen.seconds)
        self.told(name, judge.case, verdict)
        if verdict.is_finding:
            tally.findings.append((judge.case.name, verdict))
            self._keep(name, judge.case, verdict)
        _remove(judge.case.folder)
        return True

    def _keep(self, name: str, case: Case, verdict: Verdict) -> None:
        if self.kept is None:
            return
        place = self.kept / f"{name}-{self.seed}-{len(self.tallies[name].findings)}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        told = {"family": name, "case": case.name, "seed": self.seed, "kind": verdict.kind, "words": case.words}
        told |= {"script": case.script, "environment": case.environment, "why": verdict.why}
        (place / "finding.json").write_text(json.dumps(told, indent=1, default=str))
        for path in case.folder.iterdir():
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 1_000_000:
                shutil.copyfile(path, place / f"input-{path.name}")

    def table(self) -> str:
        """Rows by family, as Markdown."""
        columns = ["right", "refused", "late", *FINDINGS]
        rows = [["family", "cases", *columns, "peak memory", "longest"], ["--", *["--:"] * (len(columns) + 3)]]
        every = Tally(sum((each.kinds for each in self.tallies.values()), Counter()))
        every.peak = max((each.peak for each in self.tallies.values()), default=0)
        every.longest = max((each.longest for each in self.tallies.values()), default=0.0)
        for name, tally in [*self.tallies.items(), ("all", every)]:
            figures = [str(tally.kinds[each]) for each in columns]
            rows.append([name, str(tally.cases), *figures, f"{tally.peak / 1e9:.2f} GB", f"{tally.longest:.0f} s"])
        return "\n".join("|" + "|".join(row) + "|" for row in rows)

    def figures(self) -> dict[str, object]:
        """What the table holds, and the findings, as JSON."""
        return {
            name: {"kinds": dict(each.kinds), "peak": each.peak, "longest": each.longest, "seconds": each.seconds}
            | {"findings": [[case, verdict.kind, verdict.why] for case, verdict in each.findings]}
            for name, each in self.tallies.items()
        }


def _cases(
    family: Family, seed: int, folder: Path, named: int | None, drawn: int | None, every: int = 1
) -> Iterator[Case]:
    inside = folder / family.name
    first: Iterable[Case] = ()
    if family.named and named != 0:
        first = islice(islice(family.named(_new(inside / "named")), 0, None, every), named)
    rest: Iterable[Case] = ()
    if family.drawn and drawn != 0:
        rest = islice(family.drawn(seed, _new(inside / "drawn")), drawn)
    return chain(first, rest)


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _in_turn(sources: dict[str, Iterator[Case]]) -> Iterator[tuple[str, Case]]:
    left = dict(sources)
    while left:
        for name in list(left):
            case = next(left[name], None)
            if case is None:
                del left[name]
            else:
                yield name, case


def _stub_programs(folder: Path) -> Path:
    """A folder of programs that only write the canary."""
    programs = _new(folder / "programs")
    for name in STUBS:
        path = programs / name
        path.write_text(f'#!/bin/sh\necho "$0 $*" >> "${{CANARY:-{CANARY}}}"\n')
        path.chmod(0o755)
    return programs


def _remove(folder: Path) -> None:
    for path in [folder, *(each for each in folder.rglob("*") if each.is_dir() and not each.is_symlink())]:
        with suppress(OSError):
            path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def imported() -> None:
    """Import all of the package and of the frameworks, so that a fork has them; none is used before it forks."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in _FRAMEWORKS:
        import_module(name)
    for top in ("core", "backends", "methods"):
        package = "crosslens" if top == "core" else f"crosslens.{top}"
        for path in sorted(Path(top).rglob("*.py")):
            parts = [each for each in path.relative_to(top).with_suffix("").parts if each != "__init__"]
            if not {"__main__", "editable_install"} & set(parts):
                import_module(".".join([package, *parts]))
    gc.freeze()
