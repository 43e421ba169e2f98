"""Commands in odd surroundings: missing homes, closed streams, full disks, odd variables; each in a new process."""

import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from .frame.case import Case, Ending
from .frame.family import case_folder
from .sound_files import sound

__all__ = ["environments"]

_PYTHON = sys.executable
_number = count()
_RUN = f"{_PYTHON} -m crosslens run gradient net.onnx cat.png -o out.npz"
_LAYERS = f"{_PYTHON} -m crosslens layers net.onnx"
_VARIABLES: dict[str, dict[str, str | None]] = {
    "home missing": {"HOME": "/nosuch"},
    "no home": {"HOME": None, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None},
    "home a file": {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/x"},
    "home not text": {"HOME": "\udcff\udcfe"},
    "no temporary folder": {"TMPDIR": "/nosuch"},
    "language C": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "language odd": {"LANG": "xx_YY.odd", "LC_ALL": "xx_YY.odd"},
    "ascii streams": {"PYTHONIOENCODING": "ascii"},
    "columns 0": {"COLUMNS": "0"},
    "columns text": {"COLUMNS": "wide"},
    "columns 1": {"COLUMNS": "1"},
    "no terminal": {"TERM": None},
    "dumb terminal": {"TERM": "dumb"},
    "empty path": {"PATH": ""},
    "threads list": {"OMP_NUM_THREADS": "2,1"},
    "threads empty": {"OMP_NUM_THREADS": ""},
    "threads text": {"OMP_NUM_THREADS": "many"},
    "threads negative": {"OMP_NUM_THREADS": "-3"},
    "threads large": {"OMP_NUM_THREADS": "1000000000"},
    "memory text": {"CROSSLENS_MEMORY_LIMIT": "much"},
    "memory 0": {"CROSSLENS_MEMORY_LIMIT": "0"},
    "memory 1": {"CROSSLENS_MEMORY_LIMIT": "1"},
    "memory huge": {"CROSSLENS_MEMORY_LIMIT": "9" * 400},
    "log level": {"TF_CPP_MIN_LOG_LEVEL": "odd"},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "color": {"FORCE_COLOR": "1", "NO_COLOR": "1"},
    "keras on torch": {"KERAS_BACKEND": "torch"},
    "keras on nothing": {"KERAS_BACKEND": "nosuch"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
}
_STREAMS = {
    "stdin closed": "<&-",
    "stdout closed": ">&-",
    "stderr closed": "2>&-",
    "all closed": "<&- >&- 2>&-",
    "stdout full": ">/dev/full",
    "stderr full": "2>/dev/full",
    "both full": ">/dev/full 2>&1",
    "reader gone": "| true",
    "stdout read-only": ">/dev/null 1</dev/null",
}


def environments(folder: Path) -> Iterator[Case]:
    """Variables and streams; for telemetry, what a command leaves in the user's home."""
    for name, variables in _VARIABLES.items():
        for command in (_RUN, _LAYERS):
            yield _case(folder, name, command, variables)
    for name, words in _STREAMS.items():
        for command in (_RUN, _LAYERS, f"{_PYTHON} -m crosslens methods", f"{_PYTHON} -m crosslens --version"):
            yield _case(folder, name, f"{command} {words}", {})
    yield _case(folder, "nothing is left in the home", _RUN, {}, left=True)
    yield _case(
        folder, "current folder is gone", f"mkdir gone; cd gone; rmdir ../gone; {_LAYERS.replace('net', '../net')}", {}
    )


def _case(folder: Path, name: str, script: str, variables: dict[str, str | None], *, left: bool = False) -> Case:
    inside = case_folder(folder, f"{name} {next(_number)}")
    for each in ("net.onnx", "cat.png"):
        (inside / each).write_bytes(sound(each))
    expect = partial(_leaves_nothing) if left else _whole
    said = script.replace(_PYTHON, "python")
    given = {"intact": (inside / "net.onnx", inside / "cat.png"), "environment": variables, "codes": (141,)}
    return Case(name=f"{name}: {said}", folder=inside, script=script, expect=expect, seconds=60.0, **given)  # type: ignore[arg-type]


def _whole(_: Ending, folder: Path) -> None:
    """What was written can be read."""
    if (folder / "out.npz").exists():
        with np.load(folder / "out.npz") as arrays:
            assert arrays.files, "an empty .npz"
            for each in arrays.files:
                _ = arrays[each]


def _leaves_nothing(ending: Ending, folder: Path) -> None:
    """No device id and no store of events."""
    assert ending.code == 0, f"exit code {ending.code}"
    left = [str(path.relative_to(folder)) for path in (folder / "home").rglob("*") if path.is_file()]
    assert not left, f"left in the user's home: {left}"
