"""The functions that were traced of one network, by what they compute."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crosslens.model import INPUT
from crosslens.model.backward_rules import BackwardRules
from crosslens.model.layer import ABSORBED
from crosslens.model.reduction import Reduction

__all__ = ["Question", "RuleSets", "TracedFunctions"]

MOST_FUNCTIONS = 24
"""Traced functions that one model keeps."""
MOST_RULE_SETS = 4
"""Sets of backward rules whose traced functions one model keeps."""


@dataclass(frozen=True)
class Question:
    """What a traced function computes, apart from numbers."""

    capture: tuple[str, ...] = ()
    wrt: tuple[str, ...] = ()
    cotangents: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    reduce: tuple[Reduction, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer but `INPUT` and `ABSORBED` whose output is needed."""
        names = (*self.capture, *self.wrt, *self.cotangents, *(each.layer for each in self.reduce))
        return tuple(dict.fromkeys(name for name in names if name not in {INPUT, ABSORBED}))


class TracedFunctions(OrderedDict[Question, Any]):
    """Traced functions by what they compute; above `MOST_FUNCTIONS` the least recently used one is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def get_or_trace(self, question: Question, trace: Callable[[Question], Any]) -> Any:
        """The function for a question; traced if there is none yet."""
        with self._lock:
            if question in self:
                self.move_to_end(question)
                return self[question]
        function = trace(question)
        with self._lock:
            self[question] = function
            while len(self) > MOST_FUNCTIONS:
                self.popitem(last=False)
        return function


class RuleSets:
    """What a model is under other backward rules, its traced functions among it: TensorFlow never frees all of a trace.

    Rules with tables of kernels are not kept: the tables are as large as the weights, and belong to one method.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get_or_make(self, rules: BackwardRules, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The attributes of a model under these rules; above `MOST_RULE_SETS` the least recently used are dropped."""
        if rules.kernels:
            return make()
        key = (rules.relu, rules.slope, rules.norms, rules.products)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            kept = self._kept.setdefault(key, made)
            while len(self._kept) > MOST_RULE_SETS:
                self._kept.popitem(last=False)
        return kept

    def __deepcopy__(self, memo: dict[int, Any]) -> "RuleSets":
        return RuleSets()

    def __reduce__(self) -> tuple[type["RuleSets"], tuple[()]]:
        return RuleSets, ()
