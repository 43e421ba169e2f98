"""`Synthesis`: images made by optimising through a network, with the objective at each step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, namespace
from ..errors import ImageError, ParameterError
from ..execution.whole_file import whole_file
from ..image.contact_sheet import contact_sheet
from ..image.false_colour import pixels
from ..image.io import save_image
from .base import Result, new_axes

__all__ = ["Synthesis"]


@dataclass(frozen=True, kw_only=True)
class Synthesis(Result):
    """Pictures made by optimising through a network: `images`, and how the objective went."""

    history: Array = None
    """The objective's value at each step, (steps,) or (steps, N)."""
    starts: Array = None
    """The pictures that it started from, (N, C, H, W), where these were given: `change` is what became of them."""
    mask: Array = None
    """Where the objective had anything to gain, (N, H, W): |gradient| at the picture added up over the steps, raw."""
    snapshots: Mapping[int, Array] = field(default_factory=dict)
    """The images after so many steps, (N, C, H, W) each."""
    state: Mapping[str, Array] = field(default_factory=dict)
    """What the optimiser needs to go on; the `.npz` holds it, and `resume=` reads it."""

    def _facts(self) -> Iterator[str]:
        yield "" if self.images is None else f"images {tuple(self.images.shape)}"
        yield "" if self.history is None else f"{len(self.history)} steps"
        yield from super()._facts()

    def change(self) -> Array:
        """(N, C, H, W), raw: the images minus what they started from.

        Raises:
            ImageError: they started from noise.
        """
        if self.starts is None:
            raise ImageError("these pictures started from noise, not from images: nothing was changed")
        return self.images - self.starts

    def on_host(self) -> "Synthesis":
        """The same in NumPy arrays, which a network on a GPU makes of them once, at the end."""
        arrays: dict[str, Any] = {
            f.name: as_numpy(v) for f in fields(self) if hasattr(v := getattr(self, f.name), "shape")
        }
        kept = {step: as_numpy(images) for step, images in self.snapshots.items()}
        return replace(self, **arrays, snapshots=kept, state={name: as_numpy(v) for name, v in self.state.items()})

    def masked(self, percent: float = 80.0) -> Array:
        """The images, faded to white where the mask is small: opaque from this percentile of each mask on.

        Raises:
            ImageError: this method keeps no mask.
        """
        if self.mask is None:
            raise ImageError(f"{self.method} keeps no mask of where its pictures matter")
        xp, mask = namespace(self.images), self.mask
        flat = xp.sort(xp.reshape(mask, (mask.shape[0], -1)), axis=1)
        full = flat[:, min(int(percent / 100 * flat.shape[1]), flat.shape[1] - 1)][:, None, None]
        opaque = xp.clip(mask / xp.where(full > 0, full, xp.ones_like(full)), 0.0, 1.0)[:, None, :, :]
        return opaque * self.images + self.bounds[1] * (1.0 - opaque)

    def _arrays(self) -> dict[str, Array]:
        kept = {f"snapshot_{step}": images for step, images in self.snapshots.items()}
        return super()._arrays() | kept | {f"state_{name}": array for name, array in self.state.items()}

    def save(self, path: str | Path) -> Path:
        """As `Result.save`; beside a `.png` its snapshots, `name-0016.png` after 16 steps, and `name-masked.png`."""
        saved = super().save(path)
        if saved.suffix != ".png":
            return saved
        for step, images in self.snapshots.items():
            replace(self, images=images, mask=None, snapshots={}).save(saved.with_name(f"{saved.stem}-{step:04d}.png"))
        if self.mask is not None:
            save_image(replace(self, images=self.masked()).picture(), saved.with_name(f"{saved.stem}-masked.png"))
        return saved

    def plot_history(self, axes: Any = None) -> Any:
        """Draw the objective step by step on matplotlib axes (new ones if not given); returns the axes."""
        axes = axes or new_axes()
        axes.plot(as_numpy(self.history))
        axes.set_xlabel("step")
        axes.set_ylabel(str(self.provenance.get("objective", "objective")))
        axes.set_title(self.method)
        return axes

    def save_history(self, path: str | Path) -> Path:
        """Write the plot of the history, as .png or .svg.

        Raises:
            ParameterError: matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ParameterError(
                "a plot needs matplotlib: pip install 'crosslens[plot]'; a result saved as .npz holds its `history`"
            ) from error
        figure = Figure(figsize=(6, 4), layout="constrained")
        self.plot_history(figure.subplots())
        with whole_file(path) as temporary:
            figure.savefig(temporary)
        return Path(path)

    def picture(self) -> np.ndarray[Any, Any]:
        """The images side by side."""
        return contact_sheet(self.frames())

    def frames(self) -> list[np.ndarray[Any, Any]]:
        """Each image, (H, W, 3), uint8."""
        return [pixels(image, self.bounds, self.bands) for image in as_numpy(self.images)]

    def plot(self, axes: Any = None, index: int = 0) -> Any:
        """Draw image `index` on matplotlib axes (new ones if not given); returns the axes."""
        axes = axes or new_axes()
        axes.imshow(pixels(as_numpy(self.images)[index], self.bounds, self.bands))
        axes.set_title(self.method)
        axes.set_axis_off()
        return axes
