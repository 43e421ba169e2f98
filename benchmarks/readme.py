"""Tables that benchmarks write into README.md, each between marks of its name."""

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["put"]

README = Path(__file__).parent.parent / "README.md"


def put(name: str, lines: Sequence[str]) -> None:
    """Replace a table by these lines; where the README has no place for it, nothing changes."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    table = "\n".join([begin, "", *lines, "", end])
    text = README.read_text(encoding="utf-8")
    README.write_text(re.sub(f"{begin}.*{end}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")
