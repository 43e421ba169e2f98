"""What a network's inputs beside the image hold: the style network's shares by default, and how to change them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..arrays import array_digest
from ..errors import ModelError, did_you_mean
from ..metadata.recipe import rebuild
from .base import Model

__all__ = ["STYLE_WEIGHTS", "hold_style_weights", "with_inputs"]

STYLE_WEIGHTS = "style_weights"
"""The input of a network of many styles that holds a share for each (Dumoulin et al. 2017), with a sum of 1."""
_last_made: "WeakKeyDictionary[Model, tuple[Any, Model]]" = WeakKeyDictionary()
"""By model the values that were asked for last, and the copy that holds them: pictures come one after the other."""


def hold_style_weights(held: dict[str, Any] | None, shapes: Mapping[str, Sequence[Any] | None]) -> None:
    """Let `style_weights` hold equal shares, in place, where nothing is given for it: backends call this.

    Args:
        held: what is given for the other inputs, by name, as the option `inputs` of `crosslens_wrap` has it.
        shapes: of the network's inputs by name, the batch's axis included; an axis of any size is no int.
    """
    shape = shapes.get(STYLE_WEIGHTS)
    if held is None or STYLE_WEIGHTS in held or not shape or len(shapes) < 2:
        return
    if isinstance(styles := shape[-1], int) and styles > 0:
        held[STYLE_WEIGHTS] = np.full(styles, 1 / styles, np.float32)


def with_inputs(model: Model, values: Mapping[str, Any]) -> Model:
    """The same network with other values for some of its inputs beside the image; the model is made again.

    Args:
        model: what `crosslens.wrap` gave for a network of several inputs.
        values: what these inputs hold now, by name; the others keep what they hold.

    Raises:
        ModelError: the network has no such input beside the image, or the model cannot be made again.
    """
    for name in values:
        if name not in model.fixed_inputs:
            known = ", ".join(model.fixed_inputs) or "none"
            raise ModelError(
                f"this model has no input {name!r} beside the image, only {known}"
                f"{did_you_mean(name, model.fixed_inputs)}"
            )
    if model.recipe is None:
        raise ModelError(
            f"this model is of an object that cannot be wrapped again with another {next(iter(values), 'input')}: wrap "
            "its file, or the object with inputs={...} as they should be"
        )
    key = tuple((name, array_digest(np.asarray(value))) for name, value in sorted(values.items()))
    before = _last_made.get(model)
    if before is not None and before[0] == key:
        before[1].follow_weights()
        return before[1]
    inputs = {**model.fixed_inputs, **values}
    recipe = replace(model.recipe, options={**model.recipe.options, "inputs": inputs})
    made: Model = rebuild(recipe, model._settings())
    _last_made[model] = key, made
    return made
