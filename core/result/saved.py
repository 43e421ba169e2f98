"""`Saved`: results as pictures, and as files or bytes: pictures, animations, and `.npz`, which holds everything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import IO, Any, ClassVar, Self

from ..errors import ImageError, ParameterError
from ..files.whole_file import whole_file
from ..image.video import save_animation
from .display import Pixels, enlarged, visible_factor
from .formats import PICTURES, animation, suffix_of, write_everything, write_picture

__all__ = ["Saved"]


@dataclass(frozen=True)
class Saved:
    """What can be shown, saved, and read back."""

    _kind: ClassVar[str] = "result"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".gif", ".mp4", ".npz")
    _choices: ClassVar[str] = (
        ".png, .jpg or .webp for a picture, .gif, .webp or .mp4 for an animation, .npz for everything"
    )
    """What it can be saved as, in words."""
    _array_prefixes: ClassVar[Mapping[str, str]] = {}
    """What the names of a field's arrays begin with in a saved file, where that is not the field's name."""

    def picture(self) -> Pixels:
        """(H, W, 3), uint8: what `save` writes as `.png`, one pixel for each of the images'.

        Raises:
            ImageError: this kind of result has no picture.
        """
        raise ImageError(f"a {type(self).__name__} has no picture; save it as .npz")

    def frames(self) -> list[Pixels]:
        """Pictures (H, W, 3), uint8, to be shown one after the other.

        Raises:
            ImageError: this result is not a sequence of pictures.
        """
        raise ImageError(f"{self} makes no animation; save it as .png, .jpg, .webp or .npz")

    def saved_fields(self) -> Mapping[str, Any]:
        """The fields as a saved file holds them: arrays, numbers, text, and tuples, lists, mappings of these.

        Override it and `from_saved` where a field is an object of another kind.
        """
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Self:
        """The result that gave these `saved_fields`."""
        return cls(**saved)

    def save(self, path: str | Path, form: str | None = None, *, scale: int | None = None, quality: int = 95) -> Path:
        """Write the result; the suffix says as what, in small or capital letters.

        `.png`, `.jpg` and `.webp`: a picture. `.npz`: everything, which `crosslens.load` gives back: raw values, raw
        images, provenance. `.gif`, `.webp` and `.mp4`: the pictures made, where there are several, one after the other.

        Args:
            path: the file; its folder must exist.
            form: how maps are drawn, see `result.display.FORMS`.
            scale: pixels of the file for one of the images', a whole number. If not given, small images are enlarged
                until their longer side is about 224, so that they can be seen; images that a method made (`Synthesis`)
                are written pixel for pixel.
            quality: of `.jpg` and `.webp`, 1 to 100.

        Raises:
            ImageError: another suffix, or a file that cannot be written.
            ParameterError: another form, or options of pictures for another file.
        """
        path = Path(path)
        suffix = self._suffix(path)
        self._check_drawing(suffix, form, scale, quality)
        if self._moves(suffix):
            return save_animation(self.frames(), path)
        with whole_file(path) as temporary, temporary.open("wb") as file:
            self._write(file, suffix, form, scale, quality)
        return path

    def save_into(self, folder: Path) -> Sequence[Path]:
        """Write what a survey's folder has of this result beside `result.npz`: sheets, tables. Here nothing.

        Override it. Equal results must give files of the same bytes, so nothing in them says when they were written.

        Args:
            folder: of this result alone; it exists.

        Returns:
            The files written, the one to look at first in front.

        Raises:
            CrosslensError: a file cannot be written, or a package is missing that writes it.
        """
        return []

    def encode(self, suffix: str, form: str | None = None, *, scale: int | None = None, quality: int = 95) -> bytes:
        """The bytes of the file that `save` would write; parameters and errors are its own.

        Args:
            suffix: ".png" for example, or a file's name.
            form, scale, quality: as for `save`.
        """
        suffix = self._suffix(suffix)
        self._check_drawing(suffix, form, scale, quality)
        if self._moves(suffix):
            return animation(self.frames(), suffix)
        file = BytesIO()
        self._write(file, suffix, form, scale, quality)
        return file.getvalue()

    def _write(self, file: IO[bytes], suffix: str, form: str | None, scale: int | None, quality: int) -> None:
        if suffix == ".npz":
            write_everything(self, file)
        else:
            pixels = self._drawing(form)
            write_picture(enlarged(pixels, scale or self._scale(pixels)), suffix, file, quality)

    def _drawing(self, form: str | None) -> Pixels:
        if form is not None:
            raise ParameterError(f"form is how maps are drawn, and a {type(self).__name__} is none; leave it out")
        return self.picture()

    def _tiles(self) -> int:
        """How many pictures of one size `picture` shows side by side."""
        return 1

    def _scale(self, pixels: Pixels) -> int:
        """Pixels of a file for one of the picture's, where nothing else is asked for."""
        return visible_factor(pixels, self._tiles())

    def _moves(self, suffix: str) -> bool:
        """Whether such a file is an animation."""
        return suffix in {".gif", ".mp4"}

    def _suffix(self, path: str | Path) -> str:
        suffix = suffix_of(path)
        if suffix not in self._suffixes:
            raise ImageError(f"cannot save a {self._kind} as {Path(path).name!r}; use {self._choices}")
        return suffix

    def _check_drawing(self, suffix: str, form: str | None, scale: int | None, quality: int) -> None:
        """Refuse options that such a file cannot follow."""
        if not 1 <= quality <= 100:
            raise ParameterError(f"quality is {quality}; give a whole number from 1 to 100")
        if scale is not None and (isinstance(scale, bool) or not isinstance(scale, int) or scale < 1):
            raise ParameterError(f"scale is {scale!r}; give a whole number of pixels, at least 1")
        asked = [name for name, value in (("form", form), ("scale", scale)) if value is not None]
        if asked and (suffix not in PICTURES or self._moves(suffix)):
            raise ParameterError(
                f"{' and '.join(asked)}= is for pictures, {', '.join(PICTURES)}; '{suffix}' holds no drawing"
            )
