"""Check that models can be compared: they take the same images and have the same outputs."""

from collections.abc import Mapping
from typing import Any

from ..errors import ComparisonError
from ..model.base import OUTPUT, Model

__all__ = ["refuse_different_inputs", "refuse_different_outputs"]


def refuse_different_inputs(models: Mapping[str, Model]) -> None:
    """Refuse models that take images of different sizes, channels or bounds.

    Raises:
        ComparisonError: the message says what can be done about it.
    """
    bounds = {name: model.input.bounds for name, model in models.items()}
    if len(set(bounds.values())) > 1:
        raise ComparisonError(
            f"the models take images in different ranges: {_in_words(bounds)}; wrap them with the same bounds= "
            "(--input-range): a preset of preprocess= maps any range to its own"
        )
    shapes = {name: model.input.example_shape for name, model in models.items()}
    if len(set(shapes.values())) == 1:
        return
    channels = {shape[0] for shape in shapes.values()}
    free = [name for name, model in models.items() if None in model.input.shape[1:]]
    height, width = next(iter(shapes.values()))[-2:]
    if len(channels) > 1:
        advice = "networks of different channels (grey, RGB) cannot be given the same image"
    elif free:
        advice = f"{', '.join(free)} can take any size: wrap with input_shape= (--input-shape) of the other's size"
    else:
        advice = (
            f"resize one of them: export or wrap it for input_shape=({channels.pop()}, {height}, {width}), or compare "
            "explanations of pictures loaded for each with crosslens.load_image(path, like=model)"
        )
    raise ComparisonError(f"the models take different images: {_in_words(shapes)}; {advice}")


def refuse_different_outputs(models: Mapping[str, Model]) -> None:
    """Refuse models with different numbers of classes, or with different names for them.

    Raises:
        ComparisonError: the message names both.
    """
    shapes = {name: model.layers[OUTPUT].shape[1:] for name, model in models.items()}
    if len(set(shapes.values())) > 1:
        raise ComparisonError(
            f"the models have different outputs: {_in_words(shapes)}; they are not one network. If one is cut off "
            "before its head, or has several outputs, wrap it with output= naming the same one"
        )
    named = {name: tuple(model.labels) for name, model in models.items() if model.labels}
    (first, labels), *others = named.items() or [("", ())]
    for name, theirs in others:
        wrong = [n for n, (a, b) in enumerate(zip(labels, theirs, strict=False)) if a != b]
        if wrong:
            n = wrong[0]
            raise ComparisonError(
                f"the models name their classes differently: class {n} is {labels[n]!r} in {first} and {theirs[n]!r} "
                f"in {name} ({len(wrong)} of {len(labels)} differ); if the order is one, give both the same labels="
            )


def _in_words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
