"""Pictures with label maps: a source of pictures, and what their pixels are labelled as."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

from ....arrays import Array
from ....errors import ImageError
from ....image.fitting import Fitting
from ....image.loading import loading_records
from ....model.base import Model
from ...concepts import Concepts
from ...source import Failure, Samples, Source
from ..one_by_one import joined_images
from .label_maps import LabelMaps, fit_planes

__all__ = ["ConceptSource"]

PROBED = 16
"""Pictures, spread over the source, whose labels are read before any work."""


class ConceptSource(Source):
    """The images of another source, with their label maps in `record["concepts"]`, resized as the images are.

    A picture whose labels cannot be read, or have another size, is a failure, as one that cannot be read itself.
    """

    def __init__(self, pictures: Source, maps: LabelMaps, *, reads_maps: bool = True) -> None:
        self.pictures = pictures
        """The images without labels."""
        self._maps = maps
        self._reads_maps = reads_maps

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        return f"<ConceptSource: {str(self.pictures).strip('<>')}; {str(self.concepts).strip('<>')}>"

    @property
    def concepts(self) -> Concepts:
        """What the numbers in the label maps mean."""
        return self._maps.concepts

    @property
    def ids(self) -> Sequence[str]:
        return self.pictures.ids

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.pictures.notes, *self._maps.notes)

    @cached_property
    def digest(self) -> str:
        """A hash of the images, of the names of concepts, and of all labels."""
        names = f"{self.concepts.names}{self.concepts.categories}\0{self.pictures.digest}"
        state = blake2b(names.encode(), digest_size=16)
        for index in range(len(self)):
            state.update(f"{self._maps.label(index)}\0".encode(errors="surrogateescape"))
            state.update(self._maps.digest(index))
        return state.hexdigest()

    def images_only(self) -> Source:
        """The pictures with their classes, and no label maps: what cannot be read of these is no failure."""
        return ConceptSource(self.pictures, self._maps, reads_maps=False) if self._reads_maps else self

    def check(self, model: Model) -> None:
        self.pictures.check(model)
        if not self._reads_maps:
            return
        if model.input.is_volume:
            raise ImageError(f"{self} labels pixels (H, W), and this model takes volumes {model.input.shape}")
        count = min(PROBED, len(self))
        probed = sorted({n * (len(self) - 1) // max(count - 1, 1) for n in range(count)})
        reasons = [each.reason for n in probed for each in self.read(n, n + 1, model).failures]
        if 2 * len(reasons) > len(probed):
            raise ImageError(f"{len(reasons)} of {len(probed)} images that were tried cannot be used: {reasons[0]}")

    def read(self, start: int, stop: int, model: Model) -> Samples:
        images, records, failures = dict[int, Array](), list[Mapping[str, Any]](), list[Failure]()
        for index in range(start, stop):
            samples = self.pictures.read(index, index + 1, model)
            failures.extend(samples.failures)
            if not samples.ids:
                continue
            try:
                record = {**samples.records[0], **self._record(index, samples.images)}
            except ImageError as error:
                failures.append(Failure(index, self.ids[index], str(error)))
                continue
            images[index] = samples.images
            records.append(record)
        ids = tuple(self.ids[index] for index in images)
        return Samples(tuple(images), ids, joined_images(list(images.values())), tuple(records), tuple(failures))

    def _record(self, index: int, image: Array) -> Mapping[str, Any]:
        label = self._maps.label(index)
        found: dict[str, Any] = {} if label is None else {"label": label}
        if self._reads_maps:
            own, fitting = _geometry(image)
            found["concepts"] = fit_planes(self._maps.planes(index, own), own, fitting)
        return found


def _geometry(image: Array) -> tuple[tuple[int, int], Fitting]:
    """The picture's own size, and how it became this image (1, C, H, W); as it was where nothing is recorded."""
    height, width = (int(n) for n in image.shape[2:])
    loaded = loading_records(image)
    if not loaded or loaded[0] is None:
        return (height, width), Fitting((height, width), (height, width))
    own, resized = (tuple(loaded[0][name]) for name in ("size", "resized"))
    return own, Fitting(resized, (height, width))
