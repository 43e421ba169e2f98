"""Which pictures a user means by files, folders and patterns, and a name for each that no other one has."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from hashlib import blake2b
from pathlib import Path, PurePath

from ..data.sources.picture_files import SUFFIXES
from ..data.sources.picture_folder import PictureFolder
from ..errors import ImageError
from ..image.multiband import ARRAYS

__all__ = ["PictureFile", "find_pictures", "is_pattern"]


@dataclass(frozen=True)
class PictureFile:
    """One of many pictures."""

    path: Path
    name: str
    """What its outputs are called, without a suffix, with forward slashes: "cat/1" of photos/cat/1.jpg."""
    folder: str | None = None
    """The first sub-folder on its path, which counts as its label where pictures are sorted into folders."""

    def digest(self) -> str:
        """A hash of the file's bytes; empty where it cannot be read."""
        try:
            return blake2b(self.path.read_bytes(), digest_size=16).hexdigest()
        except OSError:
            return ""


def is_pattern(place: str | Path) -> bool:
    """Whether it is a pattern like photos/*.jpg, which the shell did not replace, and no file's own name."""
    return has_magic(str(place)) and not Path(place).exists()


def find_pictures(
    places: str | Path | Iterable[str | Path], outputs: str | Path | None = None
) -> tuple[PictureFile, ...]:
    """The pictures of files, folders and patterns, each once.

    Of a folder all pictures, those of its sub-folders included, sorted by path (`crosslens.data`). A pattern is
    "photos/*.jpg" or, with sub-folders, "photos/**/*.jpg". Files that are named are taken whether they exist or not.

    Args:
        places: one of them, or several.
        outputs: the folder that is written to: what it holds is left out where it lies in a folder that is read.

    Raises:
        ImageError: a folder without pictures, a pattern that no picture fits, or nothing at all; or pictures are to be
            written into the folder that they are read from.
    """
    several = [places] if isinstance(places, str | Path) else list(places)
    found = {}
    for place in several:
        written = _inside(outputs, place)
        for path, inside in _pictures_in(place):
            if written is None or not path.resolve().is_relative_to(written):
                found[os.path.abspath(path)] = path, inside
    if not found:
        raise ImageError("no picture is named: give files, folders, or a pattern such as 'photos/*.jpg'")
    paths, insides = zip(*found.values(), strict=True)
    return tuple(
        PictureFile(path, name, _label(inside))
        for path, inside, name in zip(paths, insides, _names(paths, insides), strict=True)
    )


def _inside(outputs: str | Path | None, place: str | Path) -> Path | None:
    """The folder of outputs where it lies in this place; None elsewhere."""
    if outputs is None or not Path(place).is_dir():
        return None
    written, read = Path(outputs).resolve(), Path(place).resolve()
    if written == read:
        raise ImageError(
            f"'{place}' is read and written to, so that the next call would take outputs for pictures; write to "
            f"another folder, such as '{Path(place, 'out')}'"
        )
    return written if written.is_relative_to(read) else None


def _pictures_in(place: str | Path) -> Iterator[tuple[Path, str | None]]:
    """Paths, and for those in a folder the part of the path inside it."""
    if Path(place).is_dir():
        yield from ((Path(place, inside), inside) for inside in PictureFolder(place).ids)
    elif is_pattern(place):
        files = sorted(Path(each) for each in glob(str(place), recursive=True) if Path(each).is_file())
        fitting = [path for path in files if path.suffix.lower() in SUFFIXES | ARRAYS]
        if not fitting:
            raise ImageError(
                f"no picture fits the pattern '{place}'; files that end in {', '.join(sorted(SUFFIXES))} count"
            )
        yield from ((path, None) for path in fitting)
    else:
        yield Path(place), None


def _label(inside: str | None) -> str | None:
    folder, slash, _ = (inside or "").partition("/")
    return folder if slash else None


def _names(paths: Sequence[Path], insides: Sequence[str | None]) -> list[str]:
    """File names, of folders the path inside; where two are the same, the path from the folder that holds all."""
    short = [inside or path.name for path, inside in zip(paths, insides, strict=True)]
    if len({name.casefold() for name in short}) == len(short):
        return _stems(short)
    absolute = [os.path.abspath(path) for path in paths]
    root = os.path.commonpath([os.path.dirname(path) for path in absolute])
    return _stems([PurePath(os.path.relpath(path, root)).as_posix() for path in absolute])


def _repeated(names: Iterable[str]) -> set[str]:
    """The stems that several of the names have, in lower case: some disks know no other."""
    counts = Counter(_stem(name).casefold() for name in names)
    return {stem for stem, count in counts.items() if count > 1}


def _stem(name: str) -> str:
    return PurePath(name).with_suffix("").as_posix()


def _stems(names: Sequence[str]) -> list[str]:
    """The names without suffix; with it where two differ by it alone, 1.jpg and 1.png."""
    repeated = _repeated(names)
    stems = [name if _stem(name).casefold() in repeated else _stem(name) for name in names]
    return stems if len({stem.casefold() for stem in stems}) == len(stems) else list(names)
