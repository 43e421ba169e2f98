"""A comparison in a notebook: the verdict, the figures, and the maps of the first pictures side by side."""

from ..comparison.compare import Comparison
from ..errors import ImageError
from ..result import Attribution, Result
from .markup import Markup, element, joined
from .pictures import data_uri
from .verdict import FIGURES, judged, verdict, written

__all__ = ["summary_in_html"]

SHOWN = 3
"""So many pictures are shown; `save("report.html")` shows all."""
_CELL = "text-align: left; padding: 2px 8px"


def summary_in_html(comparison: Comparison) -> str:
    """HTML without scripts or styles of its own, as notebooks want it."""
    header = ["method", "models", *(figure.short for figure in FIGURES.values()), "agree"]
    rows = [
        [row["method"], " − ".join(row["models"]), *written(row), judged(row, comparison.noise.get(row["method"]))]
        for row in comparison.rows()
    ]
    return element("div", element("p", verdict(comparison).text), _table(header, rows), *_pictures(comparison))


def _table(header: list[str], rows: list[list[str]]) -> Markup:
    head = element("tr", *(element("th", text, style=_CELL) for text in header))
    body = [element("tr", *(element("td", text, style=_CELL) for text in row)) for row in rows]
    return element("table", element("thead", head), element("tbody", *body))


def _pictures(comparison: Comparison) -> list[Markup]:
    """For each method and picture, one figure per model."""
    count = min(SHOWN, max(len(result.images) for result in comparison.results.values()))
    rows = []
    for method in comparison.methods:
        for index in range(count):
            figures = [_figure(comparison.results[method, model], index, model) for model in comparison.models]
            title = f"{method}, {comparison.title(index)}"
            rows.append(element("div", element("p", title), *figures) if any(figures) else Markup())
    return rows


def _figure(result: Result, index: int, model: str) -> Markup:
    try:
        frames = [result.drawn(index)] if isinstance(result, Attribution) else result.frames()[index : index + 1]
    except ImageError:
        return Markup()
    images = [element("img", src=data_uri(frame), alt=model, width=224) for frame in frames]
    style = "display: inline-block; margin: 4px"
    return element("figure", joined(*images), element("figcaption", model), style=style) if images else Markup()
