"""The preprocessing of a network of which nobody says what it was trained on: none where it gives pictures."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import CrosslensError, ParameterError
from ..execution.notices import notice
from ..metadata.origin import Origin
from ..model.base import OUTPUT, Model
from ..model.output.picture_output import could_be_picture

__all__ = ["if_picture", "tell_of_picture", "with_default_preprocessing"]

Make = Callable[[Mapping[str, Any], Origin], Model]


def with_default_preprocessing(make: Make, options: Mapping[str, Any], origin: Origin) -> Model:
    """A network wrapped with options; where these hold the default preprocessing and it gives pictures, without one.

    Args:
        make: wraps it with options of `crosslens.wrap`, and where they come from.
        options: all of them.
        origin: where they come from.

    Raises:
        ParameterError: it takes images of other than three channels and gives no pictures.
    """
    if origin.preprocess != "default" or options["output_kind"] == "maps" or options["labels"] is not None:
        return make(options, origin)
    try:
        model = make(options, origin)
    except ParameterError:
        if (plain := _of_pictures(make, options, origin)) is None:
            raise
        return plain
    return (_of_pictures(make, options, origin) or model) if _could_be(model) else model


def _could_be(model: Model) -> bool:
    shape = model.layers[OUTPUT].shape[1:]
    return model.takes_default_preprocessing and could_be_picture(model.input, shape)


def _of_pictures(make: Make, options: Mapping[str, Any], origin: Origin) -> Model | None:
    """The network without preprocessing, if it gives pictures."""
    try:
        model = make({**options, "preprocess": None}, replace(origin, preprocess="picture"))
        return model if model.output.kind == "image" else None
    except CrosslensError:  # it does not run on noise, or another option is wrong, which the first attempt tells
        return None


def tell_of_picture(model: Model, name: str) -> None:
    """Tell that a network has no preprocessing because it gives pictures, and what to give if it does not."""
    if model.origin.preprocess == "picture":
        notice(
            f"{name}: preprocess= is not given, and its output is a picture, {model.output.evidence}: none is taken. "
            'Give what the network was trained on, preprocess="imagenet" for example; if the output is maps of '
            f'{model.output.shape[0]} classes, output_kind="maps" too; crosslens.attach writes both into its file'
        )


def if_picture(model: Model) -> str:
    """What to give where maps, for whose network the default was taken, are a picture; "" where they cannot be one."""
    if model.output_kind is not None or model.labels is not None or not _could_be(model):
        return ""
    count = model.layers[OUTPUT].shape[1]
    return f'; if it is a picture and not maps of {count} classes, output_kind="image"'
