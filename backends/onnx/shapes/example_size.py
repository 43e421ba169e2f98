"""The error message of a network of free image sizes that fails at the size that crosslens tries."""

from collections.abc import Iterator
from contextlib import contextmanager

from crosslens.errors import ModelError
from crosslens.model import InputSpec

__all__ = ["example_size_errors"]


@contextmanager
def example_size_errors(spec: InputSpec) -> Iterator[None]:
    """Turn a `ModelError` inside the `with` block into one that names the image size that was tried.

    Raises:
        ModelError: names the size and the option that sets another.
    """
    try:
        yield
    except ModelError as error:
        if not spec.is_image or None not in spec.shape:
            raise
        tried = " x ".join(str(n) for n in spec.example_shape[1:])
        usual = (3, *(16,) * (len(spec.shape) - 3), 48, 320)
        example = tuple(n or free for n, free in zip(spec.shape, usual, strict=True))
        raise ModelError(
            f"the network cannot run on an image of {tried} pixels (height x width), which is tried where a file "
            f"allows any size: say which it takes, for example input_shape={example}"
        ) from error
