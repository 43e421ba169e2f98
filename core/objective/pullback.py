"""The gradients of an objective through a model, at the least cost that the objective allows."""

from collections.abc import Mapping, Sequence

from array_api_compat import device

from ..arrays import Array, as_numpy, namespace
from ..model.base import INPUT, Model, Pullback
from .algebra import Objective

__all__ = ["pullback"]


def pullback(
    model: Model,
    x: Array,
    objective: Objective,
    wrt: Sequence[str] = (INPUT,),
    capture: Sequence[str] = (),
    replace: Mapping[str, Array] | None = None,
) -> tuple[Pullback, Array]:
    """The gradients of an objective, and its value (N,), at the least cost the objective allows.

    A linear objective over layers of known shape is one fused pass; so is any other that the backend can write into its
    own graph; the rest are a forward and a backward pass.
    """
    read = tuple(dict.fromkeys((*capture, *sorted(objective.layers))))
    stand_ins = _stand_ins(model, x, objective) if objective.linear else None
    if stand_ins is not None:
        pull = model.vjp(x, objective.cotangents(stand_ins), wrt=wrt, capture=read, replace=replace)
        return pull, objective.value(pull.activations)
    compiled = model.compiled_pullback(x, objective, wrt=wrt, capture=capture, replace=replace)
    if compiled is not None:
        return compiled
    with model.linearize(x, read, wrt=wrt, replace=replace) as at:
        value, cotangents = objective.value_and_cotangents(at.inside)
        return Pullback(at.last_vjp(cotangents), at.activations), _beside(x, value)


def _beside(x: Array, values: Array) -> Array:
    """Values as the kind of array that `x` is, on its device; their type stays."""
    xp = namespace(x)
    return xp.asarray(values if namespace(values) is xp else as_numpy(values), device=device(x))


def _stand_ins(model: Model, x: Array, objective: Objective) -> dict[str, Array] | None:
    """Zeros in the shapes of the layers read, or None where these are not known before a pass at this image size."""
    shapes = {name: model.layer(name).shape[1:] if name != INPUT else x.shape[1:] for name in objective.layers}
    if tuple(x.shape[1:]) != model.input.example_shape or any(None in shape for shape in shapes.values()):
        return None
    xp = namespace(x)
    return {name: xp.zeros((x.shape[0], *shape), dtype=x.dtype, device=device(x)) for name, shape in shapes.items()}
