"""A transfer matrix as one HTML page: the matrix, what counts, disputes, the pictures, and what it does not prove."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..attack.adversarial_sheet import magnified
from ..image.false_colour import pixels
from ..robustness.caveats import CAVEATS
from ..robustness.transfer_matrix import COUNTED, Transfer
from .document import document
from .markup import Markup, element, join, section
from .pictures import Room, image_uri, room
from .tables import Cell, Heading, table

__all__ = ["caveats", "disputes_table", "matrix_table", "transfer_page"]

MOST_PICTURES = 24
"""Images that are shown at most."""


def transfer_page(result: Transfer) -> str:
    """The matrix as one HTML file that needs nothing else."""
    names = " and ".join([", ".join(result.models[:-1]), result.models[-1]])
    head = element(
        "header",
        element("p", "crosslens", class_="brand"),
        element("h1", "Does what fools one network fool another?"),
        element("p", f"{names}: {result.attack}, {len(result.names)} pictures", class_="quiet"),
    )
    parts = [
        section("Transfer", *matrix_table(result)),
        disputes_table(result),
        caveats(),
        _pictures(result),
        _notes(result),
    ]
    return document(f"Transfer: {names}", join(head, *parts))


def matrix_table(result: Transfer) -> Iterator[Markup]:
    """The matrix in colours, and what its numbers count."""
    rate, low, high, fooled, images = (result.matrix(name) for name in ("rate", "low", "high", "fooled", "images"))
    rows = []
    for s, source in enumerate(result.models):
        cells = [_cell(rate[s, t], low[s, t], high[s, t], fooled[s, t], images[s, t]) for t in range(len(rate))]
        rows.append(element("tr", element("th", f"made on {source}", scope="row"), *cells))
    head = element("tr", element("th", ""), *(element("th", f"tried on {name}", scope="col") for name in result.models))
    inner = element("table", element("thead", head), element("tbody", *rows))
    yield element("div", inner, class_="scroll matrix", role="region", aria_label="Transfer matrix", tabindex=0)
    yield element("p", COUNTED, " Intervals are Wilson's at 95 %.", class_="quiet")


def _cell(rate: float, low: float, high: float, fooled: int, images: int) -> Markup:
    if not images:
        return element("td", "no image")
    text = join(element("strong", f"{rate:.3f}"), element("span", f" {low:.2f} to {high:.2f}, {fooled} of {images}"))
    return element("td", text, style=f"background: rgb(200 60 40 / {0.75 * rate:.2f})", data_value=rate)


def disputes_table(result: Transfer, title: str = "Copies of one network") -> Markup:
    """The pictures about which copies of one network disagree, under a title."""
    if not result.alike:
        return Markup()
    groups = "; ".join(", ".join(group) for group in result.alike)
    said = element("p", f"These are one network: {groups}. A picture should fool all of them or none.", class_="quiet")
    rows: list[list[Cell | str]] = [
        [
            str(row["image"]),
            str(row["source"]),
            str(row["target"]),
            *(Cell(f"{row[name]:.2e}", row[name]) for name in ("source_margin", "target_margin", "rounding")),
            "yes" if row["by_rounding"] else "NO",
            "fools" if row["fools"] else "does not fool",
        ]
        for row in result.dispute_rows()
    ]
    header: list[Heading | str] = [
        "picture", "made on", "tried on",
        Heading("margin on the source", "Logit of the class to leave minus the best other one: below 0 fools."),
        "margin on the target",
        Heading("rounding", "The largest difference of both networks' logits of the images themselves."),
        Heading("by rounding", "Whether both margins are within twice that."),
        Heading("decided", "By the mean of the margins of all copies."),
    ]  # fmt: skip
    shown = table("Disputes", header, rows) if rows else element("p", "There is no dispute.")
    return section(title, said, shown)


def _pictures(result: Transfer) -> Markup:
    count = min(len(result.names), MOST_PICTURES)
    within = room(count)
    rest = len(result.names) - count
    last = [element("p", f"and {rest} more", class_="quiet")] if rest else []
    return section("Pictures", *(_picture(result, n, within) for n in range(count)), *last)


def _picture(result: Transfer, n: int, within: Room) -> Markup:
    low, high = result.bounds
    x = as_numpy(result.images)[n]
    figures = [_figure(pixels(x, result.bounds), "the image", within)]
    for s, source in enumerate(result.models):
        made = as_numpy(result.pictures)[s, n]
        change, factor = magnified((made - x) / (high - low))
        fools = [name for t, name in enumerate(result.models) if as_numpy(result.fooled)[s, t, n]]
        figures.append(_figure(change, f"{source}: change x {factor:.3g}", within))
        figures.append(_figure(pixels(made, result.bounds), f"fools {', '.join(fools) or 'none'}", within))
    height, width = x.shape[-2:]
    body = element("div", *figures, class_="maps", style=f"--aspect: {width} / {height}")
    opened = "open" if n < 3 else None
    return element("details", element("summary", element("h3", result.names[n])), body, class_="case", open=opened)


def _figure(shown: "np.ndarray[Any, Any]", caption: str, within: Room) -> Markup:
    img = element("img", src=image_uri(shown, within), alt=caption, decoding="async", loading="lazy")
    return element("figure", element("div", img, class_="stack exact"), element("figcaption", caption))


def caveats() -> Markup:
    """What an attack's failure does not prove."""
    return section("What this does not prove", *(element("p", text) for text in CAVEATS))


def _notes(result: Transfer) -> Markup:
    return (
        section("Notes", element("ul", *(element("li", note) for note in result.notes))) if result.notes else Markup()
    )
