"""Tables that are drawn by matplotlib, where it is installed, and saved as plots."""

from abc import abstractmethod
from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

import numpy as np

from ..errors import ImageError
from ..files.own_files import MARK
from ..result.display import Pixels
from ..result.strict_json import dumps
from ..result.table import Table

__all__ = ["PlottedTable"]


class PlottedTable(Table):
    """A table whose picture is a plot; `.svg` holds the plot too, `.json` the table with what belongs to it."""

    @abstractmethod
    def plot(self, axes: Any = None) -> Any:
        """Draw it on matplotlib axes (new ones if not given); returns the axes."""

    @abstractmethod
    def as_json(self) -> Mapping[str, Any]:
        """What a `.json` holds."""

    def picture(self) -> Pixels:
        """The plot as pixels, (480, 640, 3) uint8.

        Raises:
            ImageError: matplotlib is not installed.
        """
        figure = new_figure()
        self.plot(figure.add_subplot())
        return as_pixels(figure)

    def _scale(self, pixels: Pixels) -> int:
        return 1

    def _write(self, file: IO[bytes], suffix: str, form: str | None, scale: int | None, quality: int) -> None:
        if suffix == ".svg":
            figure, text = new_figure(), BytesIO()
            self.plot(figure.add_subplot())
            figure.savefig(text, format="svg", metadata={"Creator": MARK})
            file.write(text.getvalue())
        elif suffix == ".json":
            file.write((dumps(self.as_json()) + "\n").encode(errors="backslashreplace"))
        else:
            super()._write(file, suffix, form, scale, quality)


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
