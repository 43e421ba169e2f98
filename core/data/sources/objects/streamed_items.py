"""Data sets that can only be read from the beginning, in order, as TensorFlow's pipelines: one pass, kept open."""

from collections.abc import Iterator
from typing import Any

from ....errors import ImageError, ParameterError
from ..contents import is_array
from .items import Items, image_and_label

__all__ = ["StreamedItems"]


class StreamedItems(Items):
    """The elements of a pipeline in order, batches of it image by image. Ids are "0", "1", ...

    An element is found by reading on to it: images in order cost one pass, others each a pass from the beginning.
    A pipeline of batches is counted by a pass.
    """

    def __init__(self, items: Any, *, resize: str | None = None, crop: float | None = None) -> None:
        count = int(items.cardinality())
        if count < 0:
            what = "no end" if count == -1 else "an unknown number of elements"
            raise ImageError(
                f"this {type(items).__name__} has {what}: take a part of it, data.take(1000), leave repeat() out, or "
                "say how many there are with assert_cardinality"
            )
        if not count:
            raise ImageError(f"this {type(items).__name__} holds no images")
        self._stream: Iterator[Any] | None = None
        self._next = 0
        self._batched = False
        self._count = count
        self._pipeline = items
        self._batched = _is_batch(image_and_label(next(self._elements()))[0].shape)
        if self._batched:
            self._count = sum(1 for _ in self._images())
        super().__init__(items, resize=resize, crop=crop)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.made_by is None:
            raise ParameterError(
                f"{self} cannot be sent to another process: write a function of a module that returns it, and give its "
                "name, crosslens.data('module:function')"
            )
        return super().__reduce__()

    def __len__(self) -> int:
        return self._count

    def _elements(self) -> Iterator[Any]:
        return iter(self._pipeline.as_numpy_iterator())

    def _images(self) -> Iterator[Any]:
        """Every image with its label, those of batches one by one."""
        for element in self._elements():
            if not self._batched:
                yield element
                continue
            image, label = image_and_label(element)
            labels = label if is_array(label) and len(label) == len(image) else [None] * len(image)
            yield from zip(image, labels, strict=True)

    def _forget(self) -> None:
        super()._forget()
        self._stream = None

    def _read_item(self, index: int) -> Any:
        if self._stream is None or index < self._next:
            self._stream, self._next = self._images(), 0
        while True:
            self._next += 1
            try:
                item = next(self._stream)
            except StopIteration as error:
                self._stream = None
                raise ImageError(f"the data set ended before image {index} of {self._count}") from error
            if self._next > index:
                return item


def _is_batch(shape: Any) -> bool:
    """Whether an array of this shape holds several images: (N, H, W, C), (N, C, H, W) or (N, H, W)."""
    return len(shape) == 4 or (len(shape) == 3 and not {1, 3, 4} & {shape[0], shape[2]})
