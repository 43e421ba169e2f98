"""What a backend says of a network's receptive fields: how the values of each layer depend on the pixels."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable
from weakref import WeakKeyDictionary

from ..model.base import Model
from .dependence import Dependence

__all__ = ["Fields", "NoFieldsError", "SupportsFields", "fields_of"]

Fields: TypeAlias = Mapping[str, Dependence]
"""By layer, channels-first as activations are; layers that depend on no pixel are left out."""


class NoFieldsError(Exception):
    """A backend cannot follow what a network's layers depend on; the message says why."""


@runtime_checkable
class SupportsFields(Protocol):
    """A backend's model that can follow its operators; of a model without this method gradients tell some of it."""

    def receptive_fields(self, shape: tuple[int, ...]) -> Fields:
        """How the layers depend on the pixels of an image.

        Args:
            shape: (C, H, W) of the image, or (C, D, H, W).

        Raises:
            NoFieldsError: the network's operators cannot be listed; the message says why.
        """
        ...


_KNOWN: "WeakKeyDictionary[Model, dict[tuple[int, ...], Fields | str]]" = WeakKeyDictionary()


def fields_of(model: Model, size: tuple[int, ...] | None = None) -> tuple[Fields, str]:
    """What the layers of a network depend on, kept for each size; and "", or the reason why that is not known.

    Args:
        model: any network of images.
        size: (H, W) or (D, H, W) of the image in pixels; None: that of `model.input.example_shape`.
    """
    shape = (model.input.example_shape[0], *(size or model.input.example_shape[1:]))
    known = _KNOWN.setdefault(model, {})
    if shape not in known:
        known[shape] = _asked(model, shape)
    value = known[shape]
    return ({}, value) if isinstance(value, str) else (value, "")


def _asked(model: Model, shape: tuple[int, ...]) -> Fields | str:
    if not isinstance(model, SupportsFields):
        return f"the {model.backend} backend does not list a network's operators"
    try:
        return model.receptive_fields(shape)
    except NoFieldsError as error:
        return str(error)
