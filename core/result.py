"""What comes back: raw values, and all that is needed to repeat them. Making a picture is a separate, named step."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from .arrays import Array, as_numpy, namespace, resample
from .errors import ImageError, ParameterError
from .image import colour, contact_sheet, overlay, save_animation, save_image

__all__ = ["Attribution", "Result", "Synthesis", "new_axes"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What every result carries beside its values."""

    method: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    images: Array = None
    """The images explained or made, (N, C, H, W) in [0, 1]."""
    notes: tuple[str, ...] = ()
    """What a reader must know to trust the values: all-zero maps, for example."""

    def picture(self) -> np.ndarray[Any, Any]:
        """(H, W, 3), uint8: what `save` writes as PNG."""
        raise NotImplementedError(f"{type(self).__name__} has no picture")

    def frames(self) -> list[np.ndarray[Any, Any]]:
        """Pictures (H, W, 3), uint8, to be shown one after the other.

        Raises:
            ImageError: this result is no sequence of pictures.
        """
        raise ImageError(f"{self.method} makes no animation; save it as .png or .npz")

    def joined(self, others: Sequence[Self]) -> Self:
        """This batch's result with those of the batches after it."""
        if not others:
            return self
        parts = (self, *others)
        merged = {
            f.name: _concatenated([getattr(p, f.name) for p in parts])
            for f in fields(self)
            if f.name in self._per_image()
        }
        notes = tuple(dict.fromkeys(note for p in parts for note in p.notes))
        return replace(self, notes=notes, **merged)

    def _per_image(self) -> tuple[str, ...]:
        return ("images",)

    def _arrays(self) -> dict[str, Array]:
        """What a saved `.npz` holds beside the record."""
        return {f.name: getattr(self, f.name) for f in fields(self) if hasattr(getattr(self, f.name), "shape")}

    def details(self) -> Mapping[str, Any]:
        """What else belongs into the record of a saved result, as JSON can hold it."""
        return {}

    def figures(self) -> Mapping[str, Any]:
        """The few numbers that sum the result up, by name, as JSON can hold them; none where it is a map."""
        return {}

    def save(self, path: str | Path) -> Path:
        """Write the result: `.png` a picture of it; `.npz` everything, raw values and provenance; `.gif`, `.webp` or
        `.mp4` the pictures made, one after the other.

        Raises:
            ImageError: another suffix.
        """
        path = Path(path)
        if path.suffix == ".png":
            return save_image(self.picture(), path)
        if path.suffix in {".gif", ".webp", ".mp4"}:
            return save_animation(self.frames(), path)
        if path.suffix != ".npz":
            raise ImageError(f"cannot save a result as {path.name!r}; use .png for a picture, .npz for everything")
        arrays = self._arrays()
        record = {"kind": type(self).__name__, "method": self.method, "parameters": self.parameters}
        record |= {"provenance": self.provenance, "notes": self.notes, **self.details()}
        everything: dict[str, Any] = {"record": json.dumps(record), **{name: as_numpy(a) for name, a in arrays.items()}}
        return _packed(path, everything)


def _packed(path: Path, arrays: Mapping[str, Any]) -> Path:
    """Write an `.npz`, whole or not at all.

    Raises:
        ImageError: the folder does not exist or cannot be written to, or the disk is full.
    """
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        unfinished.replace(path)
    except OSError as error:
        raise ImageError(f"cannot write '{path}': {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _concatenated(parts: list[Any]) -> Any:
    return None if parts[0] is None else namespace(parts[0]).concat(parts, axis=0)


@dataclass(frozen=True)
class Attribution(Result):
    """What mattered where: raw values, at the resolution of the layer explained."""

    values: Array
    """(N, h, w), or (N, C, H, W) where each channel of the image has its own."""
    scores: Array = field(default=None, kw_only=True)
    """The objective at each image, (N,)."""

    def _per_image(self) -> tuple[str, ...]:
        return ("images", "values", "scores")

    def maps(self) -> Array:
        """(N, h, w): the values, or over an image's channels the value of largest magnitude, with its sign."""
        if self.values.ndim == 3:
            return self.values
        xp = namespace(self.values)
        strongest = xp.argmax(xp.abs(self.values), axis=1)
        channels = xp.arange(self.values.shape[1], device=self.values.device)
        chosen = channels[None, :, None, None] == strongest[:, None, :, :]
        return xp.sum(xp.where(chosen, self.values, xp.zeros_like(self.values)), axis=1)

    def upsampled(self, size: tuple[int, int]) -> Array:
        """The maps enlarged bilinearly to (H, W), raw otherwise; those of a network that enlarges are made smaller."""
        return resample(self.maps(), size)

    def picture(self) -> np.ndarray[Any, Any]:
        """Each image with its map laid over it, side by side; red speaks for the target, blue against it."""
        images = as_numpy(self.images)
        maps = as_numpy(self.upsampled(images.shape[-2:]))
        return contact_sheet([overlay(image, values) for image, values in zip(images, maps, strict=True)])

    def plot(self, axes: Any = None, index: int = 0) -> Any:
        """Draw image `index` and its map on matplotlib axes (new ones if not given); returns the axes."""
        axes = axes or new_axes()
        image = as_numpy(self.images)[index]
        values = as_numpy(self.upsampled(image.shape[-2:]))[index]
        axes.imshow(overlay(image, values))
        axes.set_title(f"{self.method}, {self.provenance.get('objective', '')}")
        axes.set_axis_off()
        return axes

    def heat(self, index: int = 0) -> np.ndarray[Any, Any]:
        """The map of image `index` alone in colours, (h, w, 3) uint8, at its own resolution."""
        return colour(as_numpy(self.maps())[index])


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
        return opaque * self.images + (1.0 - opaque)

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
        figure.savefig(path)
        return Path(path)

    def picture(self) -> np.ndarray[Any, Any]:
        """The images side by side."""
        return contact_sheet([_pixels(image) for image in as_numpy(self.images)])

    def frames(self) -> list[np.ndarray[Any, Any]]:
        """Each image, (H, W, 3), uint8."""
        return [_pixels(image) for image in as_numpy(self.images)]

    def plot(self, axes: Any = None, index: int = 0) -> Any:
        """Draw image `index` on matplotlib axes (new ones if not given); returns the axes."""
        axes = axes or new_axes()
        axes.imshow(_pixels(as_numpy(self.images)[index]))
        axes.set_title(self.method)
        axes.set_axis_off()
        return axes


def _pixels(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    rgb = np.moveaxis(image, 0, -1) if image.shape[0] == 3 else np.repeat(image[0][..., None], 3, axis=-1)
    return (rgb.clip(0, 1) * 255).round().astype(np.uint8)


def new_axes() -> Any:
    """Axes of a new matplotlib figure."""
    from matplotlib import pyplot

    return pyplot.subplots()[1]
