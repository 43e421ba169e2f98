"""Bars: how many units detect each concept, concepts of a category in one colour."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ImageError
from ..result.display import Pixels, counted

__all__ = ["drawn", "plot_concepts"]

Counts = Mapping[tuple[str, str], int]


def plot_concepts(axes: Any, layer: str, found: Mapping[str, Counts], every: Sequence[str]) -> Any:
    """Draw counts by (category, concept) on matplotlib axes, which are returned.

    Args:
        axes: to draw on.
        layer: for the title.
        found: by basis; the second one's bars are pale.
        every: category that there is, each in its own colour in all charts.
    """
    concepts = list(dict.fromkeys(each for counts in found.values() for each in counts))
    categories = list(dict.fromkeys(category for category, _ in concepts))
    concepts = [each for category in categories for each in concepts if each[0] == category]
    places = np.arange(len(concepts))
    width = 0.8 / len(found)
    for n, (basis, counts) in enumerate(found.items()):
        for category in categories:
            own = [place for place in places if concepts[place][0] == category]
            heights = [counts.get(concepts[place], 0) for place in own]
            label = f"{category}: {counted(sum(map(bool, heights)), 'concept') or 'none'}" + f", {basis}" * (
                len(found) > 1
            )
            colour = f"C{every.index(category) % 10}"
            axes.bar(np.array(own) + n * width, heights, width, color=colour, alpha=0.4 if n else 1.0, label=label)
    axes.set_xticks(places + width * (len(found) - 1) / 2, [name for _, name in concepts], rotation=60, ha="right")
    axes.tick_params(labelsize="small")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("detectors")
    axes.set_title(
        f"{layer}: " + ", ".join(f"{sum(c.values())} {basis}" for basis, c in found.items()), fontsize="medium"
    )
    if concepts:
        axes.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1.0, 1.0))  # beside the bars, not over them
    return axes


def drawn(plot: Callable[[Any], Any], bars: int) -> Pixels:
    """What a function draws on axes, (H, W, 3) uint8, wide enough for so many bars.

    Raises:
        ImageError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImageError(
            "drawing plots takes matplotlib: pip install 'crosslens[plot]'; .csv holds the numbers without it"
        ) from error
    figure = Figure(figsize=(min(max(6.5, 3.0 + 0.3 * bars), 40.0), 3.6), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    plot(figure.add_subplot())
    canvas.draw()
    return np.array(np.asarray(canvas.buffer_rgba())[..., :3])
