"""Einsum: y = sum of products over labelled axes, so each operand's cotangent is an Einsum of dy and all the others.

"ij,jk->ik" gives dA by "ik,jk->ij". Labels that only the operand had were summed up: its cotangent repeats along them.
A label twice in one operand reads a diagonal: the cotangent lies on it, by a unit matrix as one more factor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters

import numpy as np
from onnx import helper

from ...ir.graph import Dim, DynamicShapeError, Graph, Node
from ..registry import Cotangents, vjp


@dataclass(frozen=True)
class _Labels:
    """One letter per axis of each operand and of the output; an ellipsis is written out in letters of its own."""

    operands: tuple[str, ...]
    output: str
    free: str


@vjp("Einsum", since=12)
def einsum(g: Graph, node: Node, dy: str) -> Cotangents:
    """Any equation; axes of size one broadcast."""
    labels = _labels(node.attr("equation").replace(" ", ""), [g.rank(i) for i in node.inputs])
    full = _full(g, node, labels)
    return [
        _to_operand(g, node, position, dy, labels, full) if wanted else None
        for position, wanted in enumerate(node.needs_gradient)
    ]


def _labels(equation: str, ranks: Sequence[int]) -> _Labels:
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    free = "".join(c for c in ascii_letters if c not in equation)
    hidden = [
        rank - len(term.replace("...", "")) if "..." in term else 0 for term, rank in zip(terms, ranks, strict=True)
    ]
    dots, free = free[: max(hidden)], free[max(hidden) :]
    operands = tuple(term.replace("...", dots[len(dots) - n :]) for term, n in zip(terms, hidden, strict=True))
    if not arrow:
        joined = "".join(terms).replace("...", "")
        output = "..." + "".join(c for c in sorted(set(joined)) if joined.count(c) == 1)
    return _Labels(operands, output.replace("...", dots), free)


def _full(g: Graph, node: Node, labels: _Labels) -> dict[str, Dim]:
    """The size of each label once all have been broadcast."""
    sizes: dict[str, set[Dim]] = {}
    for name, letters in zip(node.inputs, labels.operands, strict=True):
        for letter, size in zip(letters, g.dims(name), strict=True):
            sizes.setdefault(letter, set()).add(size)
    wide = {letter: options - {1} or {1} for letter, options in sizes.items()}
    if any(len(options) > 1 for options in wide.values()):
        raise DynamicShapeError(f"{node.name!r} has axes that are the same, or one is broadcast: {wide}")
    return {letter: options.pop() for letter, options in wide.items()}


def _to_operand(g: Graph, node: Node, position: int, dy: str, labels: _Labels, full: dict[str, Dim]) -> str:
    x, own = node.inputs[position], labels.operands[position]
    factors, letters = [dy], [labels.output]
    for other, name in enumerate(node.inputs):
        if other != position:
            factor, kept = _without_ones(g, name, labels.operands[other], full)
            factors.append(factor)
            letters.append(kept)
    places, diagonals = _apart(own, labels.free)
    for one, again in diagonals:
        size = g.sizes(x, [own.index(one)])[0]
        factors.append(g.const(np.eye(size), helper.tensor_dtype_to_np_dtype(g.elem(x))))
        letters.append(one + again)
    given = set("".join(letters))
    narrow = {p for p, (size, letter) in enumerate(zip(g.dims(x), own, strict=True)) if size == 1 != full[letter]}
    missing = [p for p, letter in enumerate(places) if p in narrow or letter not in given]
    made = "".join(letter for p, letter in enumerate(places) if p not in missing)
    dx = g.op("Einsum", *factors, equation=",".join(letters) + "->" + made)
    dx = g.op("Unsqueeze", dx, g.ints(missing)) if missing else dx
    return g.op("Expand", dx, g.shape_of(x)) if set(missing) - narrow else dx


def _without_ones(g: Graph, name: str, letters: str, full: dict[str, Dim]) -> tuple[str, str]:
    """An operand without the axes along which it was repeated."""
    ones = [p for p, (size, letter) in enumerate(zip(g.dims(name), letters, strict=True)) if size == 1 != full[letter]]
    kept = "".join(letter for p, letter in enumerate(letters) if p not in ones)
    return (g.op("Squeeze", name, g.ints(ones)), kept) if ones else (name, letters)


def _apart(own: str, free: str) -> tuple[str, list[tuple[str, str]]]:
    """Letters that do not repeat, and which of them are the same in truth."""
    places = ""
    pairs: list[tuple[str, str]] = []
    for letter in own:
        fresh = letter if letter not in places else free[len(pairs)]
        pairs += [(letter, fresh)] if fresh != letter else []
        places += fresh
    return places, pairs
