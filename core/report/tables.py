"""Tables that scroll by themselves, are sorted by their headings, and explain them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..comparison.verdict import Judgement
from .markup import Markup, element

__all__ = ["Cell", "Heading", "mark", "table"]


@dataclass(frozen=True)
class Heading:
    """What stands over a column, and what it means if that is not plain."""

    text: str
    meaning: str = ""


@dataclass(frozen=True)
class Cell:
    """What stands in a table, and what it is sorted by if that is not its text."""

    content: str
    value: float | None = None


def table(name: str, header: Sequence[Heading | str], rows: Sequence[Sequence[Cell | str]], class_: str = "") -> Markup:
    """Rows under headings that are buttons; cells that are numbers stand right.

    Args:
        name: what the table is, for those who hear it.
        header: one heading a column.
        rows: cells, as many as headings.
        class_: a class of the frame: "tall" for one that scrolls up and down as well.
    """
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    kinds = ["number" if all(map(_is_number, column)) else None for column in zip(*cells, strict=True)]
    headings = [h if isinstance(h, Heading) else Heading(h) for h in header]
    slug = name.lower().replace(" ", "-")
    head = [_heading(h, kind, f"{slug}-{i}") for i, (h, kind) in enumerate(zip(headings, kinds, strict=True))]
    body = [element("tr", *(_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True))) for row in cells]
    inner = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", inner, class_=f"scroll {class_}".strip(), role="region", aria_label=name, tabindex=0)


def mark(judgement: Judgement) -> Markup:
    """A judgement as a sign and a word, never by colour alone."""
    if judgement == "apart":
        return element("span", "✗ no", class_="no")
    return element("span", "✓ yes" if judgement == "agree" else "✓ rounding", class_="yes")


def _heading(heading: Heading, kind: str | None, name: str) -> Markup:
    if not heading.meaning:
        return element("th", element("button", heading.text, type="button"), scope="col", class_=kind)
    tip = element("span", heading.meaning, role="tooltip", id=f"tip-{name}")
    button = element("button", heading.text, type="button", class_="tip", aria_describedby=f"tip-{name}")
    return element("th", button, tip, scope="col", class_=kind)


def _cell(cell: Cell, kind: str | None) -> Markup:
    return element("td", cell.content, class_=kind, data_value=cell.value)


def _is_number(cell: Cell) -> bool:
    if cell.value is not None:
        return True
    try:
        float(cell.content)
    except ValueError:
        return False
    return True
