"""What a backend promises about reductions of layers."""

import numpy as np

from ...data.reduce import reduce
from ...introspection.unit_layers import unit_layers
from ...model.reduction import KINDS, Reduction, positions_first, reduced
from ..assertions import same
from ..net import Net
from ..promise import backend_promise

__all__: list[str] = []


@backend_promise
def reductions_are_those_of_activations(net: Net) -> None:
    """Every reduction of every layer is what its activations give, sums to 1e-5 of the sum of magnitudes."""
    model, x = net.model, net.images(3)
    layers = unit_layers(model, ["all"])
    asked = [Reduction(layer, kind) for layer in layers for kind in KINDS]
    beside, activations = reduce(model, x, asked, layers)
    alone, _ = reduce(model, x, asked)
    for each in asked:
        wanted, values = reduced(each, activations), activations[each.layer]
        assert (beside[each].shape, beside[each].dtype) == (wanted.shape, wanted.dtype), f"{each}: {beside[each].dtype}"
        floats = each.kind in {"sum", "squares"}
        terms = np.abs(positions_first(values)).sum(axis=1) if each.kind == "sum" else 0
        same(beside[each] + terms, wanted + terms, exact=not floats, rtol=1e-5, what=str(each))
        if each.kind not in {"argmax", "argmin", "zeros"}:
            same(alone[each] + terms, wanted + terms, rtol=1e-4, what=f"{each} without activations")
