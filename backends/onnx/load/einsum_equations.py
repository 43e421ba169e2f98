"""Checks the equations of Einsum nodes before anything else reads them: onnx's own parser never ends on some."""

from collections.abc import Iterator

from crosslens.errors import ModelError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

__all__ = ["refuse_bad_equations"]

MOST_CHARACTERS = 1000
"""Of an equation without its spaces."""
MOST_AXES = 32
"""Letters of one term."""


def refuse_bad_equations(model: ModelProto) -> None:
    """Refuse an Einsum whose equation breaks ONNX's rules, or is longer than any network needs.

    Raises:
        ModelError: names the node, and says what is wrong.
    """
    bodies = [node for function in model.functions for node in function.node]
    for node in (*_nodes(model.graph), *bodies):
        if node.op_type == "Einsum" and node.domain in {"", "ai.onnx"}:
            equation = next((a.s for a in node.attribute if a.name == "equation"), b"").replace(b" ", b"")
            if (wrong := _fault(equation, len(node.input))) is not None:
                shown = equation[:60].decode("ascii", "backslashreplace") + ("..." if len(equation) > 60 else "")
                raise ModelError(
                    f"Einsum {(node.name or ', '.join(node.output))[:60]!r} has the equation {shown!r}, but {wrong}; "
                    "an equation reads like 'bij,bjk->bik', a term of letters for each input"
                )


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for inner in (a.g for a in node.attribute if a.type == AttributeProto.GRAPH):
            yield from _nodes(inner)


def _fault(equation: bytes, inputs: int) -> str | None:
    """What is wrong with an equation without spaces; None if nothing is."""
    if len(equation) > MOST_CHARACTERS:
        return f"{len(equation):,} characters are more than {MOST_CHARACTERS:,}"
    left, _, output = equation.partition(b"->")
    terms = left.split(b",")
    if len(terms) != inputs:
        return f"it has {len(terms)} terms and the node {inputs} inputs"
    return next((wrong for term in (*terms, output) if (wrong := _fault_of_term(term))), _fault_of_output(left, output))


def _fault_of_term(term: bytes) -> str | None:
    letters = term.replace(b"...", b"", 1)
    if letters and not (letters.isalpha() and letters.isascii()):
        return f"{term[:20].decode('ascii', 'backslashreplace')!r} is not letters and at most one ellipsis"
    return f"a term has {len(letters)} letters, more than {MOST_AXES}" if len(letters) > MOST_AXES else None


def _fault_of_output(left: bytes, output: bytes) -> str | None:
    made = output.replace(b"...", b"")
    if len(set(made)) < len(made) or not set(made) <= set(left):
        return "its output repeats a letter, or has one that no input has"
    if b"..." in output and b"..." not in left:
        return "its output has an ellipsis and no input has"
    return None
