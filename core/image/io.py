"""Reading and writing image files: float32 arrays (N, C, H, W), RGB or the model's own channels."""

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError, ModelError
from ..files.whole_file import write_bytes
from ..model.base import Model
from ..model.input_spec import InputSpec
from .array_picture import pictures_of_array, with_channels
from .decoding import decoding, has_frames, load_pixels, open_picture, opened_picture, upright
from .deep_picture import shares_of_floats, to_eight_bits
from .encoding import encode_picture
from .false_colour import pixels as as_pixels
from .fitting import Fitting, check_fitting, check_size, fitting
from .loading import remember_loading
from .multiband import ARRAYS, TIFFS, as_bands, read_array, read_tiff

__all__ = ["load_image", "save_image"]

Pixels = np.ndarray[Any, Any]

_READABLE = {"La": "LA", "LAB": "RGB"}
"""Modes of Pillow's that it does not convert to grey or colours at once, and one that it converts them to."""
_CONVERSION = {"F": 36, "I": 8}
"""Bytes for each pixel of a picture, by its mode, that are taken to make one in colours of it; of others 4."""
_AS_FLOATS = 28
"""Bytes for each pixel of a batch while it is made."""


def load_image(
    path: Any,
    like: Model | None = None,
    *,
    size: tuple[int, int] | None = None,
    resize: str | None = None,
    crop: float | None = None,
    whole: bool = False,
) -> Pixels:
    """A picture as a batch of one, ready for a model, or several as one batch.

    A picture is shrunk until 87.5 % of its short side make the size, and the centre is cut out, as in the evaluation of
    ImageNet networks; one too small for that is not enlarged for the cut, so that a picture of the model's size keeps
    all its pixels, and one smaller than it is enlarged until it just covers it. `resize` and `crop` choose otherwise.

    Rotation flags are obeyed, transparency is laid on white, 16 bits are scaled, grey becomes RGB, and RGB becomes grey
    (ITU-R BT.601 luma) where the model takes one channel. White is the upper of the model's bounds and black the lower.
    Resizing is bicubic and antialiased.

    A model of other than one or three channels gets the bands as they are: RGBA for four, grey with alpha for two,
    a TIFF's samples or pages (by tifffile). Arrays, in memory or in `.npy` and `.npz` files, are taken by their number
    of channels, first or last axis: uint8 and uint16 are divided by their largest value, fractions lie in the model's
    bounds. Volumes must have the model's size.

    Args:
        path: a PNG, JPEG, GIF, BMP, TIFF, WebP, PPM, AVIF or JPEG 2000 file, one of Pillow's images, a .npy or .npz
            file, an array or tensor of one picture or several, or a list of these.
        like: the model that decides size and number of channels.
        size: (H, W) in pixels; overrides the model's. The picture's own size where neither is given.
        resize: "short" (if not given), the short side to the size, and the centre cut out; "squash", each side to the
            size; "pad", the long side to the size, the rest black; "none", the picture's own size.
        crop: the share of the short side that stays, 1 for all; of both sides with "squash".
        whole: keep the picture's own size, unless `resize` or `crop` is given.

    Returns:
        float32 of shape (N, 3, H, W), or (N, 1, H, W) for a grey model, values in the model's bounds, [0, 1] unless
        told; N is 1 for one picture.

    Raises:
        ImageError: the file does not exist, is not a picture, or holds NaN; or pictures of different sizes in a list.
        ModelError: `like` is a network that is not wrapped.
    """
    if like is not None and not isinstance(getattr(like, "input", None), InputSpec):
        raise ModelError(
            f"load_image(..., like=) takes a model, crosslens.wrap(network); received a {type(like).__name__}"
        )
    check_size(size)
    spec = InputSpec() if like is None else like.input
    resize = resize or ("none" if whole and crop is None else "short")
    size = size if size is not None or like is None or resize == "none" else spec.size
    check_fitting(resize, crop)
    if size is None and resize != "none" and (crop is not None or resize != "short"):
        asked = f"resize={resize!r}" if crop is None else f"crop={crop:g}"
        raise ImageError(f"{asked} needs a size: give like=model or size=(H, W)")
    target = _Target(spec, size, resize, crop, like)
    batch = _one_batch([_load_one(each, target) for each in (path if isinstance(path, list | tuple) else [path])])
    remember_loading(batch, target.records)
    return batch


@dataclass(frozen=True)
class _Target:
    """What a picture is to become."""

    spec: InputSpec
    size: tuple[int, int] | None
    resize: str
    crop: float | None
    like: Model | None
    records: list[dict[str, Any]] = field(default_factory=list)

    def fitting(self, own: tuple[int, int]) -> Fitting:
        return fitting(own, self.size or own, self.resize if self.size else "none", self.crop if self.size else None)

    def fit(self, picture: Image.Image) -> Image.Image:
        return self.fitting((picture.height, picture.width)).apply(picture)

    def record(self, name: Any, own: tuple[int, int]) -> None:
        """How a picture of this size is loaded."""
        made = self.fitting(own)
        way = "none" if made.resized == own == made.size else self.resize
        sizes = {"size": list(own), "resized": list(made.resized)}
        self.records.append({"file": name and str(name), **sizes, "resize": way, "crop": made.share})

    def batch(self, unit: Pixels) -> Pixels:
        """A picture (C, H, W) in [0, 1] as a batch of one in the model's bounds."""
        return np.ascontiguousarray(self.spec.from_unit(unit[None]), np.float32)


def _file(path: Any) -> Any:
    """The file of a path, or of one of Pillow's images that was read from one."""
    return path if isinstance(path, Path) else getattr(path, "filename", None) or None


def _one_batch(parts: list[Pixels]) -> Pixels:
    if not parts:
        raise ImageError("the list holds no picture")
    if len(sizes := {part.shape[1:] for part in parts}) > 1:
        raise ImageError(
            f"the pictures have different sizes, {', '.join(map(str, sorted(sizes)))}, and a batch has one: give "
            "size=(H, W), or like=model"
        )
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _load_one(path: Any, target: _Target) -> Pixels:
    if isinstance(path, str | PathLike):
        path = Path(path)
    elif not isinstance(path, Image.Image):
        return np.concatenate([_load_pixels(each, target) for each in pictures_of_array(path, target.spec)])
    if (bands := _bands(path, target.like)) is not None:
        return target.batch(_fit_bands(bands, target, path))
    return _load_picture(path if isinstance(path, Image.Image) else open_picture(path), target, path)


def _load_pixels(pixels: Pixels, target: _Target) -> Pixels:
    """A picture out of an array: (H, W, C) uint8, or (C, H, W) in [0, 1]."""
    channels = target.spec.shape[0] or 3
    if pixels.dtype == np.uint8 and channels in {1, 3} and not target.spec.is_volume:
        return _load_picture(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), target)
    if pixels.dtype == np.uint8:
        pixels = np.moveaxis(pixels, -1, 0) / np.float32(255)
    return target.batch(_fit_bands(with_channels(pixels, channels), target, None))


def _load_picture(picture: Image.Image, target: _Target, path: Any = None) -> Pixels:
    with decoding(_file(path)):
        return _picture_batch(picture, target, path)


def _picture_batch(picture: Image.Image, target: _Target, path: Any) -> Pixels:
    grey = target.spec.shape[0] == 1
    picture = upright(load_pixels(picture, _file(path), _needed(picture, target.size or picture.size)))
    if picture.mode == "F":
        shares = with_channels(shares_of_floats(picture, target.spec), 1 if grey else 3)
        return target.batch(_fit_bands(shares, target, path))
    picture = to_eight_bits(_converted(picture, _READABLE.get(picture.mode, picture.mode)))
    target.record(_file(path), (picture.height, picture.width))
    picture = target.fit(_converted(_flatten_on_white(picture), "L" if grey else "RGB"))
    pixels = np.array(picture, np.float32)
    pixels /= 255
    return target.batch(pixels[None] if grey else np.moveaxis(pixels, -1, 0))


def _needed(picture: Image.Image, size: tuple[int, int]) -> int:
    """Bytes that a picture in one of Pillow's modes takes beside itself until it is a batch of this size."""
    own = picture.width * picture.height
    conversion = 12 if picture.has_transparency_data else _CONVERSION.get(picture.mode[0], 4)
    return own * conversion + size[0] * size[1] * _AS_FLOATS


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    return picture if picture.mode == mode else picture.convert(mode)


def _bands(path: Path | Image.Image, like: Model | None) -> Pixels | None:
    """The bands (C, ...) in [0, 1] of an array, or of a picture for a model of other than one or three channels."""
    place = None if isinstance(path, Image.Image) else path
    suffix = "" if place is None else place.suffix.lower()
    if like is None:
        if suffix in ARRAYS:
            raise ImageError(f"'{path}' is an array: load it for a model, load_image(path, like=model)")
        return None
    if place is not None and suffix in ARRAYS:
        return as_bands(read_array(place), like.input, path)
    plain = like.input.shape[0] in {1, 3, None} and not like.input.is_volume
    if place is not None and suffix in TIFFS and (not plain or _has_bands(place)):
        return as_bands(read_tiff(place), like.input, path)
    if plain:
        return None
    with decoding(_file(path)):
        picture = path if isinstance(path, Image.Image) else open_picture(path)
        picture = upright(load_pixels(picture, place, picture.width * picture.height * 2 * _AS_FLOATS))
        pixels = np.asarray(picture.convert("RGBA") if picture.mode in {"P", "PA"} else picture)
    if like.input.is_volume or pixels.ndim != 3 or pixels.shape[2] != like.input.shape[0]:
        raise ImageError(
            f"the picture has bands {', '.join(picture.getbands())}; this model takes {like.input.shape}: give a TIFF "
            "with as many samples or pages, or an array as .npy"
        )
    return _bands_of_pixels(pixels, path)


def _has_bands(tiff: Path) -> bool:
    """Whether a TIFF holds several pages, of which Pillow gives the first alone, or samples that it cannot read."""
    try:
        with opened_picture(tiff) as picture, decoding(tiff):
            return picture.format == "TIFF" and has_frames(picture)
    except ImageError as error:
        return isinstance(error.__cause__, SyntaxError)


def _bands_of_pixels(pixels: Pixels, path: Any) -> Pixels:
    return as_bands(pixels, InputSpec((pixels.shape[2], *pixels.shape[:2])), path)


def _fit_bands(bands: Pixels, target: _Target, path: Any) -> Pixels:
    """Bands (C, H, W) at the size, band by band as pictures are.

    Raises:
        ImageError: a volume of another size.
    """
    spec = target.spec
    if not spec.is_volume:
        target.record(_file(path), (bands.shape[1], bands.shape[2]))
    if spec.is_volume:
        if not all(n in {None, m} for m, n in zip(bands.shape[1:], spec.shape[1:], strict=True)):
            place = "the array" if path is None else f"'{path}'"
            raise ImageError(f"{place} holds a volume {bands.shape}; this model takes {spec.shape}: resample it")
        return bands
    if target.size in {None, bands.shape[1:]} and target.crop is None:
        return bands
    return np.stack([np.asarray(target.fit(Image.fromarray(band))) for band in bands]).clip(0, 1)


def _flatten_on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def save_image(image: Pixels, path: str | Path, bounds: tuple[float, float] = (0.0, 1.0)) -> Path:
    """Write one picture: (H, W, 3) uint8, or (C, H, W) or (1, C, H, W) within `bounds`.

    One channel is written grey and three in their colours; others as `crosslens.image.false_colour` shows them.

    Raises:
        ImageError: the folder does not exist, or the suffix is not a picture's.
    """
    path = Path(path)
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8:
        chw = pixels[0] if pixels.ndim == 4 else pixels
        pixels = as_pixels(chw, bounds)[..., : 1 if chw.shape[0] == 1 else 3]
    try:
        form = Image.registered_extensions()[path.suffix.lower()]
        content = encode_picture(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, form)
    except KeyError as error:
        raise ImageError(f"cannot write '{path}': unknown file extension: {path.suffix}; use .png") from error
    except (ValueError, OSError) as error:
        raise ImageError(f"cannot write '{path}': {error}; use .png") from error
    return write_bytes(path, content)
