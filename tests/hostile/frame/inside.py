"""What happens inside the process of a case: its folder and streams, an audit of what it does, its report."""

import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from .case import Case

__all__ = ["environment_of", "run_inside"]

MEMORY_LIMIT = "3GB"
"""What every case is given as CROSSLENS_MEMORY_LIMIT."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.startfile"}
_NETWORK = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"}
_PATHS = {"os.remove": 1, "os.rename": 2, "os.rmdir": 1, "os.mkdir": 1, "os.truncate": 1, "os.chmod": 1, "os.link": 2}
"""Audit events of changes to the file system, and how many of their arguments are paths."""


def environment_of(case: Case, programs: Path) -> dict[str, str]:
    """The environment of a case: its folder as HOME and TMPDIR, stub programs first in PATH."""
    given = dict(os.environ)
    given |= {name: str(case.folder / "home") for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    given |= {"TMPDIR": str(case.folder / "home"), "CANARY": str(case.folder / "code-was-run")}
    given["TORCHINDUCTOR_CACHE_DIR"] = str(case.folder / "home")
    path = f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}"
    given |= {"PATH": path, "CROSSLENS_MEMORY_LIMIT": MEMORY_LIMIT, "PYTHONPATH": os.getcwd()}
    for name, value in case.environment.items():
        given.pop(name, None)
        if value is not None:
            given[name] = value
    return given


def run_inside(case: Case, programs: Path, streams: tuple[int, int]) -> None:
    """Run a case in this process, a fork, and end it; what was seen is written as JSON to `report` in its folder.

    Args:
        case: what to run.
        programs: the folder of stub programs.
        streams: descriptors that stdout and stderr become.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, stream in enumerate((nothing, *streams)):
        os.dup2(stream, number)
    environment = environment_of(case, programs)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(case.folder)
    tempfile.tempdir = None  # it was found out in the process that was forked
    seen: list[str] = []
    sys.addaudithook(Audit(case.folder, seen))
    outcome = _outcome(case)
    sys.stdout.flush()
    sys.stderr.flush()
    report = os.open(str(case.folder.parent / f"{case.folder.name}.report"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(report, json.dumps(outcome | {"seen": seen[:20]}).encode())
    os._exit(outcome["code"] & 0xFF)


def _outcome(case: Case) -> dict[str, Any]:
    """What the work came to: an exit code, and for a call the class, text and traceback of its error."""
    from crosslens.errors import CrosslensError

    try:
        if case.words is not None:
            return {"code": _command(case.words)}
        case.call()  # type: ignore[misc]
    except CrosslensError as error:
        return {"code": 1, "refusal": str(error)}
    except AssertionError as error:
        return {"code": 1, "wrong": f"{error}"[:2000] or "the result is wrong"}
    except KeyboardInterrupt:
        return {"code": 130}
    except BaseException as error:  # noqa: BLE001 - it is what is looked for
        return {"code": 1, "error": type(error).__name__, "traceback": traceback.format_exc()[-6000:]}
    return {"code": 0}


def _command(words: Any) -> int:
    from crosslens.cli import main

    sys.argv = ["crosslens", *words]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


class Audit:
    """Python's audit hook: changes of files outside the case's folder, programs started, connections made."""

    def __init__(self, folder: Path, seen: list[str]) -> None:
        self.inside = (os.path.realpath(folder), "/dev/", "/proc/self/", "/sys/fs/cgroup")
        self.seen = seen

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes) and (flags or 0) & _WRITING:
                self._changed("writes", path)
        elif event in _PATHS:
            for path in arguments[: _PATHS[event]]:
                self._changed(event, path)
        elif event in _STARTS:
            self._started(event, arguments)
        elif event in _NETWORK and not _is_local(arguments):
            self.seen.append(f"network: {event} {arguments[1:3]!r:.200}")

    def _changed(self, how: str, path: Any) -> None:
        if not isinstance(path, str | bytes):
            return
        real = os.path.realpath(os.fsdecode(path))
        if not real.startswith(self.inside) and "__pycache__" not in real:
            self.seen.append(f"outside: {how} {real:.300}")

    def _started(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Programs that the package starts itself: its filter of native logs, and workers, all of this Python."""
        program = os.fsdecode(arguments[0] or "") if arguments else ""
        if os.path.realpath(program) != os.path.realpath(sys.executable):
            self.seen.append(f"program: {event} {arguments!r:.300}")


def _is_local(arguments: tuple[Any, ...]) -> bool:
    """A socket of this machine that has a path, as event loops use."""
    address = arguments[1] if len(arguments) > 1 else ""
    return isinstance(address, str | bytes)
