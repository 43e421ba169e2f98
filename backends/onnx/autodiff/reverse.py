"""Reverse mode over an ONNX graph: one sweep from the seeds back to the tensors asked for, one rule per operator."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from crosslens.errors import UnsupportedOperators
from crosslens.model import ABSORBED, INPUT

from ..ir.graph import FLOAT, Graph, Node
from .broadcasting import summed_back
from .cotangent_sum import sum_cotangents
from .expand import expand
from .quantised import before_scores
from .registry import rule_for
from .relevance.graph_rules import EXACT, GraphRules
from .relevance.kernels.linear_map import LINEAR
from .relevance.modified_sweep import ModifiedSweep
from .relevance.secant import WRITTEN_OUT

__all__ = ["append_gradients", "path_of"]


def append_gradients(
    graph: Graph, seeds: Mapping[str, str], wrt: Iterable[str], rules: GraphRules = EXACT
) -> dict[str, str]:
    """Append the nodes that compute gradients of sum_t <seed_t, t>; constants and shapes must be known (`fold`).

    Args:
        graph: the forward pass; changed in place.
        seeds: tensor to its cotangent's tensor, of the same shape and element type.
        wrt: tensors to differentiate with respect to; `ABSORBED` among them counts for all kernels with rules.
        rules: at rectifiers, kernels and others, as in `Model.modified`.

    Returns:
        The gradient's tensor by tensor of `wrt`; zeros where nothing flows.

    Raises:
        UnsupportedOperators: operators on the way have no rule; all of them are named, nothing is appended.
        DynamicShapeError: a rule needs a size that depends on the batch.
    """
    asked = tuple(wrt)
    wrt, absorbed = tuple(name for name in asked if name != ABSORBED), ABSORBED in asked
    sources = {*wrt, *(_inputs_of_kernels(graph, rules) if absorbed else ())}
    while expand(graph, path := path_of(graph, seeds, sources), WRITTEN_OUT if rules.slope == "secant" else ()):
        pass
    _refuse_unsupported(graph, path)
    reached, graph.before_scores = _reachable(graph, path, sources), before_scores(graph.nodes)
    graph.wrt, graph.exact_rectifiers = frozenset(wrt), rules.relu == "exact" and rules.slope != "secant"
    modified = None if rules.exact else ModifiedSweep(graph, rules, reached, {*wrt, *seeds}, absorbed=absorbed)
    parts: dict[str, list[str]] = {tensor: [seed] for tensor, seed in seeds.items()}
    for node in reversed(path):
        dys = [_total(graph, parts, o) for o in node.outputs]
        if any(dys):
            needs_gradient = tuple(i in reached for i in node.inputs)
            _pull(graph, replace(node, needs_gradient=needs_gradient), dys, parts, modified)
    gradients = {tensor: _total(graph, parts, tensor) or graph.zeros_like(tensor) for tensor in wrt}
    return gradients | ({ABSORBED: modified.absorbed(INPUT)} if absorbed and modified else {})


def _inputs_of_kernels(graph: Graph, rules: GraphRules) -> set[str]:
    return {node.inputs[0] for node in graph.nodes if node.outputs[0] in rules.kernels and node.op in LINEAR}


def path_of(graph: Graph, seeds: Iterable[str], wrt: Iterable[str]) -> list[Node]:
    """The nodes through which gradients flow: downstream of `wrt` and upstream of a seed.

    An operator without a rule is one of them even if its outputs are integers: to stop there would be a silent zero.
    Behind an approximate rule (QuantizeLinear) integers count as numbers, and gradients flow along them too.
    """
    reached, numbers, below = set(wrt), set[str](), []
    for node in graph.nodes:
        rule = rule_for(node)
        along = rule is not None and (rule.approximate or numbers.intersection(node.inputs))
        flows = rule is None or (rule.derivative and (along or _floats(graph, node)))
        if flows and any(i in reached for i in node.reads):
            below.append(node)
            reached.update(node.outputs)
            numbers.update(o for o in node.outputs if along and o in graph.types and not graph.types[o].is_float)
    wanted, path = set(seeds), []
    for node in reversed(below):
        if any(o in wanted and (o in numbers or _may_carry(graph, node, o)) for o in node.outputs):
            path.append(node)
            wanted.update(node.reads)
    return path[::-1]


def _may_carry(graph: Graph, node: Node, output: str) -> bool:
    """Whether a gradient may come from this output: not from TopK's indices; yes if the operator is unknown."""
    return output not in graph.types or graph.types[output].is_float or rule_for(node) is None


def _floats(graph: Graph, node: Node) -> bool:
    return any(o not in graph.types or graph.types[o].is_float for o in node.outputs if o)


def _reachable(graph: Graph, path: Iterable[Node], wrt: Iterable[str]) -> set[str]:
    """The tensors that gradients flow to along a path; integers only if they are quantised numbers, not indices."""
    reached, numbers = set(wrt), set[str]()
    for node in path:
        rule = rule_for(node)
        along = rule is None or rule.approximate or numbers.intersection(node.inputs)
        integers = {o for o in node.outputs if o in graph.types and not graph.types[o].is_float}
        numbers.update(integers if along else ())
        reached.update(o for o in node.outputs if along or o not in integers)
    return reached


def _refuse_unsupported(graph: Graph, path: Iterable[Node]) -> None:
    missing: dict[tuple[str, int], list[str]] = {}
    for node in path:
        if rule_for(node) is None:
            operator = f"{node.domain}.{node.op}" if node.domain else node.op
            missing.setdefault((operator, node.version), []).append(node.name or node.outputs[0])
    if missing:
        operators = "; ".join(
            f"{operator} (opset {version}) at node {_few(names)}{_DATA_DEPENDENT.get(operator, '')}"
            for (operator, version), names in missing.items()
        )
        raise UnsupportedOperators(
            f"no derivative rule for {operators}. A rule is one file: see plugins.md, section 'Operator rules'"
        )


_DATA_DEPENDENT = {
    "If": " (the image decides between branches of different shapes)",
    "Loop": " (the image decides how often it runs)",
    "Scan": " (the image decides how often it runs)",
}
"""Why control flow remains: what does not depend on the image has been expanded."""


def _few(names: Sequence[str]) -> str:
    return f"{names[0]!r}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _total(graph: Graph, parts: dict[str, list[str]], tensor: str) -> str | None:
    """The sum of a tensor's cotangents, computed once; None if there are none."""
    flowed = parts.get(tensor)
    if not flowed:
        return None
    if len(flowed) > 1:
        parts[tensor] = flowed = [sum_cotangents(graph, tensor, flowed)]
    return flowed[0]


def _pull(
    graph: Graph, node: Node, dys: Sequence[str | None], parts: dict[str, list[str]], modified: ModifiedSweep | None
) -> None:
    rule = rule_for(node)
    if rule is None or rule.derivative is None:
        raise UnsupportedOperators(f"no derivative rule for {node.op}")
    jump = modified.jump(node, dys) if modified else None
    if jump:
        parts.setdefault(jump[0], []).append(jump[1])
        return
    inputs = node.inputs
    if not rule.approximate:
        node = _as_floats(graph, node)
    cotangents = modified.cotangents(node, rule, dys) if modified else rule.derivative(graph, node, *dys)
    for tensor, wanted, cotangent in zip(inputs, node.needs_gradient, cotangents, strict=False):
        if wanted and cotangent is not None:
            summed = summed_back(graph, cotangent, node.outputs[0], tensor) if rule.broadcasts else cotangent
            parts.setdefault(tensor, []).append(summed)


def _as_floats(graph: Graph, node: Node) -> Node:
    """The node for a rule that expects floats: quantised integers that gradients flow along are cast to float32."""
    wanted = {i for i, w in zip(node.inputs, node.needs_gradient, strict=False) if w}
    integers = {t for t in (*wanted, *node.outputs) if t in graph.types and not graph.types[t].is_float}
    if wanted.isdisjoint(integers):
        return node
    seen = {name: graph.op("Cast", name, to=FLOAT) for name in sorted(integers)}
    for name, copy in seen.items():
        graph.types[copy] = replace(graph.types[name], elem=FLOAT)
    inputs, outputs = (tuple(seen.get(t, t) for t in names) for names in (node.inputs, node.outputs))
    return replace(node, inputs=inputs, outputs=outputs)
