"""SIGINT, SIGTERM and SIGHUP at random moments of real commands: no traceback, no damaged file, the right exit code."""

import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM

import numpy as np
from PIL import Image

from .frame.case import Case, Ending
from .frame.family import case_folder
from .sound_files import sound

__all__ = ["interrupted"]

_CROSSLENS = f"{sys.executable} -m crosslens"
_TINY = "crosslens.testing:TinyModel"
_COMMANDS = (
    f"{_CROSSLENS} run gradient {_TINY} cat.png -o out.npz",
    f"{_CROSSLENS} run gradient net.onnx cat.png -o out.npz",
    f"{_CROSSLENS} run gradient net.pt2 cat.png -o out.npz",
    f"{_CROSSLENS} run gradient net.keras cat.png -o out.npz",
    f"{_CROSSLENS} run rise {_TINY} cat.png --samples 200000 -o out.npz",
    f"{_CROSSLENS} run occlusion net.onnx cat.png -o out.png",
    f"{_CROSSLENS} run activation_maximisation {_TINY} --steps 100000 --target 1 -o out.npz",
    f"{_CROSSLENS} run unit_statistics {_TINY} photos -o out.npz",
    f"{_CROSSLENS} run gradient {_TINY} photos -o out",
    f"{_CROSSLENS} sweep {_TINY} photos unit_statistics -o store",
    f"{_CROSSLENS} layers net.onnx",
    f"{_CROSSLENS} doctor net.onnx",
    f"{_CROSSLENS} compare gradient net.onnx net.pt2 --images cat.png -o out.html",
    f"{_CROSSLENS} methods",
)


def interrupted(seed: int, folder: Path) -> Iterator[Case]:
    """One or two signals, at most a few seconds after the start; an older result stands where the new one goes."""
    random = Random(f"{seed} signals")
    for number in count():
        inside = case_folder(folder, number)
        for name in ("net.onnx", "net.pt2", "net.keras", "cat.png"):
            (inside / name).write_bytes(sound(name))
        (inside / "photos").mkdir()
        for each in range(60):
            Image.fromarray(np.random.default_rng(each).integers(0, 256, (64, 64, 3), np.uint8)).save(
                inside / f"photos/{each}.png"
            )
        old = random.random() < 0.5
        command = random.choice(_COMMANDS)
        if old:
            np.savez(inside / "out.npz", old=np.arange(10))
            command += " --overwrite" if "--overwrite" in command else ""
        sent = [
            (random.choice((0.05, 0.3, 1, 2, 4, 8)) * random.random(), random.choice((SIGINT, SIGTERM, SIGHUP, SIGINT)))
        ]
        if random.random() < 0.3:
            sent.append((sent[0][0] + random.random() * 0.3, random.choice((SIGINT, SIGTERM, SIGKILL))))
        elif sent[0][0] > 0:
            sent.append((sent[0][0] + 60.0, SIGKILL))
        name = f"{command.replace(_CROSSLENS, 'crosslens')} " + " ".join(
            f"{signal.name}@{at:.2f}" for at, signal in sent
        )
        kept = tuple(inside / each for each in ("net.onnx", "net.pt2", "net.keras", "cat.png", "photos"))
        expect = partial(_nothing_is_damaged, killed=any(signal is SIGKILL and at < 60 for at, signal in sent))
        yield Case(
            name=name,
            folder=inside,
            script=command,
            signals=tuple(sent),
            intact=kept,
            expect=expect,
            seconds=50.0,
            codes=(3, 4),
        )


def _nothing_is_damaged(ending: Ending, folder: Path, *, killed: bool) -> None:
    """Results are whole, old or new; no temporary file is left unless the process was killed."""
    for path in folder.rglob("*.npz"):
        if path.name.startswith(".") and killed:
            continue
        with np.load(path) as arrays:
            _ = [arrays[each] for each in arrays.files]
    for path in folder.glob("out*.png"):
        with Image.open(path) as picture:
            picture.load()
    left = [
        path.name for path in folder.rglob(".*") if path.is_file() and path.name != ".lock" and "home" not in path.parts
    ]
    assert killed or not left, f"left: {left}"
    if ending.code in {129, 130, 143}:
        said = [line for line in ending.err.splitlines() if line.startswith(("Interrupted", "Error"))]
        assert len(said) <= 1, f"several lines: {said}"
