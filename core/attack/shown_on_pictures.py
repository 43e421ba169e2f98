"""What results of attacks share: the names of classes, and a picture beside the file that shows them at work."""

from abc import abstractmethod
from pathlib import Path

from ..arrays import Array
from ..files.whole_file import whole_file
from ..result.display import Pixels
from ..result.formats import PICTURES, suffix_of, write_picture
from ..result.saved import Saved

__all__ = ["NamesClasses", "ShownOnPictures"]


class NamesClasses:
    """A result that holds the names of a network's classes."""

    labels: tuple[str, ...]
    """None where the model has none."""

    def label(self, number: int) -> str:
        """The name of a class, or its number."""
        return self.labels[number] if 0 <= number < len(self.labels) else f"class {number}"


class ShownOnPictures(NamesClasses, Saved):
    """A result that is one for many pictures, and holds some that took no part in making it."""

    examples: Array
    """(M, C, H, W), or None."""

    @abstractmethod
    def on_pictures(self) -> Pixels:
        """Held-out pictures without it and with it, (H, W, 3)."""

    def save(self, path: str | Path, form: str | None = None, *, scale: int | None = None, quality: int = 95) -> Path:
        """As `Result.save`; beside a picture of it `name-on-pictures` shows it in held-out pictures."""
        saved = super().save(path, form, scale=scale, quality=quality)
        if suffix_of(saved) in PICTURES and self.examples is not None:
            beside = saved.with_name(f"{saved.stem}-on-pictures{saved.suffix}")
            with whole_file(beside) as temporary, temporary.open("wb") as file:
                write_picture(self.on_pictures(), suffix_of(saved), file, quality)
        return saved
