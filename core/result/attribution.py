"""`Attribution`: the values of a method that explains images, as arrays and as pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, namespace, resample
from ..image.colormap import colour
from ..image.contact_sheet import contact_sheet
from ..image.false_colour import side_by_side
from ..image.overlay import overlay
from .base import Result, new_axes
from .data_frame import long_columns
from .display import check_form, grey

__all__ = ["Attribution"]


@dataclass(frozen=True)
class Attribution(Result):
    """What mattered where: raw values, at the resolution of the layer explained."""

    values: Array
    """(N, h, w), or (N, C, H, W) where each channel of the image has its own; of volumes (N, d, h, w), (N, C, D, H, W).

    Four axes are the map of a volume where `images` have five."""
    scores: Array = field(default=None, kw_only=True)
    """The objective at each image, (N,)."""

    def _per_image(self) -> tuple[str, ...]:
        return ("images", "values", "scores")

    @property
    def has_channels(self) -> bool:
        """Whether the values are (N, C, ...), not maps (N, ...): by the axes of the images, 4 if there are none."""
        of_volumes = self.images is not None and self.images.ndim == 5
        return bool(self.values.ndim > (4 if of_volumes else 3))

    def maps(self) -> Array:
        """(N, h, w): the values, or over an image's channels the value of largest magnitude, with its sign.

        (N, d, h, w) of volumes.
        """
        if not self.has_channels:
            return self.values
        xp = namespace(self.values)
        strongest = xp.argmax(xp.abs(self.values), axis=1)
        channels = xp.arange(self.values.shape[1], device=self.values.device)
        chosen = xp.reshape(channels, (1, -1, *[1] * (self.values.ndim - 2))) == strongest[:, None, ...]
        return xp.sum(xp.where(chosen, self.values, xp.zeros_like(self.values)), axis=1)

    def upsampled(self, size: tuple[int, ...]) -> Array:
        """The maps enlarged bilinearly to (H, W), raw otherwise; those of a network that enlarges are made smaller.

        Of volumes, trilinearly to (D, H, W).
        """
        return resample(self.maps(), size)

    @property
    def is_per_pixel(self) -> bool:
        """Whether each channel of each pixel had a value of its own, as of gradients: shown as magnitudes."""
        values_of_pixels = self.images is not None and self.values.ndim == self.images.ndim
        return values_of_pixels or bool(self.provenance.get("per_pixel"))

    def magnitudes(self) -> Array:
        """(N, h, w), at least 0: absolute values, of all channels of the image added up."""
        xp, values = namespace(self.values), self.values
        return xp.sum(xp.abs(values), axis=1) if self.has_channels else xp.abs(values)

    def drawn(self, index: int, form: str | None = None) -> np.ndarray[Any, Any]:
        """Image `index` and its map as a picture (H, W, 3), uint8; `form` as in `picture`."""
        check_form(form)
        form = form or ("magnitude" if self.is_per_pixel else "overlay")
        one = replace(self, values=self.values[index : index + 1, ...])
        maps = one.magnitudes() if form == "magnitude" else one.maps()
        values = as_numpy(resample(maps, tuple(self.images.shape[2:])))[0]
        values = side_by_side(values) if values.ndim == 3 else values
        if form == "magnitude":
            return grey(values)
        return colour(values, signed=True) if form == "signed" else overlay(self.shown(index), values)

    def picture(self, form: str | None = None) -> np.ndarray[Any, Any]:
        """The maps side by side, (H, W, 3) uint8; of a volume its slices along the depth, see `image.false_colour`.

        Args:
            form: "magnitude", "signed" or "overlay", see `result.display.FORMS`; if not given, magnitudes where
                each pixel has values of its own (gradients), else the overlay: red for the target, blue against it.

        Raises:
            ParameterError: another form.
        """
        return contact_sheet([self.drawn(index, form) for index in range(self.values.shape[0])])

    def _drawing(self, form: str | None) -> np.ndarray[Any, Any]:
        return self.picture(form)

    def _tiles(self) -> int:
        return len(self)

    def _check_drawing(self, suffix: str, form: str | None, scale: int | None, quality: int) -> None:
        check_form(form)
        super()._check_drawing(suffix, form, scale, quality)

    def _main_array(self) -> Array:
        return self.values

    def _columns(self) -> Mapping[str, Any]:
        """One row for each value: its image, its channel where each has values of its own, its place, and the value."""
        values = as_numpy(self.values)
        places = ("depth", "row", "column")[5 - values.ndim - (not self.has_channels) :]
        if values.ndim - 1 - self.has_channels not in {2, 3}:
            places = tuple(f"axis {n}" for n in range(1, values.ndim))
        return long_columns(values, ["image", *["channel"] * self.has_channels, *places])

    def plot(self, axes: Any = None, index: int = 0, form: str | None = None) -> Any:
        """Draw image `index` and its map on matplotlib axes (new ones if not given); returns the axes."""
        picture, axes = self.drawn(index, form), axes or new_axes()
        axes.imshow(picture)
        axes.set_title(f"{self.method}, {self.provenance.get('objective', '')}")
        axes.set_axis_off()
        return axes

    def _facts(self) -> Iterator[str]:
        yield f"values {tuple(self.values.shape)}"
        yield from super()._facts()
