"""Diagnosis of an ONNX graph: whether it is differentiable, exactly or approximately, and for which batch and size."""

from collections.abc import Iterator

from crosslens.errors import UnsupportedOperators
from crosslens.model import INPUT, OUTPUT

from ..ir.graph import DynamicShapeError, Graph
from .registry import rule_for
from .reverse import append_gradients, path_of

__all__ = ["caveats_of", "diagnosis_of"]

Finding = tuple[str, bool | None, str]


def diagnosis_of(graph: Graph, declared: Graph) -> Iterator[Finding]:
    """(subject, whether it is fine, text) for `Model.diagnosis` of an ONNX network.

    Args:
        graph: with the shapes for one image.
        declared: with the sizes that the file declares.
    """
    yield _differentiable(graph.copy())
    near = {node.op: rule.approximate for node in graph.nodes if (rule := rule_for(node)) and rule.approximate}
    if near:
        yield "approximate", None, ", ".join(f"{op}: {how}" for op, how in sorted(near.items()))
    batch, *sizes = declared.inputs[INPUT].dims or ("N",)
    free = "any" if isinstance(batch, str) else f"{batch} at once"
    fixed = "free sizes" if any(isinstance(n, str) for n in sizes) else "a fixed size " + " x ".join(map(str, sizes))
    transpose = next((node for node in graph.nodes if OUTPUT in node.outputs and node.op == "Transpose"), None)
    if transpose is not None:
        shape = ", ".join(map(str, graph.dims(transpose.inputs[0])))
        yield "output axes", None, f"the file's output has shape ({shape}); the batch axis is moved to the front"
    yield "axes", None, f"batch: {free}; images of {fixed}"


def caveats_of(graph: Graph) -> tuple[str, ...]:
    """A sentence for each kind of approximation in gradients from the output to the image."""
    by_how: dict[str, set[str]] = {}
    for node in path_of(graph, [OUTPUT], [INPUT]):
        if (rule := rule_for(node)) and rule.approximate:
            by_how.setdefault(rule.approximate, set()).add(node.op)
    return tuple(
        f"gradients are approximate: they pass {', '.join(sorted(operators))} {how}, as if values were not rounded "
        "(Bengio et al. 2013)"
        for how, operators in sorted(by_how.items())
    )


def _differentiable(graph: Graph) -> Finding:
    """Whether gradients from the output to the image can be built; all missing rules are named."""
    seed = graph.unique_name("seed")
    graph.types[seed] = graph.inputs[seed] = graph.types[OUTPUT]
    try:
        append_gradients(graph, {OUTPUT: seed}, [INPUT])
    except UnsupportedOperators as error:
        return "differentiable", False, str(error)
    except DynamicShapeError as error:
        return "differentiable", False, f"the gradient cannot be built: {error}"
    return "differentiable", True, "every operator between image and output has a rule"
