"""The gradients of an objective through a model, by the cheapest of three ways."""

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
    """The gradients of an objective and its value.

    A linear objective that reads layers of known shape takes one fused pass, and so does one that the backend can write
    into its own graph. Any other takes a forward and a backward pass.

    Args:
        model: the network.
        x: images (N, C, H, W).
        objective: what is differentiated, summed over the batch.
        wrt: the layers with respect to which it is differentiated.
        capture: further layers whose activations are returned.
        replace: activations by layer to run on from, as in `Model.forward`.

    Returns:
        The gradients with the activations that were captured, and the objective's values (N,).
    """
    read = tuple(dict.fromkeys((*capture, *sorted(objective.layers))))
    zeros = _zero_activations(model, x, objective) if objective.linear else None
    if zeros is not None:
        pull = model.vjp(x, objective.cotangents(zeros), wrt=wrt, capture=read, replace=replace)
        return pull, objective.value(pull.activations)
    compiled = model.compiled_pullback(x, objective, wrt=wrt, capture=capture, replace=replace)
    if compiled is not None:
        return compiled
    with model.linearize(x, read, wrt=wrt, replace=replace) as at:
        value, cotangents = objective.value_and_cotangents(at.inside)
        return Pullback(at.last_vjp(cotangents), at.activations), _as_array_like(x, value)


def _as_array_like(x: Array, values: Array) -> Array:
    """Values as an array of the namespace and device of `x`; their data type stays."""
    xp = namespace(x)
    return xp.asarray(values if namespace(values) is xp else as_numpy(values), device=device(x))


def _zero_activations(model: Model, x: Array, objective: Objective) -> dict[str, Array] | None:
    """Zeros in the shapes of the layers that are read; None if a shape is not known for images of this size."""
    shapes = {name: model.layer(name).shape[1:] if name != INPUT else x.shape[1:] for name in objective.layers}
    if tuple(x.shape[1:]) != model.input.example_shape or any(None in shape for shape in shapes.values()):
        return None
    xp = namespace(x)
    return {name: xp.zeros((x.shape[0], *shape), dtype=x.dtype, device=device(x)) for name, shape in shapes.items()}
