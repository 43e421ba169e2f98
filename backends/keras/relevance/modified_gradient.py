"""The gradient of a traced graph under the rules of `Model.modified`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from crosslens.model.backward_rules import BackwardRules

from ..weights import Weight
from .graph_facts import GraphFacts
from .kernel_rules import KernelBackward, KernelTable
from .linear_map import LayerRun, LinearMap, find_linear_map
from .operation_rules import operation_rules, without_secant
from .sweep import ASIDE, Flows, Rule, names_between, pull_back

__all__ = ["ModifiedGradient"]


class ModifiedGradient:
    """The rules of one modified model, for all functions that are traced of it."""

    def __init__(self, rules: BackwardRules, tables: Mapping[str, KernelTable]) -> None:
        self._rules, self.tables = rules, tables
        self._without_secant: tuple[str, ...] = ()
        """Types of operations that keep their derivative under slope="secant", once `check` has seen them."""

    @classmethod
    def of(cls, rules: BackwardRules, kernel: Callable[[str], Weight]) -> "ModifiedGradient | None":
        """The rules that are not TensorFlow's own gradient, nor rules for rectifiers; None where there is none.

        Args:
            rules: of `Model.modified`.
            kernel: a layer's kernel in the network.
        """
        if rules == BackwardRules(rules.relu):
            return None
        return cls(rules, {name: KernelTable.of(rule, kernel(name)) for name, rule in rules.kernels.items()})

    def caveats(self) -> tuple[str, ...]:
        """What an attribution by these rules should say."""
        named = ", ".join(self._without_secant)
        said = f"operations {named} have no secant: their derivative is used, so attributions need not add up"
        return (said,) if named else ()

    def check(self, roots: Sequence[Any], runs: Iterable[LayerRun]) -> None:
        """Find all places that have a rule in the graph being traced; arguments as in `gradients`.

        Raises:
            ModelError: a rule cannot be applied.
        """
        facts = GraphFacts(tf.compat.v1.get_default_graph(), roots)
        for run in runs:
            find_linear_map(run, facts)
        if self._rules.slope == "secant":
            self._without_secant = without_secant(facts)

    def gradients(
        self,
        ends: tuple[Sequence[Any], Sequence[Any]],
        sources: Sequence[Any],
        roots: Sequence[Any],
        runs: Iterable[LayerRun],
        *,
        absorbed: bool,
    ) -> tuple[list[Any], Any]:
        """The gradients at the sources, None for zero, and what was absorbed.

        Args:
            ends: tensors of the graph being traced, and the cotangent of each.
            sources: tensors of the same graph.
            roots: the image first, and activations that were put in place of a layer's own.
            runs: the calls of the layers that have a kernel rule.
            absorbed: whether the gradient at `ABSORBED` is asked for, (N, 2); else None is returned for it.
        """
        targets, seeds = ends
        facts = GraphFacts(tf.compat.v1.get_default_graph(), roots)
        accounts: list[tuple[Any, Any]] | None = [] if absorbed else None
        rules = {
            **operation_rules(self._rules, facts, sources),
            **dict(self._kernel_rules(runs, facts, sources, accounts)),
        }
        if accounts is None:
            return pull_back(targets, seeds, sources, rules), None
        gradients = pull_back(targets, seeds, [*sources, *roots], rules)  # by way of all layers that absorb
        return gradients[: len(sources)], _summed(accounts, roots[0])

    def _kernel_rules(
        self,
        runs: Iterable[LayerRun],
        facts: GraphFacts,
        sources: Sequence[Any],
        accounts: list[tuple[Any, Any]] | None,
    ) -> Iterable[tuple[str, Rule]]:
        for run in runs:
            if (found := find_linear_map(run, facts)) is not None:
                backward = KernelBackward(found, self.tables[run.name], accounts)
                yield found.end.op.name, _at_linear_map(found, backward, sources)


def _at_linear_map(found: LinearMap, backward: KernelBackward, sources: Sequence[Any]) -> Rule:
    inner = names_between(found.start, found.end)
    asked = [tensor for tensor in sources if tensor.name in inner]

    def rule(operation: Any, cotangents: Sequence[Any]) -> Flows:
        (dy,) = cotangents
        yield found.start, backward(dy)
        if asked:
            inside = pull_back([found.end], [dy], asked)
            yield from ((source, dx, ASIDE) for source, dx in zip(asked, inside, strict=True))

    return rule


def _summed(accounts: Sequence[tuple[Any, Any]], image: Any) -> Any:
    """(N, 2) in float32 from pairs of what biases and the rest took, each batch first."""
    count = tf.shape(image)[0]
    columns = []
    for parts in zip(*accounts, strict=True):
        sums = [tf.reduce_sum(tf.reshape(part, [count, -1]), axis=1) for part in parts]
        columns.append(tf.add_n([tf.cast(each, tf.float32) for each in sums]))
    return tf.stack(columns, axis=1) if columns else tf.zeros(tf.stack([count, 2]), tf.float32)
