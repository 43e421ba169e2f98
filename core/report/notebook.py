"""A comparison in a notebook: the verdict, the figures, and the maps of the first images side by side."""

from collections.abc import Iterator

from ..comparison.figures import ATTACK_FIGURES, MAP_FIGURES, format_figures
from ..comparison.view import ComparisonView
from .markup import Markup, element
from .pictures import data_uri

__all__ = ["summary_in_html"]

MOST_IMAGES = 3
"""Largest number of images shown; `save("report.html")` shows all."""
_CELL = "text-align: left; padding: 2px 8px"
_FIGURE = "display: inline-block; margin: 4px"


def summary_in_html(view: ComparisonView) -> str:
    """HTML without scripts or styles of its own, as notebooks want it."""
    kinds = (MAP_FIGURES, ATTACK_FIGURES)
    figures = {key: f for kind in kinds if any(set(kind) & set(p.worst) for p in view.pairs) for key, f in kind.items()}
    header = ["method", "models", *(figure.short for figure in figures.values()), "agree"]
    rows = [
        [pair.method, " − ".join(pair.models), *format_figures(pair.worst, figures), pair.judgement]
        for pair in view.pairs
    ]
    return element("div", element("p", view.verdict.text), _table(header, rows), *_images(view))


def _table(header: list[str], rows: list[list[str]]) -> Markup:
    head = element("tr", *(element("th", text, style=_CELL) for text in header))
    body = [element("tr", *(element("td", text, style=_CELL) for text in row)) for row in rows]
    return element("table", element("thead", head), element("tbody", *body))


def _images(view: ComparisonView) -> Iterator[Markup]:
    """For each method and image, one figure per model."""
    count = min(MOST_IMAGES, len(view.images))
    previews = [view.previews(index) for index in range(count)]
    for method in view.methods:
        for image, of_image in zip(view.images[:count], previews, strict=True):
            figures = [
                element(
                    "figure",
                    element("img", src=data_uri(of_image[method, model]), alt=model, width=224),
                    element("figcaption", model),
                    style=_FIGURE,
                )
                for model in view.models
                if (method, model) in of_image
            ]
            if figures:
                yield element("div", element("p", f"{method}, {image.title}"), *figures)
