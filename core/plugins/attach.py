"""`crosslens.attach`: write into a model's file what `crosslens.wrap` must know of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import ModelError, ParameterError
from ..model.preprocessing import Preprocess
from .carried import metadata_of, read_metadata, with_metadata, write_metadata
from .wrap import UNASKED, check_options, is_asked, wrap_native

__all__ = ["attach"]

_CARRIED = ("preprocess", "labels", "bounds", "input_shape", "output_kind")


def attach(
    path: str | Path,
    *,
    preprocess: str | Path | Preprocess | Mapping[str, Any] | None = UNASKED,
    labels: Sequence[str] | None = None,
    bounds: tuple[float, float] | None = None,
    input_shape: Sequence[int | None] | None = None,
    output_kind: str | None = None,
    clear: bool = False,
    **opening: Any,
) -> Path:
    """Write into a model's file what `wrap` must know of it, so that nobody has to say it again.

    An .onnx file carries it in itself; a side file of JSON does for others, `net.keras.crosslens.json` beside
    `net.keras`, `crosslens.json` in a SavedModel folder. What the file says already and is not given here stays. The
    model is opened with it first, so that what does not fit is refused. Files are written whole or not at all.

    `crosslens.attach("net.onnx", preprocess="mean=.485/.456/.406,std=.229/.224/.225", labels=["cat", "dog"])`

    Args:
        path: the model's file or folder.
        preprocess: as in `wrap`, in any form; it is written in numbers.
        labels: as in `wrap`.
        bounds: as in `wrap`.
        input_shape: as in `wrap`, for images and volumes.
        output_kind: as in `wrap`.
        clear: forget what the file said before; alone it removes it.
        opening: other options of `wrap` that the model needs to be opened, trust=True for example; not written.

    Returns:
        The file that was written: the model's own or the side file.

    Raises:
        ModelError: there is no such model, it cannot be opened with this, or the file cannot be written.
        ParameterError: nothing is given, or a preprocessing that there is not.
    """
    if not isinstance(path, str | PathLike):
        raise ModelError(f"attach writes into a model's file, or beside it: give its path, not a {type(path).__name__}")
    path = Path(path)
    options: dict[str, Any] = {"preprocess": preprocess, "labels": labels, "bounds": bounds}
    options |= {"input_shape": input_shape, "output_kind": output_kind}
    asked = {name: value for name, value in options.items() if is_asked(name, value)}
    if not asked and not clear:
        raise ParameterError(
            "there is nothing to attach: give preprocess=, labels=, bounds=, input_shape= or output_kind="
        )
    if not asked:
        return write_metadata(path, None)
    options = check_options({**options, **opening})
    before = None if clear else read_metadata(path)
    options, origin = with_metadata(before, options, asked)
    said = {name: options[name] for name in _CARRIED if is_asked(name, options[name])}
    model = wrap_native(path, {**options, "preprocess": said.get("preprocess")}, origin)
    style = before.style if before else None
    if style and "input_shape" not in asked:
        said.pop("input_shape", None)  # a decoder's, which follows from its description
    return write_metadata(path, replace(metadata_of(said, model.input.bounds), style=style))
