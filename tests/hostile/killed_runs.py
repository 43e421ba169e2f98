"""Long commands that are killed at random moments, and gone on with: the same bits as those of one that was not.

python -m tests.hostile.killed_runs [TIMES] [SEED]
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crosslens.cli import cli

from tests.hostile.output_cases import TINY, make_desk

__all__ = ["LONG", "Long", "difference", "run_killed"]


@dataclass(frozen=True)
class Long:
    """A command that can be gone on with."""

    words: str
    """As it is begun."""
    again: str
    """As it is gone on with where `state` exists; begun anew elsewhere."""
    out: str
    """What is compared: a file, or a folder."""
    state: str


CLIMB = f"run activation_maximisation {TINY} --target 1 --steps 120 --every 10"
SEARCH = f"search activation_maximisation {TINY} --target 1 --steps 3 --trials 8"
TRAIN = f"train-style {TINY} photos --style photo.png --steps 40 --every 5 --width 2 --blocks 0 --state t.npz -o t.onnx"
LONG = {
    "run": Long(f"{CLIMB} -o a.npz", f"{CLIMB} -o a.npz --resume a.npz", "a.npz", "a.npz"),
    "film": Long(f"{CLIMB} -o a.gif", f"{CLIMB} -o a.gif --resume a.gif.npz", "a.gif", "a.gif.npz"),
    "search": Long(f"{SEARCH} -o a.npz", f"{SEARCH} -o a.npz --resume a.npz", "a.npz", "a.npz"),
    "pictures": Long(*[f"run integrated_gradients {TINY} many --format npz -o maps/"] * 2, "maps", "maps"),
    "sweep": Long(*[f"sweep {TINY} many unit_statistics top_examples -o survey"] * 2, "survey", "survey"),
}


def _start(words: str, desk: Path) -> int:
    """The command in a process of its own that has imported all already."""
    if child := os.fork():
        return child
    os.chdir(desk)
    for number in (1, 2):
        os.dup2(os.open(desk / ("stdout", "stderr")[number - 1], os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    code = 1
    try:
        code = int(cli.main(words.split(" "), prog_name="crosslens", standalone_mode=False) or 0)
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        os._exit(code)


def _ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _filled(desk: Path) -> Path:
    desk.mkdir()
    make_desk(desk)
    (desk / "many").mkdir()
    for n in range(40):
        shutil.copy(desk / "photos" / f"{n % 3}.png", desk / "many" / f"{n:02}.png")
    return desk


def run_killed(long: Long, desk: Path, moments: list[float], number: int = signal.SIGKILL) -> int:
    """Begin a command, send it a signal after each of so many seconds, go on; the last exit code."""
    for seconds in moments:
        child = _start(long.again if (desk / long.state).exists() else long.words, desk)
        time.sleep(seconds)
        os.kill(child, number)
        if _ended(child) == 0:
            return 0
    return _ended(_start(long.again if (desk / long.state).exists() else long.words, desk))


def difference(a: Path, b: Path) -> str:
    """What differs between two outputs beside times; nothing where they are alike."""
    if a.is_dir():
        names = sorted(str(path.relative_to(a)) for path in a.rglob("*") if path.is_file())
        others = sorted(str(path.relative_to(b)) for path in b.rglob("*") if path.is_file())
        if names != others:
            return f"files {set(names) ^ set(others)}"
        timed = (".jsonl", ".json", ".md", ".lock")
        return "; ".join(
            said for name in names if not name.endswith(timed) and (said := difference(a / name, b / name))
        )
    if a.suffix != ".npz":
        return "" if a.read_bytes() == b.read_bytes() else f"bytes of {a.name}"
    with np.load(a) as first, np.load(b) as second:
        if set(first.files) != set(second.files):
            return f"{a.name}: arrays {set(first.files) ^ set(second.files)}"
        unlike = [n for n in first.files if n != "record" and first[n].tobytes() != second[n].tobytes()]
    return f"{a.name}: {unlike}" if unlike else ""


def main(times: int = 20, seed: int = 0) -> None:
    """Each command so many times."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        for name, long in LONG.items():
            whole, began = _filled(Path(scratch, name)), time.perf_counter()
            assert _ended(_start(long.words, whole)) == 0, (whole / "stderr").read_text()
            took, failed, kills = time.perf_counter() - began, 0, 0
            for n in range(times):
                desk = _filled(Path(scratch, f"{name}-{n}"))
                moments = [rng.uniform(0, took) for _ in range(rng.choice([1, 1, 2, 3]))]
                code, kills = run_killed(long, desk, moments), kills + len(moments)
                said = (desk / "stderr").read_text().splitlines()[-1:]
                wrong = f"exit {code}: {said}" if code else difference(whole / long.out, desk / long.out)
                if wrong:
                    failed += 1
                    sys.stdout.write(f"{name}: killed after {moments} of {took:.1f} s: {wrong}\n")
                shutil.rmtree(desk)
            sys.stdout.write(f"{name}: {times} times, {kills} kills, {failed} failed ({took:.1f} s whole)\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
