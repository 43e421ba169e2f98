"""Tables that benchmarks write into RESULTS.md, each between marks of its name."""

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["machine", "put"]

RESULTS = Path(__file__).parent / "RESULTS.md"


def put(name: str, lines: Sequence[str]) -> None:
    """Replace a table by these lines; where the page has no place for it, nothing changes."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    table = "\n".join([begin, "", *lines, "", end])
    text = RESULTS.read_text(encoding="utf-8")
    RESULTS.write_text(re.sub(f"{begin}.*{end}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")


def machine() -> str:
    """The processor, its cores and its widest vector instructions, and how OpenMP's threads wait."""
    file = Path("/proc/cpuinfo")
    text = file.read_text() if file.exists() else ""
    name = next(
        (line.split(": ")[1] for line in text.splitlines() if line.startswith("model name")), platform.machine()
    )
    widest = "AVX-512" if "avx512f" in text else "AVX2" if "avx2" in text else "neither AVX2 nor AVX-512"
    waiting = os.environ.get("OMP_WAIT_POLICY", "OpenMP's default waiting")
    return f"{name}, {os.cpu_count()} cores, {widest}, {waiting}"
