"""Cases that do wrong on purpose, one for each verdict: they test the judge. As a script it prints the verdicts."""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from crosslens.errors import ModelError

from .campaign import Campaign
from .case import CANARY, Case, Ending
from .family import Family, case_folder

__all__ = ["VERDICTS"]

VERDICTS = {
    "gives a value": "right",
    "refuses": "refused",
    "hears ctrl-C": "late",
    "writes the canary": "code run",
    "starts a program": "code run",
    "connects": "code run",
    "changes its input": "file lost",
    "writes outside": "file lost",
    "raises": "traceback",
    "exits": "traceback",
    "faults": "crash",
    "is killed": "crash",
    "does not hear ctrl-C": "hang",
    "takes memory": "memory",
    "refuses without a word": "several lines",
    "warns": "several lines",
    "is wrong": "wrong",
    "does not refuse": "wrong",
    "leaves what is not expected": "wrong",
    "a command that is right": "right",
    "a command that is refused": "refused",
    "a command with wrong usage": "refused",
    "a script that is refused": "refused",
    "a script that is stopped": "refused",
    "a script with two errors": "several lines",
    "a script with another exit code": "several lines",
}


def _raise(error: BaseException) -> None:
    raise error


def _write(path: Path | str) -> None:
    Path(path).write_text("changed")


def _deaf() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(60)


def _connect() -> None:
    import socket

    with socket.socket() as made:
        made.settimeout(0.1)
        made.connect_ex(("127.0.0.1", 9))


def _warn() -> None:
    sys.stderr.write("x/y.py:3: UserWarning: odd\n  odd()\n")


def _memory() -> int:
    return sum(len(bytearray(b"x") * 100_000_000) for _ in [0]) + len([bytearray(b"x") * 400_000_000 for _ in range(9)])


def _expects(_: Ending, folder: Path) -> None:
    assert (folder / "result").exists(), "no result"


def _calls(outside: Path) -> dict[str, object]:
    return {
        "gives a value": lambda: 1,
        "refuses": lambda: _raise(ModelError("a line")),
        "hears ctrl-C": lambda: time.sleep(60),
        "writes the canary": lambda: _write(CANARY),
        "starts a program": lambda: os.system("gs -h > out"),
        "connects": _connect,
        "changes its input": lambda: _write("input"),
        "writes outside": lambda: _write(outside / "other"),
        "raises": lambda: _raise(ValueError("odd")),
        "exits": lambda: sys.exit(3),
        "faults": lambda: ctypes.string_at(0),
        "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "does not hear ctrl-C": _deaf,
        "takes memory": _memory,
        "refuses without a word": lambda: _raise(ModelError("")),
        "warns": _warn,
        "is wrong": lambda: _raise(AssertionError("1 is not 2")),
        "does not refuse": lambda: 1,
        "leaves what is not expected": lambda: 1,
    }


def _named(folder: Path) -> Iterator[Case]:
    for name, call in _calls(folder).items():
        inside = case_folder(folder, name)
        _write(inside / "input")
        (inside / "input").write_text("as it was")
        expect = _expects if "expected" in name else None
        seconds = 1.0 if "ctrl-C" in name else 30.0
        given = {
            "intact": (inside / "input",),
            "refused": name == "does not refuse",
            "expect": expect,
            "seconds": seconds,
        }
        yield Case(name=name, folder=inside, call=call, **given)  # type: ignore[arg-type]
    for name, words in {
        "right": ["--version"],
        "refused": ["layers", "nosuch.onnx"],
        "with wrong usage": ["nosuch"],
    }.items():
        full = f"a command that is {name}" if "usage" not in name else f"a command {name}"
        yield Case(name=full, folder=case_folder(folder, full), words=words)
    scripts = {
        "that is refused": "echo 'Error: a line' >&2; exit 1",
        "that is stopped": "sleep 60",
        "with two errors": "echo 'Error: a line' >&2; echo 'Error: another' >&2; exit 1",
        "with another exit code": "exit 77",
    }
    for name, script in scripts.items():
        sent = ((0.2, signal.SIGTERM),) if "stopped" in name else ()
        yield Case(name=f"a script {name}", folder=case_folder(folder, name), script=script, signals=sent)


def main() -> None:
    """Print the kind of each verdict by the case's name, as JSON."""
    family = Family("false", _named)
    verdicts = {}
    campaign = Campaign(
        [family], 0, workers=4, told=lambda _, case, verdict: verdicts.update({case.name: verdict.kind})
    )
    campaign.run()
    print(json.dumps(verdicts))


if __name__ == "__main__":
    main()
