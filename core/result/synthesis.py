"""`Synthesis`: images made by optimising through a network, with the objective at each step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy, namespace
from ..errors import ImageError, ParameterError
from ..files.own_files import MARK
from ..files.whole_file import write_bytes
from ..image.contact_sheet import contact_sheet
from ..image.false_colour import pixels
from .base import Result, new_axes
from .data_frame import long_columns
from .formats import PICTURES, suffix_of
from .selection import items_at

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
    _array_prefixes: ClassVar[Mapping[str, str]] = {"snapshots": "snapshot", "state": "state"}

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

    def _per_image(self) -> tuple[str, ...]:
        return ("images", "starts", "mask")

    def _at(self, places: Sequence[int]) -> "Synthesis":
        """Their snapshots, and their columns of the history, too; not the state, which is that of the whole run."""
        count, history = len(self), self.history
        of_images = history is not None and history.ndim == 2 and history.shape[1] == count
        return replace(
            super()._at(places),
            history=items_at(history.T, places).T if of_images else history,
            snapshots={
                step: items_at(images, places) if images.shape[0] == count else images
                for step, images in self.snapshots.items()
            },
            state={},
        )

    def _columns(self) -> Mapping[str, Any]:
        """One row for each step and image: the objective there; one for each step where all images share one."""
        if self.history is None:
            raise ParameterError(f"{self} has no history, which is what its data frame would hold")
        history = as_numpy(self.history)
        axes = ["step", "image" if history.shape[1:] == (len(self),) else "run"][: history.ndim]
        return long_columns(history, axes, "objective")

    def _tiles(self) -> int:
        return len(self)

    def _scale(self, pixels: np.ndarray[Any, Any]) -> int:
        """Pixel for pixel: the pixels are what was made, and may be worked on."""
        return 1

    def _moves(self, suffix: str) -> bool:
        return super()._moves(suffix) or (suffix == ".webp" and len(self.frames()) > 1)

    def save(self, path: str | Path, form: str | None = None, *, scale: int | None = None, quality: int = 95) -> Path:
        """As `Result.save`; beside a still picture its snapshots, `name-0016.png` after 16 steps, `name-masked.png`."""
        saved = super().save(path, form, scale=scale, quality=quality)
        suffix = suffix_of(saved)
        if suffix not in PICTURES or self._moves(suffix):
            return saved
        beside = {f"{step:04d}": self.after(step) for step in self.snapshots}
        if self.mask is not None:
            beside["masked"] = replace(self, images=self.masked(), mask=None, snapshots={})
        for name, alone in beside.items():
            alone.save(saved.with_name(f"{saved.stem}-{name}{saved.suffix}"), scale=scale, quality=quality)
        return saved

    def after(self, step: int) -> "Synthesis":
        """The result with the pictures of a snapshot, those after so many steps, for the eye."""
        return replace(self, images=self.snapshots[step], mask=None, snapshots={})

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
        form, content = suffix_of(path).removeprefix("."), BytesIO()
        figure.savefig(content, format=form, metadata={"Creator" if form == "svg" else "Software": MARK})
        return write_bytes(path, content.getvalue())

    def picture(self) -> np.ndarray[Any, Any]:
        """The images side by side."""
        return self._sheet(self.images)

    def drawn(self, index: int) -> np.ndarray[Any, Any]:
        """Image `index`, (H, W, 3), uint8."""
        return pixels(as_numpy(self.images)[index], self.bounds, self.bands)

    def frames(self) -> list[np.ndarray[Any, Any]]:
        """What an animation shows, (H, W, 3), uint8: how the images grew, or each image if no snapshots were kept.

        With snapshots (`every=`) each frame holds all images side by side after so many steps, the last one as they
        are now. Where the images themselves are frames (DeepDream's zoom) it is these.
        """
        if not any(kept.shape[0] == self.images.shape[0] for kept in self.snapshots.values()):
            return [self.drawn(index) for index in range(self.images.shape[0])]
        last = as_numpy(list(self.snapshots.values())[-1])
        grew = [*self.snapshots.values(), *([] if np.array_equal(last, as_numpy(self.images)) else [self.images])]
        return [self._sheet(images) for images in grew]

    def _sheet(self, images: Array) -> np.ndarray[Any, Any]:
        return contact_sheet([pixels(image, self.bounds, self.bands) for image in as_numpy(images)])

    def plot(self, axes: Any = None, index: int = 0) -> Any:
        """Draw image `index` on matplotlib axes (new ones if not given); returns the axes."""
        axes = axes or new_axes()
        axes.imshow(self.drawn(index))
        axes.set_title(self.method)
        axes.set_axis_off()
        return axes
