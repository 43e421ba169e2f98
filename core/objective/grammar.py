"""The grammar of a target text: sums and products of terms and numbers, with parentheses.

    text    = sum { " | " sum }                 with " | ", one sum for each image
    sum     = product { (" + " | " - ") product }
    product = operand { (" * " | " / ") operand }
    operand = "(" sum ")" | "- " operand | number | term

Operators need spaces around them, because names of layers contain "/", "-", "." and ":". A whole number is a class
where a term is needed ("281 - 285", "0.5 * 281"), and a number next to an objective ("2 * channel:LAYER:3").
"""

import re
from collections.abc import Callable
from math import isfinite

from ..errors import TargetError
from .algebra import Objective
from .per_image import each

__all__ = ["parse_expression"]

DEEPEST = 100
"""Parentheses and signs that may stand within each other."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_OPERATOR = re.compile(r"\s+([-+*/])(?:\s+|$)")
_MISPLACED = re.compile(r"[+*/](?:\s|$)")


def parse_expression(text: str, term: Callable[[str], Objective]) -> Objective:
    """The objective of a text.

    Args:
        text: what a user typed.
        term: gives the objective of a single term, such as "channel:LAYER:3".

    Raises:
        TargetError: parentheses that do not match, products of objectives, or what `term` raises.
    """
    parts = [_Reader(part, term).objective() for part in text.split(" | ")]
    return parts[0] if len(parts) == 1 else each(parts)


class _Reader:
    """Recursive descent over one sum. An operand is an objective, or the text of a number."""

    def __init__(self, text: str, term: Callable[[str], Objective]) -> None:
        self._text, self._at, self._term = text.strip(), 0, term
        self._depth = 0

    def objective(self) -> Objective:
        """The objective of the whole text."""
        total = self._sum()
        if self._at < len(self._text):
            raise self._error("has a ')' without a '('")
        if not isinstance(total, Objective) and not re.fullmatch(r"-?\d+", self._text):
            raise self._error("is a number and not a class; classes are whole numbers")
        return total if isinstance(total, Objective) else self._term(self._text)

    def _error(self, what: str) -> TargetError:
        return TargetError(f"target {self._text!r} {what}; write for example '(281 + 285) / 2 - 0.1 * norm:2'")

    def _operator(self, of: str) -> str | None:
        """The next operator if it is one of these, and None else."""
        match = _OPERATOR.match(self._text, self._at)
        if match is None or match[1] not in of:
            return None
        self._at = match.end()
        return match[1]

    def _sum(self) -> Objective | float:
        total = self._product()
        while sign := self._operator("+-"):
            more = self._product()
            total = total + more if sign == "+" else total - more
        return total

    def _product(self) -> Objective | float:
        factors = [("*", self._operand())]
        while sign := self._operator("*/"):
            factors.append((sign, self._operand()))
        if not any(isinstance(factor, Objective) for _, factor in factors):
            self._read_class(factors)
        product: Objective | float = 1.0
        for sign, factor in factors:
            product = self._multiply(product, sign, factor)
        return product

    def _read_class(self, factors: "list[tuple[str, Objective | str]]") -> None:
        """In a product of numbers alone, make the last whole number that is not a divisor a class."""
        for n in reversed(range(len(factors))):
            sign, number = factors[n]
            if sign == "*" and isinstance(number, str) and re.fullmatch(r"-?\d+", number):
                factors[n] = (sign, self._term(number))
                return

    def _multiply(self, product: Objective | float, sign: str, factor: Objective | str) -> Objective | float:
        value = float(factor) if isinstance(factor, str) else factor
        if isinstance(value, float) and not isfinite(value):
            raise self._error("has a number that is too large")
        if isinstance(value, Objective) and (sign == "/" or isinstance(product, Objective)):
            raise self._error("multiplies or divides by an objective; only numbers can stand there")
        if sign == "*":
            return value if product == 1.0 and isinstance(value, Objective) else product * value  # type: ignore[operator]
        if not value:
            raise self._error("divides by 0")
        return product / value  # type: ignore[operator]

    def _operand(self) -> Objective | str:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"has more than {DEEPEST} parentheses or signs within each other")
        operand = self._part()
        self._depth -= 1
        return operand

    def _part(self) -> Objective | str:
        text = self._text
        if text.startswith("(", self._at):
            return self._group()
        if text.startswith(("- ", "-("), self._at):
            self._at += 1 + (text[self._at + 1] == " ")
            inner = self._operand()
            return -inner if isinstance(inner, Objective) else repr(-float(inner))
        word = self._word()
        return word if _NUMBER.fullmatch(word) else self._term(word)

    def _group(self) -> Objective | str:
        self._at += 1
        inner = self._sum()
        if not self._text.startswith(")", self._at):
            raise self._error("has a '(' without a ')'")
        self._at += 1
        return inner if isinstance(inner, Objective) else repr(inner)

    def _word(self) -> str:
        """The text up to the next operator, or up to a ')' whose '(' came before."""
        start, depth = self._at, 0
        while self._at < len(self._text) and (depth or not _OPERATOR.match(self._text, self._at)):
            letter = self._text[self._at]
            if letter == ")" and not depth:
                break
            depth += (letter == "(") - (letter == ")")
            self._at += 1
        if depth:
            raise self._error("has a '(' without a ')'")
        if start == self._at or _MISPLACED.match(self._text, start):
            raise self._error("lacks a class, an objective or a number next to an operator")
        return self._text[start : self._at]
