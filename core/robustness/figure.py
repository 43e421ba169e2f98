"""matplotlib's figures as pixels, where it is installed."""

from typing import Any

import numpy as np

from ..errors import ImageError
from ..result.display import Pixels

__all__ = ["as_pixels", "new_figure"]


def new_figure() -> Any:
    """A figure of 640 x 480 pixels that no window shows.

    Raises:
        ImageError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImageError(
            "drawing curves takes matplotlib: pip install 'crosslens[plot]'; .csv and .npz hold the numbers without it"
        ) from error
    return Figure(figsize=(6.4, 4.8), dpi=100, layout="constrained")


def as_pixels(figure: Any) -> Pixels:
    """What is drawn on it, (480, 640, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(np.asarray(canvas.buffer_rgba())[..., :3])
