"""Arithmetic on sizes, as exported programs hold it for sympy: parsed and bounded before anything evaluates it."""

import ast
import re
from math import log2

__all__ = ["is_size_expression"]

_SYMPY = {
    *("Integer", "Float", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Mod", "And", "Or", "Not", "true", "false"),
    *("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality", "StrictLessThan", "StrictGreaterThan"),
    *("LessThan", "GreaterThan", "FloorDiv", "CleanDiv", "CeilDiv", "PythonMod", "ModularIndexing", "IntTrueDiv"),
    *("FloatTrueDiv", "CeilToInt", "FloorToInt", "TruncToInt", "ToFloat", "Where", "PowByNatural"),
}
_SIGNS = (
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr),
    *(ast.UAdd, ast.USub, ast.Not, ast.Invert, ast.And, ast.Or, ast.cmpop),
)
_MOST_CHARACTERS = 20_000
_MOST_NODES = 2_000
_MOST_MAXIMA = 24
_MOST_BITS = 2_048
"""Of any number that can come up; a symbol is a size of 64 bits."""
_MOST_EXPONENT = 64
_MOST_DIGITS = 60


def is_size_expression(text: str) -> bool:
    """Whether a text is arithmetic on sizes: known functions, numbers, names of symbols; no number out of bounds."""
    if len(text) > _MOST_CHARACTERS:
        return False
    try:
        tree = ast.parse(text, mode="eval")
        return _is_small(tree) and _is_plain(tree) and _bits(tree.body) <= _MOST_BITS
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False


def _is_small(tree: ast.AST) -> bool:
    """Whether sympy is done with it soon: it compares the parts of maxima with each other."""
    nodes = list(ast.walk(tree))
    maxima = sum(isinstance(node, ast.Name) and node.id in {"Max", "Min"} for node in nodes)
    return len(nodes) <= _MOST_NODES and maxima <= _MOST_MAXIMA


def _is_plain(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=bool() | int() | float()) | ast.expr_context():
            return True
        case ast.Name(id=name):
            return name in _SYMPY or bool(re.fullmatch(r"[a-z]{1,3}\d+", name))
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))], keywords=keywords):
            return bool(re.fullmatch(r"\w{1,80}", name)) and all(_is_flag(k) for k in keywords)
        case ast.Call(func=ast.Name(id="Float"), args=[ast.Constant(value=str(number))], keywords=keywords):
            return bool(re.fullmatch(r"-?[\d.]{1,60}(e[+-]?\d{1,3})?", number)) and all(_is_flag(k) for k in keywords)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return name in _SYMPY and all(_is_plain(a) for a in args) and all(_is_flag(k) for k in keywords)
    return isinstance(node, _SIGNS) or (
        isinstance(node, ast.Expression | ast.BinOp | ast.UnaryOp | ast.Compare | ast.BoolOp)
        and all(_is_plain(child) for child in ast.iter_child_nodes(node))
    )


def _is_flag(keyword: ast.keyword) -> bool:
    """Whether a keyword is True, False, or a number of digits."""
    match keyword.value:
        case ast.Constant(value=int(number)):
            return keyword.arg is not None and 0 <= number <= _MOST_DIGITS
    return False


def _bits(node: ast.AST) -> float:
    """An upper bound of the bits of every number that comes up in an expression."""
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return log2(abs(number) + 1) if abs(number) < float("inf") else float("inf")
        case ast.Name() | ast.Call(func=ast.Name(id="Symbol" | "Float")):
            return 64
        case (
            ast.BinOp(left=base, op=ast.Pow(), right=exponent)
            | ast.Call(func=ast.Name(id="Pow" | "PowByNatural"), args=[base, exponent])
        ):
            return _bits_of_power(base, exponent)
    is_product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
    match node:
        case ast.Call(func=ast.Name(id=name), args=parts):
            is_product = name in {"Mul", "Rational"}
        case _:
            parts = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
    bits = [_bits(each) for each in parts]
    return sum(bits) if is_product else max(bits, default=0) + log2(len(bits) + 1)


def _bits_of_power(base: ast.expr, exponent: ast.expr) -> float:
    """Of a power whose exponent is a small number as it stands; infinite of any other."""
    match exponent:
        case ast.Call(func=ast.Name(id="Integer"), args=[inner]):
            return _bits_of_power(base, inner)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _bits_of_power(base, inner)
        case ast.Constant(value=int(number)) if 0 <= number <= _MOST_EXPONENT:
            return max(1.0, _bits(base) * number)
        case ast.Call(func=ast.Name(id="Rational")):
            return _bits(base)
    return float("inf")
