"""The side file: metadata beside a model whose format has no place for it, net.keras.crosslens.json of net.keras."""

from pathlib import Path

from ..errors import ModelError
from .metadata import Metadata, metadata_from_json
from .preprocess_json import read_json

__all__ = ["read_side_file", "side_file"]


def side_file(model: Path) -> Path:
    """The path of a model's side file: within the folder of a SavedModel, beside a file."""
    return model / "crosslens.json" if model.is_dir() else model.with_name(f"{model.name}.crosslens.json")


def read_side_file(model: Path) -> Metadata | None:
    """What a model's side file says; None without one.

    Raises:
        ModelError: it is damaged, too large, or not of crosslens.
    """
    path = side_file(model)
    if not path.is_file():
        return None
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot read what '{path}' says of '{model}': {error}. Delete it, or write it anew with "
            f"`crosslens attach {model} --clear ...`"
        ) from error
    return metadata_from_json(content, f"'{path}'")
