"""Many calls in one process: memory stays flat, and threads that share a model get the same bytes."""

import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import crosslens
import numpy as np

from .frame.case import Case
from .frame.family import case_folder
from .sound_files import sound

__all__ = ["long_runs"]

_NETWORKS = ("net.onnx", "net.pt2", "net.keras")
_METHODS = ("gradient", "guided_backprop", "deconvnet", "grad_cam", "smooth_grad", "occlusion", "lrp", "deep_lift")
_ALLOWED = 40_000_000
"""Bytes that sixty calls may leave behind."""


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def _flat(path: Path, name: str) -> None:
    """Sixty calls after twenty leave no memory behind."""
    model = crosslens.wrap(str(path), preprocess=None)
    images = np.random.default_rng(0).random((4, *[each or 16 for each in model.input.shape]), np.float32)
    method = crosslens.method(name)
    taken = []
    for count in range(80):
        method(model, images, target=1)
        if count in {19, 79}:
            gc.collect()
            taken.append(_resident())
    grown = taken[1] - taken[0]
    assert grown < _ALLOWED, f"{grown / 60e6:.1f} MB a call are left behind"


def _threads(path: Path, name: str) -> None:
    """Eight threads, one model: the bytes of one thread alone."""
    model = crosslens.wrap(str(path), preprocess=None)
    images = np.random.default_rng(0).random((8, *[each or 16 for each in model.input.shape]), np.float32)
    method = crosslens.method(name)
    alone = [method(model, images[n : n + 1], target=1).values for n in range(8)]
    found: dict[int, Any] = {}

    def work(n: int) -> None:
        for _ in range(5):
            found[n] = method(model, images[n : n + 1], target=1).values

    threads = [Thread(target=work, args=(n,)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8, f"{8 - len(found)} threads failed"
    for n in range(8):
        assert np.array_equal(found[n], alone[n]), f"thread {n} differs by {np.abs(found[n] - alone[n]).max()}"


def _opened_often(path: Path) -> None:
    """Forty openings of one file leave no memory behind, and no open files."""
    taken = []
    for count in range(40):
        crosslens.wrap(str(path), preprocess=None)
        if count in {9, 39}:
            gc.collect()
            taken.append((_resident(), len(list(Path("/proc/self/fd").iterdir()))))
    assert taken[1][0] - taken[0][0] < 2 * _ALLOWED, f"{(taken[1][0] - taken[0][0]) / 30e6:.1f} MB an opening"
    assert taken[1][1] <= taken[0][1], f"{taken[1][1] - taken[0][1]} files stay open"


def long_runs(folder: Path) -> Iterator[Case]:
    """Each method on each network, in a row and in threads."""
    acts: dict[str, Callable[[Path, str], None]] = {"flat": _flat, "threads": _threads}
    for network in _NETWORKS:
        for name in _METHODS:
            for kind, act in acts.items():
                inside = case_folder(folder, f"{kind} {name} {network}")
                (inside / network).write_bytes(sound(network))
                call = partial(act, inside / network, name)
                yield Case(name=f"{kind}: {name} on {network}", folder=inside, call=call, seconds=120.0)
        inside = case_folder(folder, f"opened {network}")
        (inside / network).write_bytes(sound(network))
        yield Case(
            name=f"opened often: {network}", folder=inside, call=partial(_opened_often, inside / network), seconds=120.0
        )
