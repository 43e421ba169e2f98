"""What a case is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["CANARY", "Case", "Ending"]

CANARY = "code-was-run"
"""The file, in the case's folder, that a payload writes; environment variable CANARY has its path."""


@dataclass(frozen=True)
class Ending:
    """How a process ended, and what it left."""

    code: int
    """Exit code; minus the signal's number if one ended it."""
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile input and what is done with it; exactly one of `call`, `words` and `script` is given.

    Args:
        name: what is hostile in it.
        folder: its own, the current directory while it runs; HOME and TMPDIR lie in it.
        call: a function without arguments; a CrosslensError of one line is a refusal, a value is a right result. It
            may raise AssertionError if the result is wrong.
        words: a command line, after `crosslens`.
        script: a line for the shell, with `crosslens` on the PATH, for what a warm process cannot show.
        intact: files whose bytes must be the same afterwards; all others in the folder may be written.
        refused: whether a right result is wrong: the input must be refused.
        signals: (seconds from the start, number), sent to the process; it may then end with 128 + number.
        codes: exit codes that are right beside 0, 1 and 2.
        expect: looks at the ending and the folder; raises AssertionError.
        environment: changes of it; None removes a variable.
        seconds: the limit of time.
    """

    name: str
    folder: Path
    call: Callable[[], Any] | None = None
    words: Sequence[str] | None = None
    script: str | None = None
    intact: tuple[Path, ...] = ()
    refused: bool = False
    signals: tuple[tuple[float, int], ...] = ()
    codes: tuple[int, ...] = ()
    expect: Callable[[Ending, Path], None] | None = None
    environment: dict[str, str | None] = field(default_factory=dict)
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.call, self.words, self.script)) != 1:
            raise TypeError(f"{self.name}: give one of call, words and script")
