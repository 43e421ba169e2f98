"""What relevance cannot be shared out from, or cannot come to, refused before anything is computed."""

from collections.abc import Iterable

from ..errors import LayerError, TargetError
from ..model.base import INPUT, OUTPUT, Model
from ..objective import ClassScore, Objective

__all__ = ["refuse_after_softmax", "refuse_unreached"]


def refuse_after_softmax(model: Model, objective: Objective, method: str) -> None:
    """Refuse a target behind a softmax or a sigmoid, which relevance cannot be shared out from.

    Args:
        model: the network.
        objective: the target.
        method: the name, for the message.

    Raises:
        TargetError: what to give instead.
    """
    reads_probability = isinstance(objective, ClassScore) and objective.reading.link not in {"identity"}
    spec = model.output if OUTPUT in objective.layers else None
    if reads_probability or (spec is not None and spec.activation is not None):
        hidden = spec is not None and spec.activation is not None and not spec.before
        instead = "wrap the network without its last layer" if hidden else "a class number means its logit"
        raise TargetError(
            f"{method} shares out a logit, and this target is read after a softmax or a sigmoid: {instead}, "
            "target=281, 'logit:281' on the shell"
        )


def refuse_unreached(model: Model, objective: Objective, layer: str, through: Iterable[str] = ()) -> None:
    """Refuse a layer that the target, or a layer that relevance goes through, is not computed from: nothing gets there.

    Args:
        model: the network; where its backend cannot tell what is computed from what, nothing is refused.
        objective: the target.
        layer: where relevance is asked for.
        through: layers that it goes through, by their own names.

    Raises:
        LayerError: which layer, and one that relevance comes to.
    """
    chosen, layers = set(through), list(model.layers)
    way = [(name, "through=") for name in reversed(layers) if name in chosen]
    source, above = "the target", {model.layer(name).name for name in objective.layers if name != INPUT}
    if layer != INPUT and (goal := model.layer(layer).name) != INPUT:
        way.append((goal, "layer="))
    for name, option in way:
        before = model.upstream(sorted(above)) if above else frozenset()
        if before is not None and name not in before:
            nearest = next((each for each in reversed(layers) if each in before - above), INPUT)
            raise LayerError(
                f"{source} is not computed from layer {name!r}, so none of it gets there; give {option} a layer that "
                f"it is computed from, such as {nearest!r}, or a target that reads what comes behind {name!r}"
            )
        source, above = f"layer {name!r}", {name}
