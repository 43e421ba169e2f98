"""What the rectifiers of layers read: where negative values can still be seen."""

from collections.abc import Mapping, Sequence

from crosslens.errors import LayerError
from crosslens.introspection.unit_layers import rectified_layers, rectifier_inputs
from crosslens.model import Model

__all__ = ["before_rectifiers", "rectifier_notes"]


def before_rectifiers(model: Model, layers: Sequence[str], asked: str) -> Mapping[str, str]:
    """By layer the one that is looked at: the input of its rectifier, or itself.

    Args:
        model: the network.
        layers: by name.
        asked: "auto": the input of the rectifier where it has a name; "no": the layers themselves; "yes".

    Raises:
        LayerError: the input of a rectifier has no name, or a layer is no rectifier's output, and "yes" is asked.
    """
    before = {} if asked == "no" else rectifier_inputs(model, layers)
    if asked == "yes" and (hidden := [layer for layer in layers if layer not in before]):
        raise LayerError(
            f"nothing is known of what layer {hidden[0]!r} was before a rectifier: it does not end in one, or its "
            "backend shows no layer there; leave before_rectifier out to look at the layer itself"
        )
    return {layer: before.get(layer, layer) for layer in layers}


def rectifier_notes(model: Model, looked_at: Mapping[str, str], kinds: Sequence[str]) -> tuple[str, ...]:
    """Which layers were really looked at, and which kinds of examples say little because they are after a rectifier."""
    moved = [f"{layer} at {at}" for layer, at in looked_at.items() if at != layer]
    rectified = frozenset(rectified_layers(model))
    after = [layer for layer, at in looked_at.items() if at in rectified]
    notes = [f"looked at before the rectifier: {', '.join(moved)}"] if moved else []
    if after and {"least", "slightly_negative"}.intersection(kinds):
        notes.append(f"after their rectifier, where least values are 0 and none or few negative: {', '.join(after)}")
    return tuple(notes)
