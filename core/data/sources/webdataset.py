"""Tar files in the layout of webdataset (https://github.com/webdataset/webdataset): read from where members lie.

Members whose names share all that stands before the first point are one sample: 0001.jpg and 0001.cls. Only members
with the ending of a picture or a label are ever read; nothing is unpacked, and nothing is unpickled.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from os import SEEK_END
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ...image.decoding import decode_picture
from ...limits.memory import check_memory, readable_size
from ...model.base import Model
from ...reading.text_file import parse_json
from ...result.display import counted
from .picture_files import Pictures
from .records import as_label, different
from .tar_index import LABELS, Part, TarSample, tar_samples
from .unchanged import OfFiles

__all__ = ["TarFiles"]

MOST_OF_LABEL = 1 << 20
"""Bytes of a member that holds a label, at most."""
NAMED = 8
"""Endings of members that are left out which a note names."""


class TarFiles(OfFiles, Pictures):
    """The pictures of tar files in the layout of webdataset, in the order of the files and of their members.

    Ids are webdataset's keys, "train/0001" of train/0001.jpg; FILE.tar:KEY where files hold the same keys. A record
    holds {"label": ...} where a member .cls (a number or a name) or .json (an object with "label" or "cls") lies beside
    it. Making it reads the headers of all members; the digest reads pictures and labels once.
    """

    def __init__(self, files: Sequence[str], *, resize: str | None = None, crop: float | None = None) -> None:
        super().__init__(resize, crop)
        self._named = tuple(files)
        self._paths = tuple(Path(file).absolute() for file in files)
        self._remember_files(self._paths)
        left_out, notes = Counter[str](), list[str]()
        samples = list[TarSample]()
        for number, path in enumerate(self._paths):
            found, note = tar_samples(path, number, left_out)
            samples += found
            notes += [note] * bool(note)
        if not samples:
            raise ImageError(
                f"{self._text()} holds no pictures: webdataset's layout is 0001.jpg, 0001.cls, 0002.jpg, ...; it holds "
                f"{_counts(left_out) or 'nothing'}"
            )
        if left_out:
            notes.append(
                f"members of {self._text()} that are neither pictures nor labels are left out: " + _counts(left_out)
            )
        self._samples, self._notes = tuple(samples), tuple(notes)
        self.left_out: Mapping[str, int] = dict(left_out)
        """How many members were left out, by ending."""
        keys = [each.key for each in samples]
        if len(set(keys)) < len(keys) and len(self._paths) > 1:
            names = different(path.name for path in self._paths)
            keys = [f"{names[each.tar]}:{each.key}" for each in samples]
        self._ids = different(keys)

    def __len__(self) -> int:
        return len(self._samples)

    def __repr__(self) -> str:
        return f"<TarFiles {self._text()}: {counted(len(self), 'picture')}>"

    def _text(self) -> str:
        more = f" and {len(self._named) - 1} more" if len(self._named) > 1 else ""
        return f"'{self._named[0]}'{more}"

    @property
    def ids(self) -> Sequence[str]:
        return self._ids

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def _image(self, index: int, model: Model) -> Any:
        return self._fitted(decode_picture(self._content(self._picture(index)), self._ids[index]), model)

    def _picture(self, index: int) -> Part:
        parts = self._samples[index].plain_pictures
        if len(parts) > 1:
            raise ImageError(
                f"'{self._ids[index]}' has {len(parts)} pictures, {', '.join(part.ending for part in parts)}; a sample "
                "has one"
            )
        return parts[0]

    def _content(self, part: Part) -> bytes:
        path = self._paths[part.tar]
        if part.ending in LABELS and part.size > MOST_OF_LABEL:
            raise ImageError(f"a member {part.ending} of '{path}' has {readable_size(part.size)}, which no label has")
        try:
            with path.open("rb") as file:
                if part.offset + part.size > file.seek(0, SEEK_END):
                    raise ImageError(f"'{path}' ends within this picture: the file is cut off, or has changed")
                check_memory(part.size, f"a member {part.ending} of '{path}'", "give smaller pictures")
                file.seek(part.offset)
                return file.read(part.size)
        except OSError as error:
            raise ImageError(f"cannot read '{path}': {error.strerror}") from error

    def _record(self, index: int) -> Mapping[str, Any]:
        labels = self._samples[index].labels
        for ending, part in labels.items():
            label = _label(ending, self._content(part), self._ids[index])
            if label:
                return {"label": label}
        return {}

    def _digested_label(self, index: int) -> str:
        try:
            return super()._digested_label(index)
        except ImageError as error:
            return f"{error}\0"

    def _content_digest(self, index: int) -> bytes:
        try:
            return blake2b(self._content(self._picture(index)), digest_size=16).digest()
        except ImageError:
            return b""


def _counts(left_out: "Counter[str]") -> str:
    said = [f"{count} {ending}" for ending, count in left_out.most_common(NAMED)]
    return ", ".join(said) + ", ..." * (len(left_out) > NAMED)


def _label(ending: str, content: bytes, name: str) -> str | None:
    """The label in a member; None where a JSON object has none."""
    try:
        text = content.decode("utf-8").strip()
        if ending == ".cls":
            return text
        values = parse_json(text)
    except ValueError as error:
        raise ImageError(f"the member {ending} of '{name}' is not a label that can be read ({error})") from error
    found = values if isinstance(values, dict) else {"label": values}
    label = next((found[key] for key in ("label", "cls", "class") if key in found), None)
    return as_label(label) if isinstance(label, str | int | float) else None
