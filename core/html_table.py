"""A table as HTML for notebooks: no scripts, no styles but its own, every text escaped."""

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["html_table"]

_CELL = 'style="text-align: left; padding: 2px 8px"'
_TALL = "max-height: 30em; overflow: auto"


def html_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, above: str = "", below: Sequence[str] = ()
) -> str:
    """Rows of text under their header; a long table scrolls.

    Args:
        header: the columns' names; none where they need none.
        rows: what stands in each column, as text.
        above: a line before the table.
        below: lines after it.

    >>> html_table((), [("name", "<b>")]).count("&lt;b&gt;")
    1
    """
    head = f"<thead><tr>{_cells('th', header)}</tr></thead>" if header else ""
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    table = f'<div style="{_TALL}"><table>{head}<tbody>{body}</tbody></table></div>'
    return f"<div>{_line(above)}{table}{''.join(map(_line, below))}</div>"


def _cells(tag: str, row: Sequence[object]) -> str:
    return "".join(f"<{tag} {_CELL}>{escape(str(each))}</{tag}>" for each in row)


def _line(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""
