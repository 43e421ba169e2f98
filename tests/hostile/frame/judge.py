"""The verdict on a case: right, refused in one clear line, late, or a finding of some kind."""

import hashlib
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from .case import CANARY, Case, Ending
from .process import Seen

__all__ = ["FINDINGS", "PEAK", "Judge", "Verdict"]

PEAK = 3_300_000_000
"""Bytes: the limit that cases are given, and a tenth for what cannot be counted before."""
LONGEST = 1500
"""Characters of an error's line."""
FINDINGS = ("code run", "file lost", "traceback", "crash", "hang", "memory", "several lines", "wrong")
_NOISE = re.compile(
    r"\.py:\d+: \w*Warning|^Traceback|^\s+File \"|\[[WEF]:onnxruntime|^\s*\^+\s*$|^[WEF]\d{4} "
    r"|Exception ignored|^\d{4}-\d\d-\d\d "
)
_OURS = re.compile(r"File \"[^\"]*/(core|backends|methods)/[^\"]*\.py\"")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Verdict:
    """A kind, one of `FINDINGS` or "right", "refused", "late"; and what was seen, for a reader."""

    kind: str
    why: str = ""

    @property
    def is_finding(self) -> bool:
        return self.kind in FINDINGS


class Judge:
    """Made before a case runs, for what its inputs were then."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.before = {path: _digest(path) for path in case.intact}

    def verdict(self, seen: Seen) -> Verdict:
        """The worst of what was seen."""
        for judged in (self._code_run, self._files, self._limits, self._crash, self._said, self._expected):
            found = judged(seen)
            if found is not None:
                return found
        if seen.late:
            return Verdict("late", f"over {self.case.seconds:g} s, ended by ctrl-C")
        refused = seen.ending.code != 0
        if self.case.refused and not refused:
            return Verdict("wrong", "was not refused")
        return Verdict(
            "refused" if refused else "right", seen.report.get("refusal", "") or seen.ending.err.strip()[-300:]
        )

    def _code_run(self, seen: Seen) -> Verdict | None:
        told = [each for each in seen.report.get("seen", ()) if each.startswith(("program", "network"))]
        if (self.case.folder / CANARY).exists():
            told.append(f"'{CANARY}' was written: {(self.case.folder / CANARY).read_bytes()[:200]!r}")
        return Verdict("code run", "; ".join(told)) if told else None

    def _files(self, seen: Seen) -> Verdict | None:
        changed = [path.name for path, digest in self.before.items() if _digest(path) != digest]
        told = [f"changed: {name}" for name in changed]
        told += [each for each in seen.report.get("seen", ()) if each.startswith("outside")]
        return Verdict("file lost", "; ".join(told)) if told else None

    def _limits(self, seen: Seen) -> Verdict | None:
        if seen.large or seen.peak > PEAK:
            return Verdict("memory", f"{seen.peak / 1e9:.1f} GB" + (" and killed" if seen.large else ""))
        return Verdict("hang", f"over {self.case.seconds:g} s, ctrl-C not heard") if seen.hung else None

    def _crash(self, seen: Seen) -> Verdict | None:
        code = seen.ending.code
        if code < 0 and -code not in {number for _, number in self.case.signals}:
            return Verdict("crash", f"{signal.Signals(-code).name}: {seen.ending.err[-600:]}")
        unsaid = not seen.report and not seen.ending.err.startswith(
            "Error: "
        )  # a limit of memory ends a command at once
        if code == 111 or (code and unsaid and self.case.script is None):
            return Verdict("crash", f"ended without a report, exit code {code}: {seen.ending.err[-600:]}")
        return None

    def _said(self, seen: Seen) -> Verdict | None:
        """An unforeseen error, or more or less than one clear line."""
        report, ending = seen.report, seen.ending
        if "traceback" in report or "Traceback (most recent" in ending.err or "a fault of crosslens" in ending.err:
            if self.case.signals and not _OURS.search(ending.err):
                return None  # the interpreter itself was interrupted, before it had come to the package
            return Verdict("traceback", report.get("traceback") or ending.err[-6000:])
        if "wrong" in report:
            return Verdict("file lost" if report["wrong"].startswith("changed or lost") else "wrong", report["wrong"])
        told = _of_refusal(report["refusal"]) if "refusal" in report else ""
        told = told or _of_stderr(ending.err)
        if self.case.call is None and not told:
            told = self._of_command(ending)
        return (
            Verdict("several lines", f"{told}: {report.get('refusal', '')[:1000]} {ending.err[-2000:]}")
            if told
            else None
        )

    def _of_command(self, ending: Ending) -> str:
        errors = [line for line in ending.err.splitlines() if line.startswith("Error:")]
        sent = {128 + number for _, number in self.case.signals} | {-number for _, number in self.case.signals}
        if ending.code in {0, *self.case.codes, *sent} or (ending.code == 130 and not errors):
            return "" if len(errors) < 2 else f"{len(errors)} errors"
        if ending.code not in {1, 2}:
            return f"exit code {ending.code}"
        if len(errors) != 1 or ending.err.strip().splitlines()[-1] != errors[0]:
            return "not one line 'Error: ...' at the end"
        return _of_refusal(errors[0])

    def _expected(self, seen: Seen) -> Verdict | None:
        if self.case.expect is not None and not seen.late:
            try:
                self.case.expect(seen.ending, self.case.folder)
            except AssertionError as error:
                return Verdict("wrong", f"{error}"[:1000] + f" {seen.ending.err[-600:]}")
        return None


def _of_refusal(text: str) -> str:
    """What is wrong with the text of an error."""
    if not text.strip():
        return "an empty message"
    if len(text.splitlines()) > 1:
        return "a message of several lines"
    if _CONTROL.search(text):
        return "control characters in a message"
    return f"a message of {len(text)} characters" if len(text) > LONGEST else ""


def _of_stderr(text: str) -> str:
    """Warnings and logs that no reader asked for."""
    noise = [line for line in text.splitlines() if _NOISE.search(line)]
    if noise:
        return f"{len(noise)} lines of warnings or logs ({noise[0][:200]})"
    return "control characters" if _CONTROL.search(text.replace("\x1b[", "").replace("\r", "")) else ""


def _digest(path: Path) -> str:
    if path.is_dir():
        return "".join(f"{each.name}{_digest(each)}" for each in sorted(path.iterdir()))
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
