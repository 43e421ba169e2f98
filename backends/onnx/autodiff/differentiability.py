"""What can be said of an ONNX graph before any work: is it differentiable, exactly or nearly, and for which sizes."""

from collections.abc import Iterator

from crosslens.errors import UnsupportedOperators
from crosslens.model import INPUT, OUTPUT

from ..ir.graph import DynamicShapeError, Graph
from .registry import rule_for
from .reverse import append_gradients, path_of

__all__ = ["caveats_of", "diagnosed"]

Said = tuple[str, bool | None, str]


def diagnosed(graph: Graph, declared: Graph) -> Iterator[Said]:
    """(what, whether it is well, text): `Model.diagnosis` of an ONNX network.

    Args:
        graph: with shapes for one image.
        declared: with the sizes that the file allows.
    """
    yield _differentiable(graph.copy())
    near = {node.op: rule.approximate for node in graph.nodes if (rule := rule_for(node)) and rule.approximate}
    if near:
        yield "approximate", None, ", ".join(f"{op}: {how}" for op, how in sorted(near.items()))
    batch, *sizes = declared.inputs[INPUT].dims or ("N",)
    free = "any" if isinstance(batch, str) else f"{batch} at once"
    fixed = "free sizes" if any(isinstance(n, str) for n in sizes) else "a fixed size " + " x ".join(map(str, sizes))
    lying = next((node for node in graph.nodes if OUTPUT in node.outputs and node.op == "Transpose"), None)
    if lying is not None:
        sizes_there = ", ".join(map(str, graph.dims(lying.inputs[0])))
        yield "output axes", None, f"the file gives ({sizes_there}); the axis of the images is moved to the front"
    yield "axes", None, f"batch: {free}; images of {fixed}"


def caveats_of(graph: Graph) -> tuple[str, ...]:
    """What gradients from the output to the image leave out: operators on the way whose rule is approximate."""
    by_how: dict[str, set[str]] = {}
    for node in path_of(graph, [OUTPUT], [INPUT]):
        if (rule := rule_for(node)) and rule.approximate:
            by_how.setdefault(rule.approximate, set()).add(node.op)
    return tuple(
        f"where gradients are taken they are approximate: they pass {', '.join(sorted(operators))} {how}, as if it "
        "rounded nothing (Bengio et al. 2013)"
        for how, operators in sorted(by_how.items())
    )


def _differentiable(graph: Graph) -> Said:
    """The way from the output to the image; missing rules are all named before anything is computed."""
    graph.types["seed"] = graph.inputs["seed"] = graph.types[OUTPUT]
    try:
        append_gradients(graph, {OUTPUT: "seed"}, [INPUT])
    except UnsupportedOperators as error:
        return "differentiable", False, str(error)
    except DynamicShapeError as error:
        return "differentiable", False, f"the gradient cannot be built: {error}"
    return "differentiable", True, "every operator on the way has a rule"
